"""Whether this process of a Slurm job may drive a sweep; where not, why, and the command that works."""

import os
import re
import shlex
import socket
import sys

from vmsbench.launch.slurm.node_shares import node_names


def misplaced() -> str | None:
    """The reason in one line; None where this process may drive a sweep."""
    return part_of_several() or further_task() or outside_of_its_nodes()


def part_of_several() -> str | None:
    """Of a heterogeneous job the nodes, the requeue and the continuation are of one component each."""
    if not os.environ.get("SLURM_HET_SIZE") or sys.argv[1:2] == ["train"]:
        return None
    return (
        "this is a heterogeneous job (`sbatch A : B`), and a sweep has one kind of node: submit A alone, or on several "
        "kinds of nodes an elastic sweep (launcher.shape=elastic), whose workers `sbatch slurm/worker.sh` adds"
    )


def further_task() -> str | None:
    """Of a step of several tasks the first drives alone: two drivers would train the same trials."""
    task, tasks = os.environ.get("SLURM_PROCID", "0"), os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if not os.environ.get("SLURM_STEP_ID", "").isdigit() or task == "0":
        return None
    return (
        f"this is task {task} of the {tasks} of an srun step, and one process drives a sweep: start it without srun, "
        f"it joins the nodes itself: `vmsbench {shlex.join(command())}`"
    )


def command() -> list[str]:
    """The command line of this process, supervised where a job should be."""
    given = sys.argv[1:]
    return given if given[:1] in (["job"], ["work"], ["train"]) else ["job", *given]


def outside_of_its_nodes() -> str | None:
    """In the shell of salloc, which is still on the login node: a step takes the command to the job's nodes."""
    listed, job = os.environ.get("SLURM_JOB_NODELIST"), os.environ.get("SLURM_JOB_ID")
    if not job or not listed or "SLURMD_NODENAME" in os.environ or "SLURM_STEP_ID" in os.environ:
        return None
    nodes = node_names(listed)
    here = socket.gethostname()
    if here in nodes or here.split(".")[0] in [node.split(".")[0] for node in nodes]:
        return None
    cpus = re.match(r"\d+", os.environ.get("SLURM_JOB_CPUS_PER_NODE", ""))
    step = ["srun", f"--jobid={job}", "--overlap", "--nodes=1", "--ntasks=1"]
    step += [f"--cpus-per-task={cpus[0]}"] if cpus else []
    return (
        f"{here} is not a node of job {job} ({listed}); this starts it there, and it joins the other nodes itself: "
        f"`{shlex.join([*step, 'vmsbench', *sys.argv[1:]])}`"
    )
