"""`vmsbench report`: tables, plots and a page that compare sweeps and baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
    Runs,
)


def report(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Sweeps (default: all).")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write it (default: reports/NAME).")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Tables, plots and a page that compare sweeps and baselines."""
    from vmsbench.api.reports import report as write

    typer.echo(f"report: {write(*(names or []), runs=runs, out=out).page}")
