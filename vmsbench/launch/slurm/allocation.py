"""What Slurm gave to the job that this process is a part of: nodes, CPUs, GPUs, and until when."""

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from vmsbench.errors import UserError
from vmsbench.launch.slurm.commands import ask

SCRUBBED = ("SLURM_", "SLURMD_", "SBATCH_", "SRUN_", "PMI", "SALLOC_")
KEPT = ("SLURM_CONF", "SLURM_JOB_ID", "SLURM_JOBID", "SLURM_RESTART_COUNT")


@dataclass(frozen=True)
class Allocation:
    """job       its number
    restarts  how often Slurm began it again
    nodes     their names, the one that the batch script runs on first
    cpus      of this node that the job may use
    gpus      of this node, by the names that CUDA takes: numbers, GPU-... or MIG-...
    """

    job: int
    restarts: int
    nodes: tuple[str, ...]
    cpus: int
    gpus: tuple[str, ...]

    @property
    def others(self) -> tuple[str, ...]:
        return self.nodes[1:]


def allocation() -> Allocation | None:
    """The job that this process is in; None outside of Slurm."""
    job = os.environ.get("SLURM_JOB_ID", "")
    if not job.isdigit():
        return None
    listed = os.environ.get("SLURM_JOB_NODELIST", "")
    said = ask("scontrol", "show", "hostnames", listed) if listed else None
    nodes = said.split() if said else [os.environ.get("SLURMD_NODENAME") or socket.gethostname()]
    here = os.environ.get("SLURMD_NODENAME", nodes[0])
    restarts = int(os.environ.get("SLURM_RESTART_COUNT") or 0)
    ordered = (here, *(node for node in nodes if node != here))
    return Allocation(int(job), restarts, ordered, cpus_here(), gpus_here())


def cpus_here() -> int:
    """What the job may use of this node's CPUs: what Slurm says, and no more than the process is bound to."""
    told = os.environ.get("SLURM_CPUS_ON_NODE") or os.environ.get("SLURM_CPUS_PER_TASK") or ""
    bound = len(os.sched_getaffinity(0))
    if not told.isdigit():
        return bound
    return int(told) if bound == os.cpu_count() else min(int(told), bound)


def gpus_here() -> tuple[str, ...]:
    """The GPUs that the job may use, by their names for CUDA; without these, as many as Slurm says."""
    for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        if name in os.environ:
            return tuple(
                one.strip() for one in os.environ[name].split(",") if one.strip() not in ("", "-1", "NoDevFiles")
            )
    count = os.environ.get("SLURM_GPUS_ON_NODE", "")
    return tuple(map(str, range(int(count)))) if count.isdigit() else ()


def scrubbed(*kept: str) -> dict[str, str]:
    """The environment without what Slurm told this step: it would be taken for options by an srun or sbatch in it."""
    return {
        name: value for name, value in os.environ.items() if name in (*KEPT, *kept) or not name.startswith(SCRUBBED)
    }


def step_on(node: str, gpus: int, cpus: int, command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """Begin a command on another node of the job, as a step. Close its standard input to let it end."""
    srun = ["srun", "--overlap", "--nodes=1", "--ntasks=1", f"--nodelist={node}", f"--cpus-per-task={cpus}", "--mem=0"]
    srun += ["--unbuffered", "--quiet", "--kill-on-bad-exit=0", "--export=ALL"]
    if gpus:
        srun += [f"--gres=gpu:{gpus}"]
    with log.open("a") as said:
        return subprocess.Popen(
            [*srun, *command],
            env=scrubbed(),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def own_address(node: str) -> str:
    """The address under which the cluster's other nodes reach this one."""
    said = ask("scontrol", "show", "node", node, "--oneliner") or ""
    found = re.search(r"NodeAddr=(\S+)", said)
    return socket.gethostbyname(found[1] if found else socket.gethostname())


def own_steps(job: int) -> list[str]:
    """The numbered steps of a job that are still there: JOB.STEP."""
    said = ask("squeue", "--steps", "--noheader", f"--jobs={job}", "--format=%i") or ""
    return [step for step in said.split() if step.partition(".")[2].isdigit()]


def login_node() -> bool:
    """Whether this is a machine from which jobs are submitted, and none of the cluster's own nodes."""
    if "SLURM_JOB_ID" in os.environ or shutil.which("sbatch") is None:
        return False
    said = ask("sinfo", "--noheader", "--Node", "--format=%n %N", patience=5)
    return bool(said) and socket.gethostname().split(".")[0] not in {
        name.split(".")[0] for name in (said or "").split()
    }


def refuse_login_node(told: bool) -> None:
    """Raises UserError on a cluster's login node, where nobody should train, unless somebody said so."""
    if not told and login_node():
        raise UserError(
            "this is a login node of a Slurm cluster: launcher=slurm submits the work; --allow-login-node runs it here"
        )


def python(module: str, *arguments: str) -> list[str]:
    """A command that runs one of our modules by this very Python."""
    return [sys.executable, "-u", "-m", module, *arguments]
