"""Slurm's view of a job, by squeue and scontrol, then by sacct; what cannot be found out is unknown, never dead."""

import re
from collections.abc import Sequence
from pathlib import Path

from vmsbench.launch.launcher import JobPhase, JobStatus, NoAnswer, NotHere, Refused, unknown
from vmsbench.launch.slurm.commands import ask, call
from vmsbench.processes import user_name

WAITING = (
    *("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"),
    *("POWER_UP_NODE", "EXPEDITING"),
)
PHASES = {
    **dict.fromkeys(WAITING, JobPhase.WAITING),
    **dict.fromkeys(("RUNNING", "RESIZING", "SUSPENDED", "STOPPED", "SIGNALING"), JobPhase.RUNNING),
    **dict.fromkeys(("COMPLETING", "STAGE_OUT"), JobPhase.ENDING),
    "COMPLETED": JobPhase.COMPLETED,
    **dict.fromkeys(("BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL"), JobPhase.FAILED),
    **dict.fromkeys(("OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"), JobPhase.FAILED),
}
"""Slurm's states. One that is not here is unknown, as LAUNCH_FAILED, REVOKED (another cluster of a federation has the
job), and those of later versions."""
OVER = (JobPhase.COMPLETED, JobPhase.FAILED)
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
LACKED = {"TIMEOUT": "time", "OUT_OF_MEMORY": "memory"}
"""What a job had too little of, by the state in which it ended."""


CODELESS = ("squeue", "FAILED")
"""Where a status is from that lacks the exit code, which tells how a job failed."""


def job_status(job: str) -> JobStatus:
    """The status of a job, from the first of Slurm's commands that has it."""
    (seen,) = job_statuses([job])
    return seen if seen.live else by_scontrol(job) or seen


def job_statuses(jobs: Sequence[str]) -> list[JobStatus]:
    """The status of each job, by one question to squeue, one to sacct for those that squeue no longer has, and one to
    scontrol for each that failed a moment ago.

    `silent` where neither has the job and squeue gave no answer: without accounting sacct never does.
    """
    asked = ",".join(jobs)
    form = "--format=%i|%T|%r|%N"
    seen, silent = lines_of(jobs, 3, "squeue", "--noheader", "--array", f"--jobs={asked}", "--states=all", form)
    found = {job: status_of(job, state, "", reason, nodes, "squeue") for job, (state, reason, nodes) in seen.items()}
    left = [job for job in jobs if job not in found]
    if left:
        fields = "--format=JobID,State,ExitCode,NodeList"
        kept, _ = lines_of(
            left, 3, "sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={','.join(left)}", fields
        )
        for job, (state, code, nodes) in kept.items():
            found[job] = status_of(job, state.split()[0], code, "", nodes, "sacct")
    found |= {job: by_scontrol(job) or one for job, one in found.items() if (one.source, one.state) == CODELESS}
    return [found.get(job) or unknown(job, silent=silent) for job in jobs]


def lines_of(jobs: Sequence[str], fields: int, *command: str) -> tuple[dict[str, list[str]], bool]:
    """The fields of each job that a command shows as `JOB|STATE|...`, and whether it gave no answer at all. A site's
    own command may print more around the lines."""
    try:
        said, silent = call(*command, pauses=()), False
    except Refused as error:
        said, silent = "", isinstance(error, NoAnswer | NotHere)
    lines = (line.strip().split("|") for line in said.splitlines())
    right = (line for line in lines if len(line) == fields + 1 and re.fullmatch(r"[A-Z_]+( by \d+)?", line[1]))
    found: dict[str, list[str]] = {}
    for one, *rest in right:
        found.setdefault(one if one in jobs else re.split(r"[_+]", one)[0], rest)  # a whole array by its first task
    return found, silent


def by_scontrol(job: str) -> JobStatus | None:
    """The status by scontrol, which knows a job's exit code."""
    facts = details(job)
    if "JobState" not in facts:
        return None
    nodes = facts.get("NodeList", "").replace("(null)", "")
    return status_of(job, facts["JobState"], facts.get("ExitCode", ""), facts.get("Reason", ""), nodes, "scontrol")


def status_of(job: str, state: str, code: str, reason: str, nodes: str, source: str) -> JobStatus:
    phase = PHASES.get(state, JobPhase.UNKNOWN)
    if phase in OVER:
        lacked = "memory" if killed(state, code) else LACKED.get(state, "")
        return JobStatus(job, phase, state, ending(state, code), nodes, source, lacked=lacked)
    return JobStatus(job, phase, state, reason if reason != "None" else "", nodes, source)


def killed(state: str, code: str) -> bool:
    """Whether a job was killed with signal 9: Slurm sometimes reports so of a job that ran out of memory."""
    return state == "FAILED" and code.endswith((":9", ":137"))


def ending(state: str, code: str) -> str:
    """How a job ended that is over."""
    if killed(state, code):
        return "killed with signal 9, as by a lack of memory"
    cause = CAUSES.get(state, "")
    return f"{cause} (exit code {code.partition(':')[0]})" if state == "FAILED" and code else cause


def details(job: str) -> dict[str, str]:
    """The fields of `scontrol show job`; empty where there is no record."""
    said = ask("scontrol", "show", "job", job, "--oneliner") or ""
    line = next((line for line in said.splitlines() if line.startswith("JobId=")), "")
    return dict(re.findall(r"([A-Z][\w/:]*)=(.*?)(?= +[A-Z][\w/:]*=| *$)", line))


def job_of_script(script: Path, after: str | None = None) -> str | None:
    """The job of a batch script that waits or runs, where an sbatch that got no answer was heard all the same; with
    `after`, one that waits for the end of that job. Raises NoAnswer where Slurm does not say."""
    try:
        said = call("squeue", "--noheader", "--array", f"--user={user_name()}", "--format=%i|%E|%o", pauses=())
    except NoAnswer:
        raise
    except Refused:
        return None
    waits = rf"[^|]*afterany:{after}\b[^|]*" if after else "[^|]*"
    found = re.search(rf"^([\d_]+)\|{waits}\|{re.escape(str(script))}(?: .*)?$", said, re.MULTILINE)
    return found[1] if found else None


def down(nodes: Sequence[str]) -> list[str]:
    """Those of the nodes that Slurm has marked as failed, by their own names."""
    if not nodes:
        return []
    said = ask("sinfo", "--noheader", "--Node", f"--nodes={','.join(nodes)}", "--format=%N|%T") or ""
    states = dict(re.findall(r"^([^\s|]+)\|([^\s|]+)$", said, re.MULTILINE))
    return [node for node in nodes if re.match(r"down|fail|drain|unk|not_resp|.*\*$", states.get(node, ""))]
