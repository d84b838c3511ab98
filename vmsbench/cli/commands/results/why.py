"""`vmsbench why`: why a trial ended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmsbench.cli.commands.results.status import WIDTH, cut, wrapped
from vmsbench.cli.options import (
    Runs,
)
from vmsbench.config.format import assignments

if TYPE_CHECKING:
    from vmsbench.sweep.status import Why


def why(
    trial: Annotated[str, typer.Argument(help="A trial's name, or the beginning of it.")],
    runs: Runs = Path("runs"),
) -> None:
    """Why a trial ended. The cause, the end of its log, and the command that runs it alone."""
    show_why(runs, trial)


def show_why(runs: Path, trial: str) -> None:
    from vmsbench.api.states import why

    found: Why = why(trial, runs=runs)
    named = f" ({found.kind})" if found.kind else ""
    print(f"{found.folder.name}: {found.state}{named} after epoch {found.epoch}")
    print("\n".join([*wrapped(assignments(found.params)), *wrapped(found.cause or "")]))
    print(f"the end of {found.folder / 'log.txt'}:" if found.log else "no log")
    for line in found.log:
        print(cut(f"  {line}", 2 * WIDTH))
    print(f"to run it alone:\n  {found.command}")
