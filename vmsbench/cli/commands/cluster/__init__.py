"""Commands around a cluster's jobs."""
