"""A Slurm cluster, through submitit: one job on one node, submitted from a login node."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launching.launcher import Job, Launcher


class Submitted(Job):
    """A job in somebody's queue."""

    def __init__(self, job: Any, logs: Path) -> None:
        self.job, self.logs = job, logs

    @property
    def description(self) -> str:
        identity = self.job.job_id
        return (
            f"submitted as job {identity}\n"
            f"  its log:   tail -f {self.logs / f'{identity}_0_log.out'}\n"
            f"  its state: squeue -j {identity}\n"
            f"  to stop:   scancel {identity}"
        )

    def result(self) -> Any:
        return self.job.result()


class Slurm(Launcher):
    """Submits each function as a job of one node.

    gpus, cpus, hours    what the job asks for
    memory               in GB; None: what the cluster gives
    partition, account   None: the cluster's own
    setup                lines of shell to run first, such as `module load cuda`
    extra                further sbatch settings, such as {"qos": "long"}
    logs                 the folder of the jobs' logs
    cluster              "slurm"; "local" runs the job as a process on this machine
    """

    def __init__(
        self,
        gpus: int = 1,
        cpus: int = 8,
        hours: float = 8.0,
        memory: int | None = None,
        partition: str | None = None,
        account: str | None = None,
        setup: Sequence[str] = (),
        extra: dict[str, Any] | None = None,
        logs: str = "slurm-logs",
        cluster: str = "slurm",
    ) -> None:
        if hours <= 0:
            raise ConfigurationError(f"launcher.hours={hours}: a job needs time; 8 is the default")
        self.logs, self.cluster = Path(logs).resolve(), cluster
        self.common: dict[str, Any] = {"timeout_min": max(1, round(60 * hours)), "cpus_per_task": cpus}
        self.common |= {"gpus_per_node": gpus} if gpus else {}
        self.common |= {"mem_gb": memory} if memory else {}
        choices: dict[str, Any] = {"partition": partition, "account": account, "setup": list(setup) or None}
        self.slurm: dict[str, Any] = {f"slurm_{name}": value for name, value in choices.items() if value is not None}
        self.slurm |= {"slurm_additional_parameters": {"requeue": True, **(extra or {})}}

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        for command in ("sbatch", "srun") if self.cluster == "slurm" else ():
            if shutil.which(command) is None:
                raise UserError(f"{command} is not found: run this on a cluster's login node, or drop launcher=slurm")
        import submitit

        executor = submitit.AutoExecutor(folder=self.logs, cluster=self.cluster)
        executor.update_parameters(name="vmsbench", nodes=1, tasks_per_node=1, **self.common, **self.slurm)
        try:
            return Submitted(executor.submit(function, *arguments), self.logs)
        except submitit.core.utils.FailedJobError as error:
            lines = str(error).splitlines()
            said = next((line for line in lines if "error:" in line.lower()), lines[0])
            raise UserError(f"Slurm did not take the job: {said.strip()}  (change it by launcher.*)") from error
