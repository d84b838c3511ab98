"""Where work runs: here, or on a Slurm cluster through submitit."""
