#!/bin/bash
# Tune engression on a Slurm cluster: one job, its nodes joined by a private Ray. From the project's folder:
#   sbatch -A account -p partition --nodes 4 --gpus-per-node 4 slurm/sweep_engression.sh data.root=/path/to/data
# sbatch's own flags come before the script and override the lines below; arguments after it go to `vmsbench tune`.
#SBATCH --job-name=vmsbench-engression
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

cd "${SLURM_SUBMIT_DIR:-.}" || exit
[ -f .venv/bin/activate ] && source .venv/bin/activate
command -v vmsbench >/dev/null || { echo "error: vmsbench not found: run \`make install\` in $PWD, or activate its environment"; exit 127; }
exec vmsbench job tune --exp engression "$@"
