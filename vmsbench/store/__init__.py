"""A sweep's folder on disk: its journal, lock and records."""
