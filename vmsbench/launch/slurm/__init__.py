"""Slurm: submission, its commands, and what a job was given."""
