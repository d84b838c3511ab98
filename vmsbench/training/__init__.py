"""The one loop that trains every model, and its evaluation."""
