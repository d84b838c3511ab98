"""`vmsbench cancel`: end a sweep's jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import Runs


def cancel(
    name: Annotated[str, typer.Argument(help="A sweep that was submitted.")],
    runs: Runs = Path("runs"),
) -> None:
    """Cancel a sweep's jobs. Its trials save; the same `vmsbench tune` continues it later."""
    cancel_jobs(name, runs)


def cancel_jobs(name: str, runs: Path) -> None:
    from vmsbench.launch.job_log import cancel
    from vmsbench.launch.launcher import answers_within
    from vmsbench.store.job_events import submitted

    folder = submitted(name, runs)
    with answers_within():
        ended = cancel(folder)
    print(f"{name}: cancelled {', '.join(ended)}" if ended else f"{name}: it has no job")
