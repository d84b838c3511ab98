#!/bin/bash
# Tune the diffusion model on one node of a Slurm cluster (several nodes: not yet). From the project's folder:
#   sbatch --account=A --partition=P --gpus-per-node=4 slurm/sweep_diffusion.sh data=vischema data.root=/path/to/data
# sbatch's own flags come before the script and win over the lines below; what follows it goes to `vmsbench tune`.
#SBATCH --job-name=vmsbench-diffusion
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

exec bash "${SLURM_SUBMIT_DIR:-.}/slurm/sweep.sh" diffusion "$@"
