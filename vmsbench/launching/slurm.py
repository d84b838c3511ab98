"""Slurm, through submitit."""

import contextlib
import importlib
import io
import logging
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launching.launcher import Job, JobError, Launcher

if TYPE_CHECKING:
    import submitit

NOTICE = 120  # seconds between Slurm's signal and the end of a job's time: enough to save and leave
RESTARTS = 20  # times that a job is begun again after its time was up


@final
class Slurm(Launcher):
    """Submits to Slurm with sbatch and returns at once.

    nodes       the function runs once on every node; the result is the first's
    gpus, cpus  per node. gpus = 0 asks for none, as does a site's own form in `extra`: {"gres": "gpu:a100:2"}
    hours       of the job; a job whose time is up is requeued and begins again with the same arguments
    memory      GB per node; None is the site's default, as for `partition` and `account`
    setup       lines of shell before the function: "module load cuda"
    folder      scripts, logs and pickled results; on a disk that login and compute nodes share
    extra       further settings of sbatch by their long names: {"qos": "long", "constraint": "a100"}
    cluster     "slurm", or "local": the same path in a process of this machine, without Slurm
    """

    def __init__(
        self,
        nodes: int = 1,
        gpus: int = 1,
        cpus: int = 4,
        hours: float = 8,
        memory: float | None = None,
        partition: str | None = None,
        account: str | None = None,
        setup: Sequence[str] = (),
        folder: str | Path = "runs/slurm",
        extra: Mapping[str, Any] | None = None,
        cluster: Literal["slurm", "local"] = "slurm",
    ) -> None:
        if cluster not in ("slurm", "local"):
            raise ConfigurationError(f"launcher.cluster is slurm or local, not {cluster!r}")
        for name, value, least in (("nodes", nodes, 1), ("gpus", gpus, 0), ("cpus", cpus, 1)):
            if value < least:
                raise ConfigurationError(f"launcher.{name} is {value}; it must be at least {least}")
        if hours <= 0:
            raise ConfigurationError(f"launcher.hours is {hours}; it must be more than 0")
        self._cluster, self._folder = cluster, Path(folder).resolve()
        self._parameters: dict[str, Any] = {
            "name": "vmsbench",
            "nodes": nodes,
            "tasks_per_node": 1,
            "cpus_per_task": cpus,
            "timeout_min": math.ceil(hours * 60),
            "stderr_to_stdout": True,
        }
        if gpus:
            self._parameters["gpus_per_node"] = gpus
        if memory is not None:
            self._parameters["mem_gb"] = memory
        if cluster == "slurm":
            own: dict[str, Any] = {"partition": partition, "account": account, "setup": list(setup) or None}
            own |= {"signal_delay_s": NOTICE, "wckey": ""}  # submitit's own key is refused where keys are checked
            own["additional_parameters"] = {"requeue": True, **(extra or {})}
            self._parameters |= {f"slurm_{name}": value for name, value in own.items()}

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        check_importable(function)
        executor = self._executor()
        said = io.StringIO()
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            with contextlib.redirect_stderr(said):  # submitit prints what sbatch said; it is in the error already
                job = executor.submit(Resumable(function), *arguments)
        except (FailedJobError, FailedSubmissionError) as error:
            words = " ".join(line.removeprefix("sbatch: ").strip() for line in str(error).splitlines() if line.strip())
            raise UserError(
                f"sbatch refused the job: {words}  (settings: launcher.partition, account, gpus, memory, hours, extra)"
            ) from error
        except OSError as error:
            raise UserError(f"cannot write to launcher.folder {self._folder}: {error}") from error
        return Submitted(job, self._cluster)

    def _executor(self) -> "submitit.AutoExecutor":
        if self._cluster == "slurm":
            for command in ("sbatch", "srun"):
                if shutil.which(command) is None:
                    raise UserError(f"{command} not found: run this on a cluster's login node, or drop launcher=slurm")
        import submitit

        logging.getLogger("submitit").setLevel(logging.ERROR)  # it warns at every poll where there is no accounting
        limits = {"slurm_max_num_timeout": RESTARTS} if self._cluster == "slurm" else {}
        executor = submitit.AutoExecutor(folder=self._folder, cluster=self._cluster, **limits)
        executor.update_parameters(**self._parameters)
        return executor


@final
class Submitted(Job):
    """A job in submitit's hands."""

    def __init__(self, job: "submitit.Job[Any]", cluster: str) -> None:
        self._job, self._cluster = job, cluster

    @property
    def description(self) -> str:
        cancel = "scancel" if self._cluster == "slurm" else "kill"
        return f"job {self._job.job_id}, log {self._log}, cancel with: {cancel} {self._job.job_id}"

    @property
    def _log(self) -> Path:
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
            raise JobError(f"job {self._job.job_id} failed (log {self._log}): {words[-1]}") from error
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
