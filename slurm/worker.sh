#!/bin/bash
# More nodes for a sweep that was submitted with launcher.shape=elastic; DRIVER is the number of its first job:
#   sbatch -A account -p preemptible --gpus-per-node 4 --array=0-7 slurm/worker.sh DRIVER runs/diffusion
#SBATCH --job-name=vmsbench-worker
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@30
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

cd "${SLURM_SUBMIT_DIR:-.}" || exit
[ -f .venv/bin/activate ] && source .venv/bin/activate
command -v vmsbench >/dev/null || { echo "error: vmsbench not found: run \`make install\` in $PWD, or activate its environment"; exit 127; }
exec vmsbench work "$@"
