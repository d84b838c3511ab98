"""MLflow: a tracker, its server's pages, models that load, and runs fetched back."""
