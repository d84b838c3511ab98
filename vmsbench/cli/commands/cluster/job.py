"""`vmsbench job` and `vmsbench work`: what batch scripts run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.errors import UserError


def job(command: Annotated[list[str], typer.Argument()]) -> None:
    """Run a vmsbench command inside a batch job.

    It saves and stops before the job's time is up, and continues when the job starts again.
    """
    from vmsbench.launch.supervisor import supervise

    if "--help" in command:
        raise UserError(f"`vmsbench {command[0]} --help` shows its options; vmsbench job runs it, in a batch job")
    raise typer.Exit(supervise(command))


def work(driver: Annotated[str, typer.Argument()], folder: Annotated[Path, typer.Argument()]) -> None:
    """Add this job's node to the sweep in FOLDER until the job DRIVER is over; a worker's batch script runs it."""
    from vmsbench.launch.worker import work as lend

    lend(driver, str(folder))
