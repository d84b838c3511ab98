"""The jobs of submitted sweeps from Python: their logs, their end, and whether they recover from faults."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import strftime

from vmsbench.config.compose import compose
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.files import with_home
from vmsbench.launch.allocation import refuse_login_node
from vmsbench.launch.drill.fault_test import FaultResult, FaultTest
from vmsbench.launch.drill.faults import FaultTarget, JobTarget, ProcessTarget
from vmsbench.launch.follow import follow as follow_log
from vmsbench.launch.job_log import cancel as cancel_jobs
from vmsbench.launch.job_log import job_statuses, launcher_of_job, leading_jobs
from vmsbench.launch.launcher import POLL
from vmsbench.launch.site_profile import of_launcher
from vmsbench.launch.submit import RunOptions, launcher_of
from vmsbench.store.job_events import notes, submitted

MINUTES = "30"  # the time limit of a drill's jobs


def logs(name: str, *, lines: int = 40, follow: bool = False, runs: Path | str = "runs") -> dict[str, Path]:
    """The logs of a sweep's jobs that have written something, by the job's number, in the order of submission.

    follow  first print the last job's log as it grows, until that job is over with all its restarts and continuations
    lines   of what it has written, with which that begins

    Raises UserError where there are none, or no such sweep was submitted.
    """
    folder = submitted(name, with_home(runs))
    named = {str(line["job"]): Path(line["log"]) for line in notes(folder) if line.get("log") and "job" in line}
    there = {job: log for job, log in named.items() if log.exists()}
    if not there:
        raise UserError(f"{name} has written nothing yet: {'; '.join(map(str, job_statuses(folder)))}")
    if follow:
        job = [job for job in leading_jobs(folder) if job in there][-1]
        launcher = launcher_of_job(folder, job)
        shown = before_last(there[job], lines)
        follow_log(job, there[job], folder, launcher.poll if launcher else POLL, shown=shown)
    return there


def before_last(log: Path, lines: int) -> int:
    """The bytes of a file before its last lines."""
    with log.open("rb") as file:
        sizes = [len(line) for line in file]
    return sum(sizes[: max(0, len(sizes) - lines)])


def cancel(name: str, *, runs: Path | str = "runs") -> list[str]:
    """End a sweep's jobs, and return their numbers; the trials save, and the same sweep can be continued later.

    Raises UserError where no such sweep was submitted, or the cluster does not cancel a job.
    """
    folder = submitted(name, with_home(runs))
    return cancel_jobs(folder)


@dataclass(frozen=True)
class DrillResult:
    """A result for each fault, and `folder` with the sweeps and their logs, which is removed where all passed."""

    checks: tuple[FaultResult, ...]
    folder: Path

    @property
    def passed(self) -> bool:
        """Whether no check failed; one that cannot be made here does not count."""
        return all(check.passed is not False for check in self.checks)


def drill(
    *overrides: str,
    nodes: int | None = None,
    gpus: int | None = None,
    time: str | None = None,
    epochs: int = 120,
    patience: int = 180,
    runs: Path | str = "runs",
    allow_login_node: bool = False,
    on_check: Callable[[FaultResult], None] = lambda check: None,
    on_progress: Callable[[str], None] = lambda text: None,
) -> DrillResult:
    """Inject the faults of clusters into a toy sweep, and check that it recovers: here, or on a cluster by launcher=.

    overrides           launcher=NAME and launcher.* alone: the sweep is always the same
    nodes, gpus, time   of its jobs
    epochs              of each training
    patience            seconds to wait for a recovery, queueing included
    on_check            called with each result
    on_progress         called with a line for what happens

    Raises ConfigurationError for settings of the sweep itself.
    """
    for override in overrides:
        if not of_launcher(override):
            raise ConfigurationError(f"{override}: a drill takes only launcher=NAME and launcher.*; its sweep is fixed")
    options = RunOptions(nodes=nodes, gpus=gpus, time=time, allow_login_node=allow_login_node)
    place = with_home(runs) / "drill"
    begin, checks = targets(overrides, place, options), []
    test = FaultTest(place / strftime("%Y%m%d-%H%M%S"), begin, epochs, patience, on_progress)
    for check in test.run():
        checks.append(check)
        on_check(check)
    result = DrillResult(tuple(checks), test.folder)
    if result.passed:
        shutil.rmtree(test.folder, ignore_errors=True)
    return result


def targets(overrides: tuple[str, ...], folder: Path, options: RunOptions) -> Callable[..., FaultTarget]:
    """What starts a sweep that gets the faults: in a process here, or in a job of the launcher that was chosen."""
    settings = compose("unet", list(overrides), check_all=False)["launcher"]
    if "time" in settings:
        options = replace(options, time=options.time or MINUTES)
    launcher = launcher_of(settings=settings, overrides=overrides, folder=folder, options=options)
    if launcher.in_process:
        refuse_login_node(options.allow_login_node)
        return ProcessTarget
    return partial(JobTarget, launcher=launcher)
