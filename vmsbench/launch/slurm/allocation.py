"""The allocation of the Slurm job that this process is in, from its environment and from scontrol."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from vmsbench import accelerators
from vmsbench.launch.allocation import Allocation, bound_cpus
from vmsbench.launch.environment import ADDRESS, MOST_TIME, SUPERVISED, UNTIL, most_memory
from vmsbench.launch.launcher import NoAnswer
from vmsbench.launch.slurm.commands import EARLY, ask, call, submitted_number
from vmsbench.launch.slurm.continuation import (
    asked_for,
    batch_arguments,
    beside_script,
    continuation_flags,
    grown,
    larger_facts,
    with_partitions,
    without_shown,
)
from vmsbench.launch.slurm.flags import checked_time, seconds_of
from vmsbench.launch.slurm.node_shares import node_names, node_shares
from vmsbench.launch.slurm.status import details, down, job_of_script
from vmsbench.processes import await_descendants, end_descendants

SCRUBBED = ("SLURM_", "SLURMD_", "SBATCH_", "SRUN_", "PMI", "SALLOC_")
KEPT = (
    *("SLURM_CONF", "SLURM_JOB_ID", "SLURM_JOBID", "SLURM_RESTART_COUNT"),
    *("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"),
)

OF_ONE_JOB = (
    *("SLURM_RESTART_COUNT", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"),
    *(UNTIL, ADDRESS, SUPERVISED),
)
"""What Slurm has set for this job, and its supervisor for the command, and no other job must inherit: Slurm replaces
the first only where the other has them too."""


@final
@dataclass(frozen=True)
class SlurmAllocation(Allocation):
    """One job of Slurm.

    facts  the fields of `scontrol show job`
    gres   whether Slurm knows of the GPUs, so that a step asks for them
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    gres: bool = True

    @property
    def address(self) -> str:
        return socket.gethostbyname(of_node(self.nodes[0], "NodeAddr") or socket.gethostname())

    def address_of(self, node: str) -> str:
        return of_node(node, "NodeAddr") or node

    def start_step(
        self, node: str, command: Sequence[str], *, cpus: int, gpus: int, log: Path
    ) -> "subprocess.Popen[bytes]":
        srun = [*step(node), f"--cpus-per-task={cpus}", "--unbuffered", "--kill-on-bad-exit=0", "--export=ALL"]
        if gpus and self.gres:
            srun += [f"--gres=gpu:{gpus}"]
        with log.open("a") as output:
            return subprocess.Popen(
                [*srun, *command],
                env=scrubbed(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def end_steps(self, patience: float) -> None:
        await_descendants("srun", patience)
        end_descendants()
        for one in own_steps(self.job) if self.other_nodes else []:
            ask("scancel", "--signal=KILL", one)

    def lost(self, nodes: Sequence[str]) -> list[str]:
        return down(nodes)

    def informed(self) -> "SlurmAllocation":
        return self if self.facts else with_facts(self, details(self.job))

    def check_limits(self) -> None:
        most_memory(), most_time()

    def larger(self, cause: str) -> Mapping[str, Any]:
        asked = asked_for(self.facts)
        return {} if asked.get(cause) is None else grown(cause, asked, most_time(), most_memory())

    def submit_again(
        self, command: Sequence[str], folder: Path, exclude: Sequence[str], more: Mapping[str, Any] | None = None
    ) -> str:
        """A task of an array continues as an array of this task alone, whose script reads its number. The log is the
        first job's, and goes on in it."""
        if not self.facts:
            raise NoAnswer(f"Slurm does not say what job {self.job} asked for")
        script = folder.resolve() / "slurm-script.sh"
        if waiting := job_of_script(script, after=self.job):
            return waiting
        call("scontrol", "write", "batch_script", self.job, str(script))
        written = script.read_text()
        script.write_text(without_shown(written))
        facts = with_partitions(larger_facts(self.facts, more or {}), written)
        flags = [*beside_script(continuation_flags(facts, self.job, exclude), written), "--open-mode=append"]
        words = [str(script), *batch_arguments(self.facts, command)]
        answer = call("sbatch", "--parsable", "--no-requeue", *flags, *words, environment=for_another_job())
        return submitted_number(answer) + self.job.removeprefix(self.job.partition("_")[0])


def with_facts(given: SlurmAllocation, facts: Mapping[str, str]) -> SlurmAllocation:
    """The allocation, with what `scontrol show job` says of it."""
    return replace(
        given,
        deadline=end_of_job(facts),
        requeues=facts.get("Requeue") != "0",
        log=facts.get("StdOut"),
        facts=facts,
    )


def most_time() -> str | None:
    """What a continuation may ask for; None where it may not ask for more. Raises ConfigurationError."""
    given = os.environ.get(MOST_TIME, "").strip()
    return checked_time(MOST_TIME, given) if given else None


def allocation(launcher: str) -> SlurmAllocation | None:
    """The job that this process is in; None outside of Slurm. `launcher` is the full path of the launcher's class."""
    if not os.environ.get("SLURM_JOB_ID", "").isdigit():
        return None
    (job, facts), nodes = job_here(), nodes_here()
    gpus = gpus_here()
    loose = loose_gpus(nodes[0]) if gpus is None else ()
    shares = node_shares(job) if len(nodes) > 1 else {}
    given = SlurmAllocation(
        job,
        restarts=int(os.environ.get("SLURM_RESTART_COUNT") or 0),
        nodes=nodes,
        cpus=cpus_here(),
        gpus=loose if gpus is None else gpus,
        settings={"_target_": launcher},
        early=EARLY,
        shares={node: (cpus, len(loose)) for node, (cpus, _) in shares.items()} if loose else shares,
        gres=not loose,
    )
    return with_facts(given, facts)


def job_here() -> tuple[str, dict[str, str]]:
    """The job's number, and what `scontrol show job` says of it. The number is ARRAY_TASK for a task of an array, as
    that of its last task is that of all.

    A job that was submitted by a task may have inherited the task's variables: they are believed where Slurm says the
    same of this job, or does not say.
    """
    own, array, task = (os.environ.get(f"SLURM_{name}", "") for name in ("JOB_ID", "ARRAY_JOB_ID", "ARRAY_TASK_ID"))
    if not (array and task):
        return own, details(own)
    if array == own:
        return f"{array}_{task}", details(f"{array}_{task}")
    facts = details(own)
    agree = not facts or (facts.get("ArrayJobId"), facts.get("ArrayTaskId")) == (array, task)
    return f"{array}_{task}" if agree else own, facts


def nodes_here() -> tuple[str, ...]:
    """The nodes of the job by their names, this one first."""
    listed = os.environ.get("SLURM_JOB_NODELIST", "")
    nodes = node_names(listed) or [os.environ.get("SLURMD_NODENAME") or socket.gethostname()]
    here = os.environ.get("SLURMD_NODENAME", nodes[0])
    return (here, *(node for node in nodes if node != here))


def end_of_job(facts: Mapping[str, str]) -> float | None:
    """When its time is up; where Slurm does not answer, as the environment has it since Slurm 22.05.

    An end that has passed is that of the run before: Slurm may still report it when a requeued job starts. Where it has
    no other, the job's time counts from now on.
    """
    found = []
    with contextlib.suppress(ValueError):
        found.append(time.mktime(time.strptime(facts.get("EndTime", ""), "%Y-%m-%dT%H:%M:%S")))
    with contextlib.suppress(ValueError):
        found.append(float(os.environ.get("SLURM_JOB_END_TIME", "")))
    if found and max(found) <= time.time():
        with contextlib.suppress(ValueError):
            found.append(time.time() + seconds_of(facts.get("TimeLimit", "")))
    return next((end for end in found if end > time.time()), None)


def cpus_here() -> int:
    """The CPUs of this node that the job may use: by Slurm, and at most those that the process is bound to."""
    granted = os.environ.get("SLURM_CPUS_ON_NODE") or os.environ.get("SLURM_CPUS_PER_TASK") or ""
    bound = bound_cpus()
    if not granted.isdigit():
        return bound
    return int(granted) if bound == os.cpu_count() else min(int(granted), bound)


def gpus_here() -> tuple[str, ...] | None:
    """The GPUs that the job may use, by the names that their maker takes; without names, as many as Slurm allocated;
    None where it says nothing of GPUs."""
    named = accelerators.visible()
    if named is not None:
        return named
    count = os.environ.get("SLURM_GPUS_ON_NODE", "")
    return tuple(map(str, range(int(count)))) if count.isdigit() else None


def loose_gpus(node: str) -> tuple[str, ...]:
    """The GPUs of a node that are no GRES (launcher.gpu_form=none): a job has all of them."""
    if not accelerators.driver_loaded():
        return ()
    gres = of_node(node, "Gres")
    return () if gres is None or "gpu" in gres else tuple(map(str, range(accelerators.counted())))


def of_node(node: str, name: str) -> str | None:
    """A field of `scontrol show node`; None where Slurm does not say."""
    found = re.search(rf"\b{name}=(\S+)", ask("scontrol", "show", "node", node, "--oneliner") or "")
    return found[1] if found else None


def scrubbed() -> dict[str, str]:
    """The environment without this step's Slurm variables: srun and sbatch would read them as options."""
    return {name: value for name, value in os.environ.items() if name in KEPT or not name.startswith(SCRUBBED)}


def for_another_job() -> dict[str, str]:
    """The environment for sbatch: what is submitted from inside a job inherits nothing that is of this job alone."""
    return {name: value for name, value in scrubbed().items() if name not in OF_ONE_JOB}


def step(node: str, job: str | None = None) -> list[str]:
    """srun for one process on a node, of this job or of another."""
    which = [f"--jobid={job}"] if job else []
    return ["srun", *which, "--overlap", "--nodes=1", "--ntasks=1", f"--nodelist={node}", "--mem=0", "--quiet"]


def own_steps(job: str) -> list[str]:
    """The numbered steps of a job that still run: JOB.STEP."""
    answer = ask("squeue", "--steps", "--noheader", f"--jobs={job}", "--format=%i") or ""
    own = {re.escape(one) for one in (job, os.environ.get("SLURM_JOB_ID")) if one}
    return [line.strip() for line in answer.splitlines() if re.fullmatch(rf"({'|'.join(own)})\.\d+", line.strip())]


def on_login_node() -> bool:
    """Whether this is a machine from which jobs are submitted, and none of the cluster's own nodes."""
    if "SLURM_JOB_ID" in os.environ or shutil.which("sbatch") is None:
        return False
    answer = ask("sinfo", "--noheader", "--Node", "--format=%n|%N", patience=5) or ""
    lines = (line.strip() for line in answer.splitlines())
    nodes = {
        name.split(".")[0] for line in lines if re.fullmatch(r"[^\s|]+\|[^\s|]+", line) for name in line.split("|")
    }
    return bool(nodes) and socket.gethostname().split(".")[0] not in nodes
