"""Where a command runs: in this process, or in a job of a cluster."""
