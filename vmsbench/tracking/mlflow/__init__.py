"""MLflow: a sweep as runs, the tracker that keeps them, its server's pages, models that load, and runs fetched back."""
