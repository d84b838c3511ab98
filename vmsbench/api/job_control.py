"""The jobs of submitted sweeps from Python: their logs, and their end."""

from pathlib import Path

from vmsbench.errors import UserError
from vmsbench.launch.job_log import cancel as cancel_jobs
from vmsbench.launch.job_log import job_statuses
from vmsbench.launch.launcher import answers_within
from vmsbench.store.job_events import notes, submitted


def logs(name: str, *, runs: Path | str = "runs") -> dict[str, Path]:
    """The logs of a sweep's jobs that have written something, by the job's number, in the order of submission.

    Raises UserError where there are none, or no such sweep was submitted.
    """
    folder = submitted(name, Path(runs))
    named = {str(line["job"]): Path(line["log"]) for line in notes(folder) if line.get("log") and "job" in line}
    there = {job: log for job, log in named.items() if log.exists()}
    if not there:
        raise UserError(f"{name} has written nothing yet: {'; '.join(map(str, job_statuses(folder)))}")
    return there


def cancel(name: str, *, runs: Path | str = "runs") -> list[str]:
    """End a sweep's jobs, and return their numbers; the trials save, and the same sweep can be continued later.

    Raises UserError where no such sweep was submitted, or the cluster does not cancel a job.
    """
    folder = submitted(name, Path(runs))
    with answers_within():
        return cancel_jobs(folder)
