"""Search algorithms: which configurations to try, and which trials to stop early. Nothing here depends on Ray."""
