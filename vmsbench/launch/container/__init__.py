"""Containers that what trains in a job runs in."""
