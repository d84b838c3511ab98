"""The state of sweeps and trials from Python, at any time, from their folders and from the cluster."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, overload

from vmsbench.errors import UserError
from vmsbench.files import plain, with_home
from vmsbench.launch.job_log import job_statuses, jobs_of
from vmsbench.launch.launcher import JobStatus, answers_within
from vmsbench.store.job_events import with_jobs
from vmsbench.store.runs_folder import folders, none_in, sweep_named
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.status import Status, Why
from vmsbench.sweep.status import status as status_of
from vmsbench.sweep.status import why as why_of

NOT_BEGUN = "not started"  # its job waits, or ended before the sweep started


@dataclass(frozen=True)
class SweepState:
    """A sweep, from its folder, and its jobs, from the cluster.

    status   None before it starts
    jobs     those that are not over, else the last one; empty for a sweep that was not submitted
    """

    name: str
    status: Status | None
    jobs: tuple[JobStatus, ...] = ()

    @property
    def state(self) -> str:
        """running, finished, interrupted, dead (its process is gone) or not started."""
        return self.status.state if self.status else NOT_BEGUN

    @property
    def alive(self) -> bool:
        """Whether it runs, or one of its jobs waits or runs."""
        return self.state == "running" or any(job.live for job in self.jobs)

    def as_json(self) -> dict[str, Any]:
        """The same as one dictionary, as `vmsbench status --json` prints it."""
        known: dict[str, Any] = plain(asdict(self.status)) if self.status else {"name": self.name, "state": self.state}
        return known | {"jobs": [asdict(job) for job in self.jobs]}


@overload
def status(name: str, *, runs: Path | str = ...) -> SweepState: ...


@overload
def status(name: None = ..., *, runs: Path | str = ...) -> list[SweepState]: ...


def status(name: str | None = None, *, runs: Path | str = "runs") -> SweepState | list[SweepState]:
    """The state of the sweep of that name, or a list of those of all sweeps. Nothing is written.

    Raises UserError where there is no such sweep, its journal is damaged, or its schema is another.
    """
    found = states(sweeps_to_show(name, with_home(runs)))
    return found if name is None else found[0]


def why(trial: str, *, runs: Path | str = "runs") -> Why:
    """Why a trial or final ended: its state, cause, the end of its log, and the command that runs it alone.

    trial   its name, or the beginning of it
    Raises UserError where no trial, or more than one, has such a name.
    """
    return why_of(with_home(runs), trial)


def sweeps_to_show(name: str | None, runs: Path) -> list[Path]:
    """The folder of a sweep, or of all: begun, or submitted. Raises UserError where there is none."""
    there = sorted({*folders(runs), *with_jobs(runs)})
    if not there and not name:
        raise UserError(none_in(runs))
    return [folder for folder in there if name in (None, folder.name)] or [sweep_named(str(name), runs)]


def states(folders: list[Path], jobs: Mapping[Path, list[JobStatus]] | None = None) -> list[SweepState]:
    """The state of each folder's sweep.

    jobs    what the cluster said of them before; it is asked where they are left out
    """
    known = jobs_in(folders) if jobs is None else jobs
    return [SweepState(folder.name, standing(folder, known[folder]), tuple(known[folder])) for folder in folders]


def jobs_in(folders: list[Path]) -> dict[Path, list[JobStatus]]:
    """The cluster's status of the sweeps' jobs, by folder; empty lists where a sweep has none."""
    with answers_within():
        return {folder: job_statuses(folder) if jobs_of(folder) else [] for folder in folders}


def standing(folder: Path, jobs: list[JobStatus]) -> Status | None:
    """A sweep's status, None before it starts; where its process is gone, with the end of its jobs."""
    if not SweepFolder(folder).begun:
        return None
    over = {job.job for job in jobs if job.over}
    one, ended = status_of(folder, lambda owner: False if owner["job"] in over else None), ending_of(jobs)
    return replace(one, state="interrupted", why=ended) if one.state == "dead" and ended else one


def ending_of(jobs: list[JobStatus]) -> str | None:
    """How the cluster ended the jobs of a sweep, where all are over and the last one did not complete."""
    if not jobs or not all(one.over for one in jobs) or jobs[-1].phase == "completed":
        return None
    return f"{jobs[-1].state}: {jobs[-1].reason}"
