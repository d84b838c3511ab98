"""What a launcher promises: submit a function, get a job; ask after a job, cancel it, or put it back in the queue.

A launcher of one's own is a subclass of `Launcher` and a file in conf/launcher. Its settings `nodes`, `gpus`, `cpus`
and `time` are what the options --nodes, --gpus, --cpus and --time of the command line set; where it has settings
`name` and `exclude`, they get the sweep's name and the nodes that failed twice. `vmsbench.testing.launcher_contract`
tests it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from vmsbench.errors import UserError
from vmsbench.launch.allocation import Allocation

POLL = 40.0
"""Seconds between two questions about a job: a site's scheduler answers many people."""


class JobError(UserError):
    """A job that ended without a result; its text ends with the function's own error."""


class Refused(UserError):
    """What a cluster refuses to do, in its own words."""


class Unsupported(Refused):
    """What a launcher cannot do at all."""


class JobPhase(StrEnum):
    """Where a job stands, the same words for every cluster."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDING = "ending"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class JobStatus:
    """How a job stands.

    phase   the same word on every cluster
    state   the cluster's own word: PENDING, RUNNING, COMPLETED, TIMEOUT, ...; UNKNOWN where nobody can tell
    reason  why it waits or how it ended, for people
    nodes   where it is, or was
    source  who says so, such as squeue or sacct
    """

    job: str
    phase: JobPhase
    state: str
    reason: str = ""
    nodes: str = ""
    source: str = "nobody"

    @property
    def live(self) -> bool:
        return self.phase in (JobPhase.WAITING, JobPhase.RUNNING, JobPhase.ENDING)

    @property
    def over(self) -> bool:
        """Whether it certainly does not go on."""
        return self.phase in (JobPhase.COMPLETED, JobPhase.FAILED)

    def __str__(self) -> str:
        there = self.phase in (JobPhase.RUNNING, JobPhase.ENDING)
        where = f" on {self.nodes}" if self.nodes and there else ""
        reason = f": {self.reason}" if self.reason else ""
        return f"job {self.job} {self.state}{where}{reason}  ({self.source})"


def unknown(job: str) -> JobStatus:
    return JobStatus(job, JobPhase.UNKNOWN, "UNKNOWN", "the cluster does not answer, or has forgotten it")


@dataclass(frozen=True)
class JobResources:
    """What a job asks for.

    cpus, gpus  of each node
    time        its limit, as the cluster writes it
    hours       of work in a job: its time without the notice before its end
    memory      GB of each node; None is the site's default
    """

    nodes: int
    cpus: int
    gpus: int
    time: str
    hours: float
    memory: float | None = None


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What one job asks for that differs from its launcher's settings; None leaves the setting as it is.

    after        the number of a job that must have begun before
    environment  variables for the job
    """

    nodes: int | None = None
    cpus: int | None = None
    gpus: int | None = None
    after: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def size(self, usual: JobResources) -> JobResources:
        """What the job asks for, where its launcher's settings are `usual`."""
        return replace(
            usual,
            nodes=usual.nodes if self.nodes is None else self.nodes,
            cpus=usual.cpus if self.cpus is None else self.cpus,
            gpus=usual.gpus if self.gpus is None else self.gpus,
        )


AS_SET = JobRequest()


class Job(ABC):
    """A function that was submitted."""

    @property
    @abstractmethod
    def description(self) -> str:
        """One line for the user: what it is, where its log is, how to cancel it."""

    @property
    @abstractmethod
    def number(self) -> str:
        """What the cluster calls it."""

    @property
    @abstractmethod
    def log(self) -> Path:
        """The file that it writes to."""

    @abstractmethod
    def wait(self) -> None:
        """Return when the job has ended, well or badly."""

    @abstractmethod
    def result(self) -> Any:
        """What the function returned; waits for it.

        Raises what the function raised where that is known as an object, else JobError with its words.
        """


class Launcher(ABC):
    """Runs functions somewhere.

    in_process  `submit` runs the function in this very process, on the resources of this machine
    elastic     a sweep is a small job that drives and one job for each node, which come and go
    poll        seconds between two questions about a job
    settings    what it was built from, so that somebody else can ask after its jobs later
    """

    in_process: ClassVar[bool] = False
    elastic: bool = False
    poll: float = POLL
    settings: Mapping[str, Any] = {}

    @property
    @abstractmethod
    def resources(self) -> JobResources | None:
        """What its jobs ask for; None where they run on this machine."""

    @abstractmethod
    def submit(self, function: Callable[..., Any], *arguments: Any, request: JobRequest = AS_SET) -> Job:
        """Run `function(*arguments)`, now or when there is room; errors of the function are the job's, not raised here.

        The function and its arguments can be pickled, and the function can be imported by its name. It may run again
        from the start, with the same arguments, where its machine is taken away: running it again continues it.
        Raises UserError where it cannot be submitted, with the reason and what helps; then nothing was submitted.
        """

    @abstractmethod
    def script(self, command: Sequence[str] | None = None) -> str:
        """The batch script that `submit` hands over, for people to read; or the one that runs `command`."""

    @abstractmethod
    def check(self) -> str:
        """What the cluster says to such a job without taking it. Raises UserError where it refuses."""

    @abstractmethod
    def status(self, job: str) -> JobStatus:
        """How a job stands; its phase is UNKNOWN where nobody can tell. Raises nothing."""

    @abstractmethod
    def cancel(self, *jobs: str) -> None:
        """End jobs; they save before they leave where the cluster lets them. One that is over is no error."""

    @abstractmethod
    def logs(self, job: str) -> Path | None:
        """The file that a job writes to; None where nobody knows it."""

    @abstractmethod
    def requeue(self, job: str) -> None:
        """Put a running job back in the queue. Raises Refused."""

    def interrupt(self, job: str) -> None:
        """Ask a running job to save and leave, as the cluster does before the end of its time. Raises Refused."""
        raise Unsupported("this launcher sends no signals")

    def run_inside(self, job: str, node: str, command: Sequence[str]) -> None:
        """Run a command on a node of a running job, among its processes, to its end. Raises Refused."""
        raise Unsupported("this launcher runs nothing inside a job")

    @classmethod
    def allocation(cls) -> Allocation | None:
        """What this launcher's cluster gave to the job that this process is in; None in no job of its kind."""
        return None

    @classmethod
    def on_login_node(cls) -> bool:
        """Whether this is a machine that its jobs are submitted from, where nobody should train."""
        return False
