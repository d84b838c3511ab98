"""A sweep's jobs, from the record in its folder: their numbers, launchers and status.

A line with `launcher` holds the settings of the job's launcher.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from vmsbench.config.instantiate import build
from vmsbench.launch.launcher import PROMPT, Job, JobPhase, JobStatus, Launcher, answers_within, unknown
from vmsbench.store.job_events import JOBS, note, notes
from vmsbench.store.lock import SILENCE, owner_of

FAILURES = 2  # of a node, after which it is left out
ASKING = 3.0  # seconds in which a cluster says which jobs are over before some are cancelled


def note_submitted(folder: Path, job: Job, launcher: Launcher, **facts: Any) -> None:
    note(folder, "submitted", job=job.number, log=str(job.log), launcher=dict(launcher.settings), **facts)


def jobs_of(folder: Path) -> list[str]:
    """The numbers of the sweep's jobs, in the order of submission or start."""
    return list(dict.fromkeys(str(line["job"]) for line in notes(folder) if "job" in line))


def leading_jobs(folder: Path) -> list[str]:
    """The sweep's jobs without the workers of elastic sweeps."""
    lending = {str(line["job"]) for line in notes(folder) if "driver" in line}
    return [job for job in jobs_of(folder) if job not in lending]


def continued_as(folder: Path, driver: str) -> str:
    """The last of the jobs that continue a driver's, each the one before; the driver itself where none does."""
    lines = notes(folder)  # a job that ends names the one that continues it, before that one has a line of its own
    follows = {str(line["job"]): str(line["continued_by"]) for line in lines if line.get("continued_by")}
    follows |= {str(line["after"]): str(line["job"]) for line in lines if line.get("after")}
    while driver in follows:
        driver = follows.pop(driver)
    return driver


def log_of(folder: Path, job: str) -> Path | None:
    """The file that a job writes to, as its submission or its start noted it."""
    named = [line["log"] for line in notes(folder) if str(line.get("job")) == job and line.get("log")]
    return Path(named[-1]) if named else None


def of_driver(folder: Path, driver: str) -> list[str]:
    """A driver's job, those that continue it, and the workers of all of these, without those that have ended."""
    last = continued_as(folder, driver)
    jobs = {*with_continued(folder, last), *workers_of(folder, last)}
    return [job for job in unended_jobs(folder) if job in jobs]


def with_continued(folder: Path, driver: str) -> list[str]:
    """A driver's job, the one that it continues, the one that this continues, and so on."""
    before = {str(line["job"]): str(line["after"]) for line in notes(folder) if line.get("after")}
    drivers = [driver]
    while drivers[-1] in before:
        drivers.append(before.pop(drivers[-1]))
    return drivers


def workers_of(folder: Path, driver: str) -> list[str]:
    """The jobs that were submitted as workers of a driver, or of a job that it continues, in their order."""
    drivers = with_continued(folder, driver)
    lines = (line for line in notes(folder) if line["event"] == "submitted")
    return [str(line["job"]) for line in lines if line.get("driver") in drivers]


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
    launcher.settings = named[-1]
    return launcher


def archive_of(folder: Path, job: str) -> str | None:
    """The version of the code that a job runs, as its submission or its first start noted it."""
    own = (line["archive"] for line in notes(folder) if str(line.get("job")) == job and line.get("archive"))
    return next(own, None)


def job_status(folder: Path, job: str) -> JobStatus:
    """The status of a job of the sweep: from its launcher, else from its own last line, else from the sweep's lock."""
    launcher = launcher_of_job(folder, job)
    return as_known(folder, launcher.status(job) if launcher else unknown(job))


def statuses_of(folder: Path, jobs: Sequence[str]) -> list[JobStatus]:
    """The status of each of the sweep's jobs, by as few questions to its cluster as possible."""
    found = {job: unknown(job) for job in jobs}
    for launcher, together in by_launcher(folder, jobs):
        found |= {one.job: one for one in launcher.statuses(*together)}
    return [as_known(folder, found[job]) for job in jobs]


def by_launcher(folder: Path, jobs: Sequence[str]) -> Iterator[tuple[Launcher, list[str]]]:
    """The jobs of each launcher that answers for some; those that none answers for are left out."""
    groups: dict[tuple[Any, ...], tuple[Launcher, list[str]]] = {}
    for job in jobs:
        if (launcher := launcher_of_job(folder, job)) is not None:
            key = tuple(launcher.settings.get(name) for name in ("_target_", "cluster", "folder"))
            groups.setdefault(key, (launcher, []))[1].append(job)
    yield from groups.values()


def as_known(folder: Path, status: JobStatus) -> JobStatus:
    """The cluster's status of a job, with what the sweep's folder knows of it."""
    job = status.job
    if status.phase == JobPhase.UNKNOWN:
        status = by_end(folder, job) or by_heartbeat(folder, job) or status
    more = next((line["more"] for line in notes(folder) if str(line.get("job")) == job and line.get("more")), None)
    if more is None or status.over:
        return status
    return replace(status, reason="; ".join(filter(None, [status.reason, f"asks for {asked_more(folder, more, job)}"])))


