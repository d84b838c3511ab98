"""How a process in a cluster's job owns a sweep: the lock names its job, and whose job it names is asked about."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from vmsbench.config.instantiate import build
from vmsbench.launch.allocation import allocation
from vmsbench.launch.launcher import JobPhase, Launcher
from vmsbench.store.lock import JobStart, owned


def owning() -> Callable[[Path], AbstractContextManager[None]]:
    """`owned`, for the job that this process is in."""
    given = allocation()
    start = JobStart(given.job, given.restarts, dict(given.settings)) if given else JobStart()
    return partial(owned, start=start, asks=job_runs)


def job_runs(owner: Mapping[str, Any]) -> bool | None:
    """Whether the job of a lock's owner has processes, suspended ones too; None where its cluster does not say, or
    where it waits: it may be about to start again."""
    if not owner.get("launcher"):
        return None
    launcher: Launcher = build(dict(owner["launcher"]), "launcher")
    status = launcher.status(owner["job"])
    if status.over:
        return False
    return True if status.phase in (JobPhase.RUNNING, JobPhase.ENDING) else None
