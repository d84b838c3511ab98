"""A sweep's jobs from the login node: their logs, their end, and what Slurm thinks of them."""

from collections import deque
from pathlib import Path

from vmsbench.errors import UserError, did_you_mean
from vmsbench.launch.slurm.commands import POLL
from vmsbench.launch.slurm.jobs import JobStatus, cancel, job_statuses, leading_jobs, notes
from vmsbench.launch.submit import follow


def submitted(name: str, runs: Path) -> Path:
    """The folder of a sweep that has jobs. Raises UserError, with the nearest name, where there is none."""
    there = sorted(file.parent.name for file in runs.glob("*/jobs.jsonl"))
    if name not in there:
        raise UserError(
            f"no jobs of a sweep {name} in {runs}{did_you_mean(name, there)}  (there are: {', '.join(there) or 'none'})"
        )
    return runs / name


def logs_of(folder: Path) -> dict[str, Path]:
    """The log of each job, by its number, in the order of submission."""
    return {str(line["job"]): Path(line["log"]) for line in notes(folder) if line.get("log") and "job" in line}


def show_logs(name: str, runs: Path, lines: int, go_on: bool) -> None:
    folder = submitted(name, runs)
    logs = logs_of(folder)
    there = {job: log for job, log in logs.items() if log.exists()}
    if not there:
        raise UserError(f"{name} has written nothing yet: {'; '.join(map(str, job_statuses(folder)))}")
    for job, log in there.items():
        with log.open(errors="replace") as file:
            last = list(deque(file, lines))
        if len(there) > 1:
            print(f"== job {job}: {log}")
        print("".join(last), end="", flush=True)
    if go_on:
        job, log = [(job, there[job]) for job in leading_jobs(folder) if job in there][-1]
        follow(job, log, folder, POLL, shown=log.stat().st_size)


def cancel_jobs(name: str, runs: Path) -> None:
    folder = submitted(name, runs)
    ended = cancel(folder)
    print(f"{name}: cancelled {', '.join(ended)}" if ended else f"{name}: no job of it is left in Slurm")


def ending_of(jobs: list[JobStatus]) -> str | None:
    """How Slurm ended the jobs of a sweep, where all are over and the last one did not complete."""
    if not jobs or not all(one.over for one in jobs) or jobs[-1].state == "COMPLETED":
        return None
    return f"{jobs[-1].state}: {jobs[-1].reason}"
