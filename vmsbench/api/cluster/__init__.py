"""A cluster from Python: its site, and the jobs of submitted sweeps."""
