"""A sweep's jobs, from the record in its folder: their numbers, launchers and status.

A line with `launcher` holds the settings of the job's launcher.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vmsbench.config.instantiate import build
from vmsbench.launch.launcher import Job, JobPhase, JobStatus, Launcher, unknown
from vmsbench.store.job_events import JOBS, note, notes
from vmsbench.store.lock import SILENCE

FAILURES = 2  # of a node, after which it is left out


def note_submitted(folder: Path, job: Job, launcher: Launcher, **facts: Any) -> None:
    note(folder, "submitted", job=job.number, log=str(job.log), launcher=dict(launcher.settings), **facts)


def jobs_of(folder: Path) -> list[str]:
    """The numbers of the sweep's jobs, in the order of submission or start."""
    return list(dict.fromkeys(str(line["job"]) for line in notes(folder) if "job" in line))


def leading_jobs(folder: Path) -> list[str]:
    """The sweep's jobs without the workers of elastic sweeps."""
    lending = {str(line["job"]) for line in notes(folder) if "driver" in line}
    return [job for job in jobs_of(folder) if job not in lending]


def failing_nodes(folder: Path) -> list[str]:
    """The nodes that failed under the sweep's jobs twice: the next submission excludes them."""
    failed = [line["node"] for line in notes(folder) if line["event"] == "node failed"]
    return sorted({node for node in failed if failed.count(node) >= FAILURES})


def launcher_of_job(folder: Path, job: str) -> Launcher | None:
    """The launcher of a job of the sweep; None where no line names one."""
    named = [line["launcher"] for line in notes(folder) if str(line.get("job")) == job and line.get("launcher")]
    if not named:
        return None
    launcher: Launcher = build(named[-1], "launcher")
    return launcher


def job_status(folder: Path, job: str) -> JobStatus:
    """The status of a job of the sweep: from its launcher, else from its own last line, else from the sweep's lock."""
    launcher = launcher_of_job(folder, job)
    status = launcher.status(job) if launcher else unknown(job)
    return status if status.phase != JobPhase.UNKNOWN else by_end(folder, job) or by_heartbeat(folder, job) or status


def by_end(folder: Path, job: str) -> JobStatus | None:
    """How a job ended, by its own words: where there is no accounting a cluster soon forgets it."""
    last: dict[str, Any] = next((one for one in reversed(notes(folder)) if str(one.get("job")) == job), {})
    if last.get("event") != "ended" or not last["final"]:
        return None
    done = last["code"] == 0
    phase, reason = (JobPhase.COMPLETED, "") if done else (JobPhase.FAILED, f"it ended with exit code {last['code']}")
    return JobStatus(job, phase, phase.upper(), reason, source=JOBS)


def by_heartbeat(folder: Path, job: str) -> JobStatus | None:
    lock = folder / "lock"
    if lock.exists() and (silent := time.time() - lock.stat().st_mtime) < SILENCE:
        return JobStatus(
            job, JobPhase.RUNNING, "RUNNING", f"its sweep was touched {silent:.0f} s ago", source="heartbeat"
        )
    return None


def live_jobs(folder: Path) -> list[str]:
    """The sweep's jobs that are not over, or may not be: the cluster is not asked about those that said so."""
    return [job for job in jobs_of(folder) if not by_end(folder, job) and not job_status(folder, job).over]


def job_statuses(folder: Path) -> list[JobStatus]:
    """The status of a sweep's current jobs: those that are not over, else the last one."""
    ended = {str(line["job"]) for line in notes(folder) if line["event"] == "ended" and line["final"]}
    asked = {job: job_status(folder, job) for job in jobs_of(folder) if job not in ended}
    going = [one for one in asked.values() if not one.over]
    return going or [asked.get(job) or job_status(folder, job) for job in leading_jobs(folder)[-1:]]


def cancel(folder: Path, jobs: Sequence[str] | None = None) -> list[str]:
    """Cancel jobs of a sweep (default: all that are not over); returns their numbers. They save before they end.

    Raises Refused with the cluster's message.
    """
    live = list(jobs) if jobs is not None else live_jobs(folder)
    for job in live:
        if launcher := launcher_of_job(folder, job):
            launcher.cancel(job)
    if live:
        note(folder, "cancelled", jobs=live)
    return live
