"""The faults that a fault test injects into a sweep, and the sweeps it injects them into.

python -m vmsbench.launch.drill.faults driver RUNS      kills the driver of the sweep in RUNS that runs on this machine
"""

import contextlib
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from vmsbench.errors import UNFINISHED, UserError
from vmsbench.launch.allocation import python
from vmsbench.launch.job_log import cancel, job_status, jobs_of, note_submitted, statuses_of
from vmsbench.launch.launcher import Launcher, Refused, Unsupported
from vmsbench.launch.supervisor import finish
from vmsbench.processes import descendants, end, living
from vmsbench.store.job_events import notes
from vmsbench.versions import PUBLIC

SIGNAL, REQUEUE, TRIAL, DRIVER = "signal", "requeue", "trial", "driver"
FAULTS = {
    SIGNAL: "the signal before the end of its time",
    REQUEUE: "a requeue",
    TRIAL: "a trial killed with -9",
    DRIVER: "the driver killed with -9",
}


class FaultTarget(ABC):
    """A sweep under a supervisor. `folder` is that of the sweep."""

    folder: Path

    @abstractmethod
    def inject(self, fault: str) -> None:
        """Raises Unsupported where this kind of target has no such fault, UserError where it fails."""

    @abstractmethod
    def over(self) -> bool:
        """Whether it has ended for good; restarts it where a user would have to."""

    @abstractmethod
    def remains(self) -> list[str]:
        """What of it still runs."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""


class ProcessTarget(FaultTarget):
    """A sweep in a process of this machine."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self.folder, self.command = folder, command
        self.seen: set[int] = set()
        self.begin()

    def begin(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*python("vmsbench", "job"), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def inject(self, fault: str) -> None:
        if fault == REQUEUE:
            raise Unsupported("needs a cluster's launcher")
        self.seen |= {self.process.pid, *descendants(self.process.pid)}
        if fault == SIGNAL:
            self.process.send_signal(signal.SIGUSR1)
        else:
            kill_here(fault, self.folder.parent)

    def over(self) -> bool:
        if self.process.poll() == UNFINISHED:
            self.begin()
        return self.process.poll() is not None

    def remains(self) -> list[str]:
        return [f"process {pid}" for pid in self.seen if living(pid)]

    def stop(self) -> None:
        end([*descendants(self.process.pid), self.process.pid], patience=5)


class JobTarget(FaultTarget):
    """A sweep in a job of a cluster."""

    def __init__(self, folder: Path, command: Sequence[str], launcher: Launcher) -> None:
        self.folder, self.launcher = folder, launcher
        job = launcher.submit(finish, list(command), str(folder))
        note_submitted(folder, job, launcher, command=list(command))

    @property
    def job(self) -> str:
        return jobs_of(self.folder)[-1]

    def inject(self, fault: str) -> None:
        if fault == SIGNAL:
            self.launcher.interrupt(self.job)
        elif fault == REQUEUE:
            self.launcher.requeue(self.job)
        else:
            nodes = next(line["nodes"] for line in reversed(notes(self.folder)) if line["event"] == "began")
            kill = python(PUBLIC["injected fault"], fault, str(self.folder.parent))
            self.launcher.run_inside(self.job, nodes[0], kill)

    def over(self) -> bool:
        return job_status(self.folder, self.job).over

    def remains(self) -> list[str]:
        return [f"job {one.job}" for one in statuses_of(self.folder, jobs_of(self.folder)) if not one.over]

    def stop(self) -> None:
        with contextlib.suppress(Refused):
            cancel(self.folder)


def kill_here(fault: str, runs: Path) -> None:
    """Kill the driver of the sweep in `runs` that runs on this machine, or one of its trials. Raises UserError."""
    drivers = [pid for pid in own_processes() if is_driver(words_of(pid), runs)]
    trials = [pid for one in drivers for pid in descendants(one) if words_of(pid)[:1] == ["ray::ImplicitFunc.train"]]
    found = drivers if fault == DRIVER else trials
    if not found:
        raise UserError(f"no {fault} of the sweep in {runs} runs on this node")
    os.kill(min(found, key=started), signal.SIGKILL)  # the oldest trains by now


def started(pid: int) -> int:
    """When a process started, as Linux counts it; one that has ended is younger than all."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return sys.maxsize


def is_driver(words: Sequence[str], runs: Path) -> bool:
    return "tune" in words and str(runs) in words and "job" not in words


def own_processes() -> Iterator[int]:
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if place.stat().st_uid == os.getuid():
                yield int(place.name)


def words_of(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0 ").split("\0")
    return []


if __name__ == "__main__":
    kill_here(sys.argv[1], Path(sys.argv[2]))
