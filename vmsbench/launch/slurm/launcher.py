"""Slurm, through submitit."""

import importlib
import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launch.launcher import Job, JobError, Launcher
from vmsbench.launch.slurm.allocation import scrubbed
from vmsbench.launch.slurm.commands import EARLY, POLL, Refused, call

if TYPE_CHECKING:
    import submitit

FORMS = ("gpus-per-node", "gres", "gpus", "none")
MEMORY = ("mem", "mem-per-cpu", "none")
SHAPES = ("allocation", "elastic")
MEND = "launcher.partition, account, gpus, gpu_form, memory, time, extra, forbidden"
HINTS = {
    "partition": "launcher.partition; `sinfo` lists what there is",
    "account": "launcher.account; `sacctmgr show associations user=$USER` lists yours",
    "time limit": "--time",
    "timelimit": "--time",
    "memory": "launcher.memory, launcher.memory_form",
    "gres": "--gpus, launcher.gpu_form (gpus-per-node, gres, gpus or none), launcher.gpu_type",
    "gpu": "--gpus, launcher.gpu_form (gpus-per-node, gres, gpus or none), launcher.gpu_type",
    "node count": "--nodes",
    "more processors": "--nodes, launcher.cpus, launcher.partition",
    "node configuration": "--nodes, --gpus, launcher.gpu_type, cpus, memory, partition",
    "qos": "launcher.extra.qos",
    "limit": "fewer jobs at once, or launcher.extra.qos",
    "unrecognized option": "launcher.extra, or launcher.forbidden, the list of flags that this site does not take",
    "reservation": "launcher.extra.reservation",
    "not found": "",
    "no answer": "look by `squeue --me` whether it is there all the same",
}


@final
class Slurm(Launcher):
    """Submits to Slurm with sbatch and returns at once. The function runs once, on the first of the job's nodes.

    shape       of a sweep: allocation, one job of `nodes` nodes; elastic, a small job that drives and `nodes` jobs of
                one node each that come and go
    nodes       of the job
    gpus, cpus  per node
    time        of the job: minutes, hours:minutes:seconds or days-hours
    memory      GB per node; None is the site's default, as for `partition` and `account`
    gpu_form    how the site asks for GPUs: gpus-per-node, gres, gpus, or none where a node comes with all it has
    gpu_type    such as a100, where the site wants one named
    memory_form mem, mem-per-cpu, or none where memory is not asked for
    notice      seconds before the end of its time at which Slurm signals the job
    requeue     whether Slurm may begin the job again; where not, it submits its own continuation
    setup       lines of shell before the function: "module load cuda"
    folder      scripts, logs and pickled results; on a disk that login and compute nodes share
    extra       further settings of sbatch by their long names: {"qos": "long", "constraint": "a100"}
    forbidden   flags, by their long names, that the site's sbatch does not take
    exclude     nodes to leave out
    poll        seconds between two questions to Slurm while somebody waits
    name        of the job
    cluster     "slurm", or "local": the same path in a process of this machine, without Slurm
    """

    def __init__(
        self,
        shape: str = "allocation",
        nodes: int = 1,
        gpus: int = 1,
        cpus: int = 4,
        time: str | int = "08:00:00",
        memory: float | None = None,
        partition: str | None = None,
        account: str | None = None,
        gpu_form: str = "gpus-per-node",
        gpu_type: str | None = None,
        memory_form: str = "mem",
        notice: int = 120,
        requeue: bool = True,
        setup: Sequence[str] = (),
        folder: str | Path = "runs/slurm",
        extra: Mapping[str, Any] | None = None,
        forbidden: Sequence[str] = (),
        exclude: Sequence[str] = (),
        poll: float = POLL,
        name: str = "vmsbench",
        cluster: Literal["slurm", "local"] = "slurm",
    ) -> None:
        if cluster not in ("slurm", "local"):
            raise ConfigurationError(f"launcher.cluster is slurm or local, not {cluster!r}")
        for setting, value, least in (("nodes", nodes, 1), ("gpus", gpus, 0), ("cpus", cpus, 1), ("notice", notice, 1)):
            if value < least:
                raise ConfigurationError(f"launcher.{setting} is {value}; it must be at least {least}")
        for setting, word, valid in (
            ("gpu_form", gpu_form, FORMS),
            ("memory_form", memory_form, MEMORY),
            ("shape", shape, SHAPES),
        ):
            if word not in valid:
                raise ConfigurationError(f"launcher.{setting} is {word}; it must be one of {', '.join(valid)}")
        if not re.fullmatch(r"[1-9]\d*|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d){0,2}", str(time)):
            raise ConfigurationError(f"launcher.time is {time}; write it as 90 (minutes), 8:00:00 or 1-12")
        if seconds_of(str(time)) <= notice + EARLY:
            raise ConfigurationError(
                f"launcher.time {time} leaves no time to train: a job saves {notice} s before its end, and Slurm may "
                f"say so {EARLY} s too early; ask for more by --time, or for less notice (launcher.notice)"
            )
        self._cluster, self._folder = cluster, Path(folder).resolve()
        self.poll, self.gpus, self.cpus, self.nodes, self.elastic = poll, gpus, cpus, nodes, shape == "elastic"
        self.hours, self.time = (seconds_of(str(time)) - notice) / 3600, time
        self._forbidden, self._name, self._notice, self._setup = list(forbidden), name, notice, list(setup)
        self.form, self._type = gpu_form, gpu_type
        named = f"{gpu_type}:{gpus}" if gpu_type else str(gpus)
        each = memory and {"mem": memory, "mem-per-cpu": memory / cpus, "none": None}[memory_form]
        self._flags: dict[str, Any] = {
            "nodes": nodes,
            "ntasks-per-node": 1,
            "cpus-per-task": cpus,
            "time": time,
            memory_form: each and f"{round(each * 1024)}M",
            "partition": partition,
            "account": account,
            "exclude": ",".join(exclude) or None,
            "requeue" if requeue else "no-requeue": True,
            "signal": f"B:USR1@{notice}",
        }
        if gpus:
            self._flags[gpu_form] = {"gres": f"gpu:{named}", "gpus": self.gpu_total(nodes)}.get(gpu_form, named)
        self._flags.pop("none", None)
        self._flags |= dict(extra or {})

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        return self.send({}, {}, function, *arguments)

    def send(
        self, flags: Mapping[str, Any], environment: Mapping[str, str], function: Callable[..., Any], *arguments: Any
    ) -> "Submitted":
        """`submit`, with flags and an environment of this job's own; a flag of None is left out."""
        check_importable(function)
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        executor = self._executor(flags, environment)
        try:
            job = executor.submit(Resumable(function), *arguments)
        except (Refused, FailedJobError, FailedSubmissionError) as error:
            executor.clean()
            raise refusal(error) from error
        except OSError as error:
            raise UserError(f"cannot write to launcher.folder {self._folder}: {error}") from error
        return Submitted(job, self._cluster)

    def gpu_total(self, nodes: int) -> str:
        """The GPUs of so many nodes, as sbatch's --gpus takes them."""
        return f"{self._type}:{self.gpus * nodes}" if self._type else str(self.gpus * nodes)

    def script(self, command: str | None = None) -> str:
        """The batch script that `submit` would hand over, for people to read; or one with another command."""
        return str(self._executor({}, {}).text(command))

    def check(self) -> str:
        """What sbatch says to such a job without taking it: when it would begin. Raises UserError where it refuses."""
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
            file.write(self.script("true"))
            file.flush()
            try:
                return call("sbatch", "--test-only", file.name, environment=scrubbed(), loud=True)
            except Refused as error:
                raise refusal(error) from error

    def _executor(self, flags: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
        import submitit

        logging.getLogger("submitit").setLevel(logging.ERROR)  # it warns at every poll where there is no accounting
        if self._cluster == "local":
            local = submitit.AutoExecutor(folder=self._folder, cluster="local")
            local.update_parameters(timeout_min=60, stderr_to_stdout=True)
            return local
        for command in ("sbatch", "srun"):
            if shutil.which(command) is None:
                raise UserError(f"{command} not found: run this on a cluster's login node, or drop launcher=slurm")
        from vmsbench.launch.slurm.submission import Executor

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self._folder).close()
        except OSError as error:
            raise UserError(f"cannot write to launcher.folder {self._folder}: {error.strerror}") from error
        executor = Executor(self._folder, self._forbidden)
        told = {"VMSBENCH_NOTICE": str(self._notice), **environment}
        executor.update_parameters(
            job_name=self._name,
            stderr_to_stdout=True,
            use_srun=False,
            setup=[*(f"export {name}={value}" for name, value in told.items()), *self._setup],
            additional_parameters={k: v for k, v in {**self._flags, **flags}.items() if v is not None},
        )
        return executor


