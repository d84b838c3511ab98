"""`vmsbench logs`: the logs of a sweep's jobs."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import Runs


def logs(
    name: Annotated[str, typer.Argument(help="A sweep that was submitted.")],
    lines: Annotated[int, typer.Option(help="Number of lines.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the log until its job is over.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Show the last lines of the logs of a sweep's jobs."""
    show_logs(name, runs, lines, follow)


def show_logs(name: str, runs: Path, lines: int, go_on: bool) -> None:
    from vmsbench.api.cluster.job_control import logs

    there = logs(name, runs=runs)
    for job, log in there.items():
        with log.open(errors="replace") as file:
            last = list(deque(file, lines))
        if len(there) > 1:
            print(f"== job {job}: {log}")
        print("".join(last), end="", flush=True)
    if go_on:
        logs(name, lines=0, follow=True, runs=runs)
