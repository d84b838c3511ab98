"""MLflow: a mirror of the folders, which can be rebuilt from them at any time."""
