"""`vmsbench job` and `vmsbench work`: what batch scripts run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.errors import UserError


def job(
    context: typer.Context,
    command: Annotated[list[str], typer.Argument(help="tune, resume, final or ablate, with its arguments.")],
) -> None:
    """Run a sweep's command inside a batch job.

    It saves and stops before the job's time is up, and continues when the job starts again.
    """
    from vmsbench.launch.supervisor import supervise

    if command[0] == "--help":
        print(context.get_help())
        return
    if "--help" in command:
        raise UserError(f"`vmsbench {command[0]} --help` shows its options; vmsbench job runs it, in a batch job")
    raise typer.Exit(supervise(command, sweep_folder(context, command)))


def sweep_folder(context: typer.Context, command: list[str]) -> Path:
    """The folder of the sweep that a command works on, from its arguments as the command itself reads them.

    Raises UserError for a command of no sweep, and click's errors for wrong arguments.
    """
    from vmsbench.launch.supervisor import SWEEPS
    from vmsbench.store.runs_folder import check_name
    from vmsbench.sweep.ablation import ablation_name

    assert context.parent is not None
    group = context.parent.command
    name, found, words = group.resolve_command(context.parent, command)  # type: ignore[attr-defined]
    if name not in SWEEPS:
        raise UserError(
            f"a job supervises the commands of sweeps: {', '.join(SWEEPS)}; `vmsbench {name}` runs in a batch script "
            "as it is, and is not requeued"
        )
    given = found.make_context(name, list(words), parent=context.parent).params
    named = given["name"]
    if named is None:
        named = ablation_name(given["exp"], given["group"]) if name == "ablate" else given["exp"]
    check_name(named)
    return Path(given["runs"]) / str(named)


def work(driver: Annotated[str, typer.Argument()], folder: Annotated[Path, typer.Argument()]) -> None:
    """Add this job's node to the sweep in FOLDER until the job DRIVER is over; a worker's batch script runs it."""
    from vmsbench.launch.worker import work as lend

    lend(driver, str(folder))
