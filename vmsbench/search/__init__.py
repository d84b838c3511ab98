"""Search algorithms: which configurations to try, and which trials to stop early. Nothing here knows Ray."""
