# Sourced by the sweep_*.sh scripts within a Slurm job: says where it runs, tunes, and asks for more time if need be.
# One node for each job. vmsbench stops gracefully on the signal that comes before the time limit, and exits with 75
# when its search is not finished; the job is then requeued and goes on where it stopped.

sweep() {
    cd "${SLURM_SUBMIT_DIR:-.}" || exit 2
    [ -f .venv/bin/activate ] && . .venv/bin/activate
    echo "host $(hostname), job ${SLURM_JOB_ID:-none}, restart ${SLURM_RESTART_COUNT:-0}, GPUs ${SLURM_GPUS_ON_NODE:-0}," \
         "commit $(git describe --always --dirty 2>/dev/null || echo unknown)"
    set -- vmsbench tune --gpus "${SLURM_GPUS_ON_NODE:-0}" --cpus "${SLURM_CPUS_PER_TASK:-1}" "$@"
    echo "command: $*"
    "$@" &
    driver=$!
    trap 'kill -USR1 $driver' USR1 TERM
    status=75
    while kill -0 $driver 2>/dev/null; do wait $driver; status=$?; done
    if [ "$status" = 75 ] && [ -n "$SLURM_JOB_ID" ] && [ "$(squeue -h -j "$SLURM_JOB_ID" -o %T)" = RUNNING ]; then
        echo "the search is not finished: requeueing job $SLURM_JOB_ID"
        scontrol requeue "$SLURM_JOB_ID"
    fi
    exit "$status"
}
