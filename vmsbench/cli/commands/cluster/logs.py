"""`vmsbench logs`: the logs of a sweep's jobs."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import Runs
from vmsbench.errors import UserError


def logs(
    name: Annotated[str, typer.Argument(help="A sweep that was submitted.")],
    lines: Annotated[int, typer.Option(help="Number of lines.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the log until its job is over.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Show the last lines of the logs of a sweep's jobs."""
    show_logs(name, runs, lines, follow)


def logs_of(folder: Path) -> dict[str, Path]:
    """The log of each job, by its number, in the order of submission."""

    from vmsbench.store.job_events import notes

    return {str(line["job"]): Path(line["log"]) for line in notes(folder) if line.get("log") and "job" in line}


def show_logs(name: str, runs: Path, lines: int, go_on: bool) -> None:
    from vmsbench.launch.follow import follow
    from vmsbench.launch.job_log import job_statuses, launcher_of_job, leading_jobs
    from vmsbench.launch.launcher import POLL
    from vmsbench.store.job_events import submitted

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
        launcher = launcher_of_job(folder, job)
        follow(job, log, folder, launcher.poll if launcher else POLL, shown=log.stat().st_size)
