"""The interface of launchers: submit a function, get a job; query, cancel and requeue jobs.

Your own launcher is a subclass of `Launcher` and a file in conf/launcher. Its settings `nodes`, `gpus`, `cpus`
and `time` are what the options --nodes, --gpus, --cpus and --time of the command line set; where it has settings
`name` and `exclude`, they get the sweep's name and the nodes that failed twice. `vmsbench.testing.launcher_contract`
tests it.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from vmsbench.errors import UserError
from vmsbench.launch.allocation import Allocation

POLL = 40.0
"""Seconds between two status queries: a site's scheduler serves many users."""


class JobError(UserError):
    """A job that ended without a result; its text ends with the function's own error."""


class Refused(UserError):
    """A request that the cluster refused, with its message.

    own  what of the message is the cluster's own, where a site prints more around it; default: all of it
    """

    def __init__(self, said: str, own: str = "") -> None:
        super().__init__(said)
        self.own = own or said


class NotHere(Refused):
    """There is no cluster that could be asked from this machine."""


ANSWER_BY: ContextVar[float] = ContextVar("ANSWER_BY", default=math.inf)
"""When a cluster must have answered, by `time.monotonic`."""


PROMPT = 5.0
"""Seconds in which a cluster answers all questions of a command that shows something, or is taken to be away."""


