"""`vmsbench report`: tables, plots and a page that compare sweeps and baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
    Runs,
    expanded,
)


def report(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Sweeps (default: all).")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write it (default: reports/NAME).", callback=expanded)
    ] = None,
    runs: Runs = Path("runs"),
    formats: Annotated[str, typer.Option(help="Figures next to PNG: pdf, svg; '' for none, faster.")] = "pdf",
) -> None:
    """Tables, plots and a page that compare sweeps and baselines."""
    from vmsbench.api.reports import report as write

    kinds = [kind.strip() for kind in formats.split(",") if kind.strip()]
    typer.echo(f"report: {write(*(names or []), runs=runs, out=out, formats=kinds).page}")
