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
    from vmsbench.api.cluster.job_control import cancel as end

    ended = end(name, runs=runs)
    print(f"{name}: cancelled {', '.join(ended)}" if ended else f"{name}: it has no job")
