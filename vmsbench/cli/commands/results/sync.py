"""`vmsbench sync`: MLflow brought up to date with the folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
    Runs,
)


def sync(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Sweeps (default: all).")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Bring MLflow up to date with the folders, or rebuild it."""
    from vmsbench.api.tracking import sync as mirror

    links = mirror(*(names or []), runs=runs)
    for name in links:
        print(f"{name}: synced", flush=True)
    print("\n".join(dict.fromkeys(links.values())))
