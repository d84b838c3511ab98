"""Slurm: jobs through submitit, and Slurm's own commands for status, logs and cancelling."""

import logging
import os
import shlex
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, final

from vmsbench.errors import UserError
from vmsbench.launch.allocation import Allocation
from vmsbench.launch.container.binds import refuse_unbindable
from vmsbench.launch.container.runtime import checked_container
from vmsbench.launch.environment import BINDS, CONTAINER, IDLE, LAUNCHER, MOST_MEMORY, MOST_TIME, NOTICE, RUNTIME
from vmsbench.launch.launcher import (
    AS_SET,
    POLL,
    ClusterHealth,
    JobRequest,
    JobResources,
    JobStatus,
    Launcher,
    NoAnswer,
    Refused,
    Survey,
    Unsupported,
)
from vmsbench.launch.pickled import check_importable
from vmsbench.launch.slurm.allocation import allocation, for_another_job, on_login_node, scrubbed, step
from vmsbench.launch.slurm.commands import call
from vmsbench.launch.slurm.continuation import grown
from vmsbench.launch.slurm.driver_placement import misplaced
from vmsbench.launch.slurm.flags import (
    GPU_FLAGS,
    check,
    checked_line,
    exceeds,
    fixed_by,
    memory_flags,
    seconds_of,
    site_flags,
    size_flags,
)
from vmsbench.launch.slurm.health import health
from vmsbench.launch.slurm.local_process import cancel_process, process_status
from vmsbench.launch.slurm.refusals import refusal
from vmsbench.launch.slurm.site.inventory import cluster_name
from vmsbench.launch.slurm.site.survey import survey
from vmsbench.launch.slurm.status import details, job_of_script, job_status, job_statuses
from vmsbench.launch.slurm.submitted import Resumable, SubmittedJob
from vmsbench.versions import PUBLIC


