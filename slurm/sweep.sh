# What sweep_unet.sh, sweep_gan.sh and sweep_diffusion.sh have in common; not to be submitted itself.
#
# Slurm signals this shell (B:) 120 s before the job's time is up; a preemption sends TERM. Either is passed on:
# `vmsbench tune` then saves and leaves with 75, "not finished", and the job queues itself again. The same command
# goes on where it stopped. A job that its user cancelled is no longer RUNNING by then, and stays cancelled.
set -u
kind=$1
shift
cd "${SLURM_SUBMIT_DIR:-.}" || exit
[ -f .venv/bin/activate ] && source .venv/bin/activate
export PYTHONUNBUFFERED=1

job=${SLURM_JOB_ID:-} restarts=${SLURM_RESTART_COUNT:-0}
command=(vmsbench tune --exp "$kind" --gpus "${SLURM_GPUS_ON_NODE:-0}" ${SLURM_CPUS_PER_TASK:+--cpus "$SLURM_CPUS_PER_TASK"} "$@")
printf '%s  host %s  job %s  restarts %s  GPUs %s  commit %s\n%s\n' "$(date '+%F %T')" "$(hostname)" "${job:-none}" \
  "$restarts" "${CUDA_VISIBLE_DEVICES:-none}" "$(git describe --always --dirty 2>/dev/null || echo unknown)" "$(printf '%q ' "${command[@]}")"
if ! type -P vmsbench >/dev/null; then
  echo "error: no vmsbench here: run \`make install\` in $PWD, or activate its environment before sbatch"
  exit 127
fi

"${command[@]}" &
child=$!
trap 'echo "$(date "+%F %T")  USR1: the time is nearly up, saving"; kill -USR1 $child' USR1
trap 'echo "$(date "+%F %T")  TERM: asked to leave, saving"; kill -TERM $child' TERM
while :; do # wait returns early at each signal
  wait $child
  status=$?
  kill -0 $child 2>/dev/null || break
done
trap '' USR1 TERM

if [ $status -eq 75 ] && [ -n "$job" ]; then
  state=$(squeue --noheader --jobs="$job" --format=%T)
  if [ "$state" != RUNNING ]; then
    echo "not finished; the job is ${state:-gone}: cancelled (to go on, submit it again), or queued again by Slurm itself"
  elif [ "$restarts" -ge "${VMSBENCH_MAX_RESTARTS:-100}" ]; then
    echo "not finished after $restarts restarts; to go on: submit it again"
  elif scontrol requeue "$job"; then
    echo "$(date '+%F %T')  not finished; queued again"
  else
    echo "not finished, and Slurm does not queue it again; to go on: submit it again"
  fi
fi
exit $status
