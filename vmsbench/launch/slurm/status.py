"""Slurm's view of a job, by squeue and scontrol, then by sacct; what cannot be found out is unknown, never dead."""

import re
from collections.abc import Sequence

from vmsbench.launch.launcher import JobPhase, JobStatus, unknown
from vmsbench.launch.slurm.commands import ask

LIVE = {
    **dict.fromkeys(("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD"), JobPhase.WAITING),
    **dict.fromkeys(("RUNNING", "RESIZING", "SUSPENDED", "STOPPED"), JobPhase.RUNNING),
    "COMPLETING": JobPhase.ENDING,
}
CAUSES = {
    "TIMEOUT": "its time was up",
    "PREEMPTED": "a job of higher priority took its nodes",
    "NODE_FAIL": "one of its nodes failed",
    "OUT_OF_MEMORY": "it took more memory than it had asked for",
    "CANCELLED": "it was cancelled",
    "FAILED": "it ended with an error",
    "BOOT_FAIL": "its node did not boot",
    "DEADLINE": "its deadline passed",
}


def job_status(job: str) -> JobStatus:
    """The status of a job, from the first of Slurm's commands that has it."""
    seen = by_squeue(job)
    if seen is not None and seen.live:
        return seen
    return by_scontrol(job) or by_sacct(job) or seen or unknown(job)


def by_squeue(job: str) -> JobStatus | None:
    """The status by squeue, which knows no exit code."""
    line = answer(ask("squeue", "--noheader", f"--jobs={job}", "--states=all", "--format=%T|%r|%N"), 2)
    state, _, rest = line.partition("|")
    reason, _, nodes = rest.partition("|")
    if state in LIVE:
        return live_status(job, state, reason, nodes, "squeue")
    return ended_status(job, state, "", nodes, "squeue") if state else None


def by_scontrol(job: str) -> JobStatus | None:
    facts = details(job)
    if "JobState" not in facts:
        return None
    state, code = facts["JobState"], facts.get("ExitCode", "")
    reason = facts.get("Reason", "")
    if state in LIVE:
        return live_status(job, state, reason, facts.get("NodeList", ""), "scontrol")
    return ended_status(job, state, code, facts.get("NodeList", "").replace("(null)", ""), "scontrol")


def by_sacct(job: str) -> JobStatus | None:
    said = ask(
        "sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={job}", "--format=State,ExitCode,NodeList"
    )
    line = answer(said, 2)
    if not line:
        return None
    state, code, nodes = line.split("|")
    state = state.split()[0]
    if state in LIVE:
        return live_status(job, state, "", nodes, "sacct")
    return ended_status(job, state, code, nodes, "sacct")


def live_status(job: str, state: str, reason: str, nodes: str, source: str) -> JobStatus:
    return JobStatus(job, LIVE[state], state, reason if reason != "None" else "", nodes, source)


def ended_status(job: str, state: str, code: str, nodes: str, source: str) -> JobStatus:
    phase = JobPhase.COMPLETED if state == "COMPLETED" else JobPhase.FAILED
    return JobStatus(job, phase, *ending(state, code), nodes, source)


def ending(state: str, code: str) -> tuple[str, str]:
    """State and reason of a job that is over. Slurm sometimes reports a job that ran out of memory as FAILED."""
    if state == "FAILED" and code.endswith((":9", ":137")):
        return state, "killed with signal 9, as by a lack of memory"
    cause = CAUSES.get(state, "")
    return state, f"{cause} (exit code {code.partition(':')[0]})" if state == "FAILED" and code else cause


def details(job: str) -> dict[str, str]:
    """The fields of `scontrol show job`; empty where there is no record."""
    said = ask("scontrol", "show", "job", job, "--oneliner") or ""
    line = next((line for line in said.splitlines() if line.startswith("JobId=")), "")
    return dict(re.findall(r"([A-Z][\w/:]*)=(.*?)(?= +[A-Z][\w/:]*=| *$)", line))


def answer(said: str | None, bars: int) -> str:
    """The first line that is a state and so many further fields: a site's own command may print more around it."""
    lines = (line.strip() for line in (said or "").splitlines())
    return next((line for line in lines if re.match(r"[A-Z_]+( by \d+)?\|", line) and line.count("|") >= bars), "")


def down(nodes: Sequence[str]) -> list[str]:
    """Those of the nodes that Slurm has marked as failed, by their own names."""
    if not nodes:
        return []
    said = ask("sinfo", "--noheader", "--Node", f"--nodes={','.join(nodes)}", "--format=%N|%T") or ""
    states = dict(line.split("|") for line in said.split() if "|" in line)
    return [node for node in nodes if re.match(r"down|fail|drain|unk|not_resp|.*\*$", states.get(node, ""))]
