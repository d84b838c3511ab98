"""What a Slurm site accepts: its inventory, and the settings that pass `sbatch --test-only`."""