def refusal(error: Exception) -> UserError:
    """Slurm's own words, and the setting to change."""
    words = " ".join(line.removeprefix("sbatch: ").strip() for line in str(error).splitlines() if line.strip())
    mend = next((hint for sign, hint in HINTS.items() if sign in words.lower()), MEND)
    return UserError(f"sbatch refused the job: {words}" + (f"  (to change: {mend})" if mend else ""))


@final
class Submitted(Job):
    """A job in submitit's hands."""

    def __init__(self, job: "submitit.Job[Any]", cluster: str) -> None:
        self._job, self._cluster = job, cluster

    @property
    def description(self) -> str:
        cancel = "scancel" if self._cluster == "slurm" else "kill"
        return f"job {self._job.job_id}, log {self.log}, cancel with: {cancel} {self._job.job_id}"

    @property
    def number(self) -> str:
        return str(self._job.job_id)

    @property
    def log(self) -> Path:
        return Path(self._job.paths.stdout)

    def wait(self) -> None:
        self._job.wait()

    def result(self) -> Any:
        from submitit.core.utils import UncompletedJobError

        first = self._job.task(0)
        try:
            error = first.exception()
        except UncompletedJobError as vanished:
            error = vanished
        if error is not None:
            told = str(error).partition("You can check full logs")[
                0
            ]  # the function's traceback, then submitit's advice
            words = [line.strip() for line in told.splitlines() if line.strip("- \t")] or [repr(error)]
            raise JobError(f"job {self._job.job_id} failed (log {self.log}): {words[-1]}") from error
        return first.result()


@final
class Resumable:
    """A function that submitit may begin again, with its first arguments, where its time was up."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def checkpoint(self, *arguments: Any) -> "submitit.helpers.DelayedSubmission":
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def check_importable(function: Callable[..., Any]) -> None:
    """Refuse what the job could not find by its name: lambdas, inner functions, functions of a script."""
    while isinstance(function, partial):
        function = function.func
    thing: Any = function if hasattr(function, "__qualname__") else type(function)
    path = f"{thing.__module__}.{thing.__qualname__}"
    if thing.__module__ == "__main__" or "<" in thing.__qualname__:
        raise UserError(f"{path} cannot be imported inside a job: move it to the top level of a module")
    importlib.import_module(thing.__module__)


def seconds_of(time: str) -> int:
    """A time as Slurm reads it: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]]."""
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if not dash:
        parts = [0, *parts] if len(parts) == 2 else [0, parts[0], 0] if len(parts) == 1 else parts
    hours, minutes, seconds = (*parts, 0, 0)[:3]
    return int(days or 0) * 86_400 + hours * 3_600 + minutes * 60 + seconds
