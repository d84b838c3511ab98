"""Elastic sweeps: worker jobs that come while there is work, and leave when there is none."""
