"""Slurm's view of a job: asked of squeue and scontrol, then of sacct; what nobody knows is unknown, never dead."""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.files import append_line, read_lines
from vmsbench.launch.slurm.commands import ask, call
from vmsbench.store.lock import SILENCE

LIVE = (
    "PENDING",
    "CONFIGURING",
    "RUNNING",
    "COMPLETING",
    "SUSPENDED",
    "REQUEUED",
    "REQUEUE_HOLD",
    "RESIZING",
    "STOPPED",
)
CAUSES = {
    "TIMEOUT": "its time was up",
    "PREEMPTED": "a job of higher priority took its nodes",
    "NODE_FAIL": "one of its nodes failed",
    "OUT_OF_MEMORY": "it took more memory than it had asked for",
    "CANCELLED": "somebody cancelled it",
    "FAILED": "it ended with an error",
    "BOOT_FAIL": "its node did not boot",
    "DEADLINE": "its deadline passed",
}
FAILURES = 2  # of a node, after which it is left out


@dataclass(frozen=True)
class JobStatus:
    """state   as Slurm calls it: PENDING, RUNNING, COMPLETED, TIMEOUT, ...; UNKNOWN where nobody can tell
    reason  why it waits or how it ended, for people
    nodes   where it is, or was
    source  who said so: squeue, scontrol, sacct, heartbeat, nobody
    """

    job: str
    state: str
    reason: str = ""
    nodes: str = ""
    source: str = "nobody"

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def over(self) -> bool:
        """Whether it is certain that it will not go on."""
        return not self.live and self.state != "UNKNOWN"

    def __str__(self) -> str:
        where = f" on {self.nodes}" if self.nodes and self.state in ("RUNNING", "COMPLETING") else ""
        told = f": {self.reason}" if self.reason else ""
        return f"job {self.job} {self.state}{where}{told}  ({self.source})"


def job_status(job: str | int, folder: Path | None = None) -> JobStatus:
    """How a job stands. `folder` is that of its sweep, whose heartbeat is asked last."""
    job = str(job)
    return by_squeue(job) or by_scontrol(job) or by_sacct(job) or by_heartbeat(job, folder)


def by_squeue(job: str) -> JobStatus | None:
    line = first_line(ask("squeue", "--noheader", f"--jobs={job}", "--states=all", "--format=%T|%r|%N"))
    state, _, rest = line.partition("|")
    reason, _, nodes = rest.partition("|")
    if state not in LIVE:
        return None
    return JobStatus(job, state, reason if reason != "None" else "", nodes, "squeue")


def by_scontrol(job: str) -> JobStatus | None:
    facts = details(job)
    if "JobState" not in facts:
        return None
    state, code = facts["JobState"], facts.get("ExitCode", "")
    reason = facts.get("Reason", "")
    if state in LIVE:
        return JobStatus(job, state, reason if reason != "None" else "", facts.get("NodeList", ""), "scontrol")
    return JobStatus(job, *ending(state, code), facts.get("NodeList", "").replace("(null)", ""), "scontrol")


def by_sacct(job: str) -> JobStatus | None:
    said = ask(
        "sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={job}", "--format=State,ExitCode,NodeList"
    )
    line = first_line(said)
    if not line or line.count("|") != 2:
        return None
    state, code, nodes = line.split("|")
    state = state.split()[0]
    if state in LIVE:
        return JobStatus(job, state, "", nodes, "sacct")
    return JobStatus(job, *ending(state, code), nodes, "sacct")


def by_heartbeat(job: str, folder: Path | None) -> JobStatus:
    lock = folder / "lock" if folder else None
    if lock is not None and lock.exists():
        silent = time.time() - lock.stat().st_mtime
        if silent < SILENCE:
            return JobStatus(job, "RUNNING", f"its sweep was touched {silent:.0f} s ago", "", "heartbeat")
    return JobStatus(job, "UNKNOWN", "Slurm does not answer, or has forgotten it")


def ending(state: str, code: str) -> tuple[str, str]:
    """State and reason of a job that is over. Slurm calls a job that its own memory guard killed FAILED at times."""
    if state == "FAILED" and code.endswith((":9", ":137")):
        return state, "killed with signal 9, as by a lack of memory"
    told = CAUSES.get(state, "")
    return state, f"{told} (exit code {code.partition(':')[0]})" if state == "FAILED" else told


def details(job: str | int) -> dict[str, str]:
    """What scontrol knows of a job, by its own names; nothing where it is forgotten."""
    said = ask("scontrol", "show", "job", str(job), "--oneliner") or ""
    return dict(re.findall(r"(\S+?)=(\S*)", first_line(said)))


def first_line(said: str | None) -> str:
    return next(iter((said or "").splitlines()), "").strip()


def down(nodes: list[str]) -> list[str]:
    """Those of the nodes that Slurm has given up, by their own names."""
    if not nodes:
        return []
    said = ask("sinfo", "--noheader", "--Node", f"--nodes={','.join(nodes)}", "--format=%N|%T") or ""
    states = dict(line.split("|") for line in said.split() if "|" in line)
    return [node for node in nodes if re.match(r"down|fail|drain|unk|not_resp|.*\*$", states.get(node, ""))]


# What the sweep's own folder knows of its jobs: jobs.jsonl, a line for each that was submitted, began, ended


def note(folder: Path, event: str, **facts: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    append_line(folder / "jobs.jsonl", {"event": event, "time": time.time(), **facts})


def notes(folder: Path) -> list[dict[str, Any]]:
    return list(read_lines(folder / "jobs.jsonl"))


def jobs_of(folder: Path) -> list[str]:
    """The numbers of the sweep's jobs, as they were submitted or began."""
    return list(dict.fromkeys(str(line["job"]) for line in notes(folder) if "job" in line))


def leading_jobs(folder: Path) -> list[str]:
    """The sweep's jobs but for those that only lend their nodes to another."""
    lending = {str(line["job"]) for line in notes(folder) if "driver" in line}
    return [job for job in jobs_of(folder) if job not in lending]


def job_statuses(folder: Path) -> list[JobStatus]:
    """How the jobs of a sweep stand that may matter: those that are not over, else the last that led it."""
    ended = {str(line["job"]) for line in notes(folder) if line["event"] == "ended" and line["final"]}
    asked = {job: job_status(job, folder) for job in jobs_of(folder) if job not in ended}
    going = [one for one in asked.values() if not one.over]
    return going or [asked.get(job) or job_status(job, folder) for job in leading_jobs(folder)[-1:]]


def failing_nodes(folder: Path) -> list[str]:
    """The nodes that failed under the sweep's jobs twice: the next submission leaves them out."""
    failed = [line["node"] for line in notes(folder) if line["event"] == "node failed"]
    return sorted({node for node in failed if failed.count(node) >= FAILURES})


def cancel(folder: Path, jobs: list[str] | None = None) -> list[str]:
    """Cancel jobs of a sweep (all that are not over, unless told); returns their numbers. They save before they leave.

    Raises Refused with Slurm's words.
    """
    live = jobs if jobs is not None else [job for job in jobs_of(folder) if not job_status(job, folder).over]
    if live:
        call("scancel", *live)
        note(folder, "cancelled", jobs=live)
    return live