@final
class SlurmLauncher(Launcher):
    """Submits to Slurm with sbatch and returns at once. The function runs once, on the first of the job's nodes.

    shape       of a sweep: allocation, one job of `nodes` nodes; elastic, a small job that drives and `nodes` jobs of
                one node each that come and go
    nodes       of the job
    gpus, cpus  per node
    time        of the job: minutes, hours:minutes:seconds or days-hours
    memory      GB per node; None is the site's default, as for `partition` and `account`
    most_time   what the job after one that was killed for want of time may ask for; None: no more than `time`
    most_memory likewise of memory, in GB per node
    gpu_form    how the site asks for GPUs: gpus-per-node, gres, gpus, or none where a node comes with all it has
    gpu_type    such as a100, where the site wants one named
    memory_form mem, mem-per-cpu, or none where memory is not asked for
    idle        seconds without a trial or a driver after which a worker of an elastic sweep leaves, to be submitted
                again where trials wait; None: workers stay until the sweep is over
    notice      seconds before the end of its time at which Slurm signals the job
    requeue     whether Slurm may requeue the job; where not, it submits its own continuation
    setup       lines of shell before the function: "module load cuda"; the job ends where one fails
    container   image that what trains runs in: a file (.sif, .sqsh) or a name; None: no container
    runtime     of the container: apptainer, enroot or podman; nothing without an image
    binds       further paths that the container gets; those of the configuration are found
    folder      scripts, logs and pickled results; on a disk that login and compute nodes share
    extra       further settings of sbatch by their long names: {"qos": "long", "constraint": "a100"}
    forbidden   flags, by their long names, that the site's sbatch does not take
    exclude     nodes to leave out
    poll        seconds between two questions to Slurm while somebody waits
    name        of the job
    cluster     "slurm", or "local": the same path in a process of this machine, without Slurm
    """

    variables: ClassVar[Mapping[str, str]] = {
        "account": "SBATCH_ACCOUNT",
        "partition": "SBATCH_PARTITION",
        "time": "SBATCH_TIMELIMIT",
    }

    def __init__(
        self,
        shape: str = "allocation",
        nodes: int = 1,
        gpus: int = 1,
        cpus: int = 4,
        time: str | int = "08:00:00",
        memory: float | None = None,
        most_time: str | int | None = None,
        most_memory: float | None = None,
        partition: str | None = None,
        account: str | None = None,
        gpu_form: str = "gpus-per-node",
        gpu_type: str | None = None,
        memory_form: str = "mem",
        idle: float | None = None,
        notice: int = 120,
        requeue: bool = True,
        setup: Sequence[str] = (),
        container: str | None = None,
        runtime: str | None = None,
        binds: Sequence[str] = (),
        folder: str | Path = "runs/slurm",
        extra: Mapping[str, Any] | None = None,
        forbidden: Sequence[str] = (),
        exclude: Sequence[str] = (),
        poll: float = POLL,
        name: str = "vmsbench",
        cluster: Literal["slurm", "local"] = "slurm",
    ) -> None:
        check({key: value for key, value in locals().items() if key != "self"})
        self.poll, self.elastic = poll, shape == "elastic"
        self._local, self._folder = cluster == "local", Path(folder).resolve()
        self._forbidden, self._name = list(forbidden), name
        self._resources = JobResources(nodes, cpus, gpus, str(time), (seconds_of(str(time)) - notice) / 3600, memory)
        self._gpu_form, self._gpu_type, self._memory_form = gpu_form, gpu_type, memory_form
        self._extra = dict(extra or {})
        self._site = site_flags(
            time=time, partition=partition, account=account, exclude=exclude, requeue=requeue, notice=notice
        )
        self._most_time, self._most_memory = most_time, most_memory
        most = {MOST_TIME: most_time, MOST_MEMORY: most_memory, IDLE: idle}
        self._environment = {NOTICE: str(notice), LAUNCHER: PUBLIC["Slurm launcher"]}
        self._environment |= {name: str(value) for name, value in most.items() if value is not None}
        if found := checked_container(container, runtime):
            self._environment |= {CONTAINER: found.image, RUNTIME: found.runtime}
            refuse_unbindable(*binds)
            self._environment |= {BINDS: os.pathsep.join(binds)} if binds else {}
        self._setup = [checked_line(line) for line in map(str, setup)]

    @property
    def resources(self) -> JobResources:
        return self._resources

    def submit(self, function: Callable[..., Any], *arguments: Any, request: JobRequest = AS_SET) -> SubmittedJob:
        check_importable(function)
        return self._submitted(self._executor(request), function, arguments)

    def _submitted(self, executor: Any, function: Callable[..., Any], arguments: Sequence[Any]) -> SubmittedJob:
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            job = executor.submit(Resumable(function), *arguments)
        except (Refused, FailedJobError, FailedSubmissionError) as error:
            executor.clean()
            refused = refusal(error)
            if isinstance(refused, NoAnswer):
                refused.heard = partial(self._heard, executor, function, arguments)
            raise refused from error
        except OSError as error:
            raise UserError(f"cannot write to launcher.folder {self._folder}: {error}") from error
        return SubmittedJob(job, "kill" if self._local else "scancel")

    def _heard(self, executor: Any, function: Callable[..., Any], arguments: Sequence[Any]) -> SubmittedJob | None:
        """The job of an sbatch that got no answer, with the files that it looks for; None where Slurm has none."""
        executor.heard = job_of_script(executor.sent)
        return self._submitted(executor, function, arguments) if executor.heard else None

    def script(self, command: Sequence[str] | None = None) -> str:
        if self._local:
            return f"#!/bin/bash\n{shlex.join(command or ['true'])}\n"
        return str(self._executor(AS_SET).text(shlex.join(command) if command else None))

    def check(self) -> str:
        if self._local:
            return "launcher.cluster=local runs it in a process of this machine"
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
            file.write(self.script(["true"]))
            file.flush()
            try:
                return call("sbatch", "--test-only", file.name, environment=for_another_job(), loud=True)
            except Refused as error:
                raise refusal(error) from error

    def status(self, job: str) -> JobStatus:
        return process_status(self._folder, job) if self._local else job_status(job)

    def statuses(self, *jobs: str) -> list[JobStatus]:
        return [process_status(self._folder, job) for job in jobs] if self._local else job_statuses(jobs)

    def more(self, ended: JobStatus, asked: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {**kept, **grown(ended.lacked, asked, self._most_time, self._most_memory)}
        own = {"time": self._resources.time, "memory": self._resources.memory}
        fixed = fixed_by(self._extra, self._memory_form)
        return {name: value for name, value in wanted.items() if name not in fixed and exceeds(name, value, own[name])}

    def cancel(self, *jobs: str) -> None:
        if self._local:
            for job in jobs:
                cancel_process(self._folder, job)
        elif jobs:
            call("scancel", *jobs)

    def logs(self, job: str) -> Path | None:
        log = self._folder / f"{job}_0_log.out"
        if self._local or log.exists():
            return log if log.exists() else None
        named = details(job).get("StdOut")
        return Path(named) if named else None

    def requeue(self, job: str) -> None:
        self._needs_slurm("requeued")
        call("scontrol", "requeue", job)

    def interrupt(self, job: str) -> None:
        self._needs_slurm("signalled")
        call("scancel", "--batch", "--signal=USR1", job)

    def run_inside(self, job: str, node: str, command: Sequence[str]) -> None:
        self._needs_slurm("entered")
        call(*step(node, job), *command, environment=scrubbed())

    @classmethod
    def allocation(cls) -> Allocation | None:
        return allocation(PUBLIC["Slurm launcher"])

    @classmethod
    def on_login_node(cls) -> bool:
        return on_login_node()

    @classmethod
    def health(cls) -> ClusterHealth | None:
        return health(cls.allocation())

    @classmethod
    def cluster_name(cls) -> str | None:
        return cluster_name()

    @classmethod
    def survey(cls, known: Mapping[str, Any], profile: Mapping[str, Any]) -> Survey:
        return survey(cls, known, profile)

    @classmethod
    def misplaced(cls) -> str | None:
        return misplaced()

    def _needs_slurm(self, what: str) -> None:
        if self._local:
            raise Unsupported(f"a job of launcher.cluster=local cannot be {what}")

    def _flags(self, request: JobRequest) -> dict[str, Any]:
        """sbatch's flags by their long names; `extra` wins, except over what this one request asks for."""
        size = request.size(self._resources)
        flags = size_flags(size, self._gpu_form, self._gpu_type)
        flags |= memory_flags(self._resources, self._memory_form) | self._site
        flags |= {name: value for name, value in self._extra.items() if request.gpus != 0 or name not in GPU_FLAGS}
        if request.after is not None:
            flags["dependency"] = f"after:{request.after}"
        return {name: value for name, value in flags.items() if value is not None}

    def _executor(self, request: JobRequest) -> Any:
        import submitit

        logging.getLogger("submitit").setLevel(logging.ERROR)  # it warns at every poll without accounting
        if self._local:
            local = submitit.AutoExecutor(folder=self._folder, cluster="local")
            local.update_parameters(timeout_min=60, stderr_to_stdout=True)
            return local
        for command in ("sbatch", "srun"):
            if shutil.which(command) is None:
                raise UserError(f"{command} not found: run this on a cluster's login node, or leave out launcher=slurm")
        from vmsbench.launch.slurm.submission import Executor

        self._make_folder()
        executor = Executor(self._folder, self._forbidden)
        exported = {**self._environment, **request.environment}
        executor.update_parameters(
            job_name=self._name,
            stderr_to_stdout=True,
            use_srun=False,
            setup=[*(f"export {name}={shlex.quote(value)}" for name, value in exported.items()), *self._setup],
            additional_parameters=self._flags(request),
        )
        return executor

    def _make_folder(self) -> None:
        """A folder whose files jobs load as code: nobody else may write into it. Raises UserError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._folder.stat().st_mode & stat.S_IWOTH:
                raise UserError(
                    f"everybody can write to launcher.folder {self._folder}, and a job runs what lies there: "
                    f"`chmod o-w {shlex.quote(str(self._folder))}`, or choose another one"
                )
            tempfile.TemporaryFile(dir=self._folder).close()
        except OSError as error:
            raise UserError(f"cannot write to launcher.folder {self._folder}: {error.strerror}") from error