@contextmanager
def answers_within(seconds: float = PROMPT) -> Iterator[None]:
    """Within the block all questions to a cluster together take so long at most: for commands that a user waits for."""
    before = ANSWER_BY.set(min(ANSWER_BY.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        ANSWER_BY.reset(before)


class NoAnswer(Refused):
    """The cluster does not answer now; the same request may work later.

    heard  of a submission: asks whether the cluster took it all the same, and returns its job, or None; raises NoAnswer
           where the cluster does not say. None where it cannot be asked.
    """

    heard: "Callable[[], Job | None] | None" = None


class Unsupported(Refused):
    """A request that the launcher does not support."""


class JobPhase(StrEnum):
    """The phase of a job, the same for every cluster."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDING = "ending"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class JobStatus:
    """The status of a job.

    phase   the same for every cluster
    state   the cluster's own word: PENDING, RUNNING, COMPLETED, TIMEOUT, ...; UNKNOWN where it cannot be found out
    reason  why it waits or how it ended, to be shown
    nodes   where it is, or was
    source  where this comes from: the command that was asked
    silent  whether nothing is known because the cluster gave no answer; else it has no record of the job
    lacked  what it was killed for want of: "time", "memory", or nothing
    """

    job: str
    phase: JobPhase
    state: str
    reason: str = ""
    nodes: str = ""
    source: str = "nobody"
    silent: bool = False
    lacked: str = ""

    @property
    def live(self) -> bool:
        return self.phase in (JobPhase.WAITING, JobPhase.RUNNING, JobPhase.ENDING)

    @property
    def over(self) -> bool:
        """Whether it is certainly over."""
        return self.phase in (JobPhase.COMPLETED, JobPhase.FAILED)

    def __str__(self) -> str:
        there = self.phase in (JobPhase.RUNNING, JobPhase.ENDING)
        where = f" on {self.nodes}" if self.nodes and there else ""
        reason = f": {self.reason}" if self.reason else ""
        return f"job {self.job} {self.state}{where}{reason}  ({self.source})"


@dataclass(frozen=True)
class ClusterHealth:
    """Whether a cluster can be used from this machine, for `vmsbench doctor`.

    cluster  its name for people
    works    whether its commands are here and answer
    said     what was found, in one line
    fix      what helps where it does not answer
    """

    cluster: str
    works: bool
    said: str
    fix: str = ""


@dataclass(frozen=True)
class SurveyLine:
    """A setting that a cluster was asked about; `value` is None where it is left out."""

    name: str
    value: Any
    said: str = ""


@dataclass(frozen=True)
class Survey:
    """What a cluster accepts, for `vmsbench site init`.

    cluster   its own name
    settings  of the launcher, each accepted
    lines     what was found, setting by setting
    refused   jobs that were tried and refused, with the cluster's words
    """

    cluster: str
    settings: Mapping[str, Any]
    lines: tuple[SurveyLine, ...]
    refused: tuple[str, ...] = ()


def unknown(job: str, silent: bool = False) -> JobStatus:
    reason = "the cluster does not answer" if silent else "the cluster does not answer, or no longer has a record of it"
    return JobStatus(job, JobPhase.UNKNOWN, "UNKNOWN", reason, silent=silent)


@dataclass(frozen=True)
class JobResources:
    """The resources of a job.

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

    after        the number of a job that must have started before
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
        """The job's number on the cluster."""

    @property
    @abstractmethod
    def log(self) -> Path:
        """The file that it writes to."""

    @abstractmethod
    def wait(self) -> None:
        """Return when the job has ended, successfully or not."""

    @abstractmethod
    def result(self) -> Any:
        """The function's result; waits for it.

        Raises the function's exception where it can be restored, else JobError with its message.
        """


class Launcher(ABC):
    """Runs functions somewhere.

    in_process  `submit` runs the function in this process, on the resources of this machine
    elastic     a sweep is a small driver job and one job for each node, which may come and go
    poll        seconds between two questions about a job
    settings    what it was built from, so that other processes can query its jobs later
    variables   the cluster's own environment variables, by the setting that each is for
    """

    in_process: ClassVar[bool] = False
    elastic: bool = False
    poll: float = POLL
    settings: Mapping[str, Any] = {}
    variables: ClassVar[Mapping[str, str]] = {}

    @property
    @abstractmethod
    def resources(self) -> JobResources | None:
        """The resources of its jobs; None where they run on this machine."""

    @abstractmethod
    def submit(self, function: Callable[..., Any], *arguments: Any, request: JobRequest = AS_SET) -> Job:
        """Run `function(*arguments)`, now or when resources are free; errors of the function are the job's, not raised
        here.

        The function and its arguments can be pickled, and the function can be imported by its name. It may be run
        again from the start, with the same arguments, after it was interrupted: running it again continues it. Raises
        UserError where it cannot be submitted, with the reason and what helps; then nothing was submitted.
        """

    @abstractmethod
    def script(self, command: Sequence[str] | None = None) -> str:
        """The batch script that `submit` hands over, to be read; or the one that runs `command`."""

    @abstractmethod
    def check(self) -> str:
        """The cluster's answer to such a job without submitting it. Raises UserError where it refuses."""

    @abstractmethod
    def status(self, job: str) -> JobStatus:
        """The status of a job; its phase is UNKNOWN where it cannot be found out. Raises nothing."""

    def statuses(self, *jobs: str) -> list[JobStatus]:
        """The status of each job, by as few questions to the cluster as it allows. Raises nothing."""
        return [self.status(job) for job in jobs]

    @abstractmethod
    def cancel(self, *jobs: str) -> None:
        """End jobs; they save first where the cluster allows it. One that is over is no error."""

    @abstractmethod
    def logs(self, job: str) -> Path | None:
        """The file that a job writes to; None where it is unknown."""

    @abstractmethod
    def requeue(self, job: str) -> None:
        """Put a running job back in the queue. Raises Refused."""

    def more(self, ended: JobStatus, asked: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of the next job that exceed the launcher's own: `kept`, and more where the last job was killed
        for want of time or memory, as far as the launcher's settings allow.

        ended   the status of the last job
        asked   the time and memory that it asked for
        kept    what earlier jobs asked for after such a kill
        """
        return {}

    def interrupt(self, job: str) -> None:
        """Signal a running job to save and end, as the cluster does before the end of its time. Raises Refused."""
        raise Unsupported("this launcher sends no signals")

    def run_inside(self, job: str, node: str, command: Sequence[str]) -> None:
        """Run a command on a node of a running job, within its allocation, and wait for it. Raises Refused."""
        raise Unsupported("this launcher runs nothing inside a job")

    @classmethod
    def allocation(cls) -> Allocation | None:
        """The allocation of this launcher's job that this process is in; None outside of one."""
        return None

    @classmethod
    def health(cls) -> ClusterHealth | None:
        """Whether its cluster can be used from this machine; None where there is nothing to say."""
        return None

    @classmethod
    def cluster_name(cls) -> str | None:
        """The name that its cluster has for itself, by which a site's profile is chosen; None where it has none."""
        return None

    @classmethod
    def survey(cls, known: Mapping[str, Any], profile: Mapping[str, Any]) -> Survey:
        """Which settings its cluster accepts. Nothing is submitted.

        known    the user's settings, which are kept
        profile  the site's, which are tried first
        Raises UserError where the cluster is not here, does not answer, or accepts no job.
        """
        raise Unsupported("this launcher cannot ask its cluster: write site.yaml by hand")

    @classmethod
    def on_login_node(cls) -> bool:
        """Whether this is a login node, where training is refused."""
        return False

    @classmethod
    def misplaced(cls) -> str | None:
        """Why this process is not the one of its job to drive a sweep, with the command that works; None where it is,
        or is in no job."""
        return None