def asked_more(folder: Path, more: Mapping[str, Any], job: str | None = None) -> str:
    """Settings that a job asks for more of, in words: `memory=32.0, more than the job before, which had too little`, or
    `memory=32.0, kept from job 8`. `job` is its number; None where it is to be submitted."""
    before = [line for line in takewhile(lambda line: str(line.get("job")) != job, notes(folder)) if line.get("more")]
    words: dict[str, list[str]] = {}
    for name, value in more.items():
        first = next((line["job"] for line in before if line["more"].get(name) == value), None)
        why = "more than the job before, which had too little" if first is None else f"kept from job {first}"
        words.setdefault(why, []).append(f"{name}={value}")
    return "; ".join(f"{', '.join(asked)}, {why}" for why, asked in words.items())


def more_than_last(folder: Path, launcher: Launcher) -> dict[str, Any]:
    """The settings of the launcher's next job that exceed the given ones: what an earlier job of the sweep asked for
    after a kill, and more where the last job was killed for want of time or memory, or one of its workers for want of
    memory. Empty where nothing is."""
    lines = [line for line in notes(folder) if line["event"] == "submitted"]
    leading = [str(line["job"]) for line in lines if "driver" not in line]
    if not leading:
        return {}
    asked = {name: launcher.settings.get(name) for name in ("time", "memory")}
    for line in lines:
        asked |= {name: value for name, value in line.get("launcher", {}).items() if name in asked and value}
        asked |= line.get("more") or {}
    kept = {name: value for line in lines for name, value in (line.get("more") or {}).items()}
    lent = statuses_of(folder, workers_of(folder, leading[-1]))
    return launcher.more(short_of_memory(folder, lent) or job_status(folder, leading[-1]), asked, kept)


def more_than_workers(folder: Path, lent: Sequence[JobStatus], launcher: Launcher) -> dict[str, Any]:
    """The memory that the next worker of a driver asks for, where one was killed for want of it; else empty.

    lent      the status of the driver's workers, in the order of their submission
    launcher  that of the last one
    """
    ended = short_of_memory(folder, lent)
    return launcher.more(ended, launcher.settings, {}) if ended else {}


def short_of_memory(folder: Path, lent: Sequence[JobStatus]) -> JobStatus | None:
    """Of a driver's workers one that was killed for want of memory, though it had asked for as much as the last one."""
    lines = (line for line in notes(folder) if line["event"] == "submitted")
    asked = {str(line["job"]): line.get("launcher", {}).get("memory") for line in lines}
    return next((one for one in lent if one.lacked == "memory" and asked[one.job] == asked[lent[-1].job]), None)


def by_end(folder: Path, job: str) -> JobStatus | None:
    """How a job ended, by its own words: where there is no accounting a cluster soon forgets it."""
    last = last_lines(folder).get(job, {})
    if not said_end(last):
        return None
    done = last["code"] == 0
    phase, reason = (JobPhase.COMPLETED, "") if done else (JobPhase.FAILED, f"it ended with exit code {last['code']}")
    return JobStatus(job, phase, phase.upper(), reason, source=JOBS)


def by_heartbeat(folder: Path, job: str) -> JobStatus | None:
    """That of a job which may hold the sweep's lock, by its age; a worker never holds it, nor one that lost it."""
    lock = folder / "lock"
    if job not in leading_jobs(folder) or owner_of(lock)["job"] not in (None, job):
        return None
    if lock.exists() and (silent := time.time() - lock.stat().st_mtime) < SILENCE:
        return JobStatus(
            job, JobPhase.RUNNING, "RUNNING", f"its sweep was touched {silent:.0f} s ago", source="heartbeat"
        )
    return None


def going_jobs(folder: Path) -> list[JobStatus]:
    """The status of the sweep's jobs that are not over, or may not be: the cluster is not asked about those that said
    so."""
    return [status for status in statuses_of(folder, unended_jobs(folder)) if not status.over]


def unended_jobs(folder: Path) -> list[str]:
    """The sweep's jobs that have not said that they ended for good, or have begun again since."""
    last = last_lines(folder)
    return [job for job in jobs_of(folder) if not said_end(last[job])]


def last_lines(folder: Path) -> dict[str, dict[str, Any]]:
    """The last line of each of the sweep's jobs."""
    return {str(line["job"]): line for line in notes(folder) if "job" in line}


def said_end(line: Mapping[str, Any]) -> bool:
    """Whether a job's line says that it ended for good."""
    return line.get("event") == "ended" and bool(line["final"])


def job_statuses(folder: Path) -> list[JobStatus]:
    """The status of a sweep's current jobs: those that are not over, else the last one."""
    asked = {status.job: status for status in statuses_of(folder, unended_jobs(folder))}
    going = [one for one in asked.values() if not one.over]
    return going or [job_status(folder, job) for job in leading_jobs(folder)[-1:]]  # which says why it ended


def cancel(folder: Path, jobs: Sequence[str] | None = None) -> list[str]:
    """Cancel jobs of a sweep (default: all that are not over); returns their numbers. They save before they end.

    What is not known is cancelled too. The cluster has ASKING seconds to say which are over, and further PROMPT seconds
    to cancel. Raises Refused with the cluster's message.
    """
    if jobs is None:
        with answers_within(ASKING):
            jobs = [status.job for status in going_jobs(folder)]
    with answers_within(PROMPT):
        for launcher, together in by_launcher(folder, jobs):
            launcher.cancel(*together)
    if jobs:
        note(folder, "cancelled", jobs=list(jobs))
    return list(jobs)
