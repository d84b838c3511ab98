#!/bin/bash
#SBATCH --job-name=vmsbench-unet
#SBATCH --nodes=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --time=08:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
# Tunes the unet experiment. What follows the script's name goes to vmsbench tune:
#   sbatch -A account -p partition slurm/sweep_unet.sh data.root=/path/to/vischema_plus searcher.rounds=2
. "${SLURM_SUBMIT_DIR:-.}/slurm/sweep.sh"
sweep --exp unet "$@"
