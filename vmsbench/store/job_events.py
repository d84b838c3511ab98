"""What happened to a sweep's jobs on a cluster, in its folder: a line for each submission, start and end."""

import time
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError, did_you_mean
from vmsbench.files import append_line, read_lines
from vmsbench.store.sweep_folder import SweepFolder

JOBS = "jobs.jsonl"


def note(folder: Path, event: str, **facts: Any) -> None:
    """Add a line, on the disk when this returns; the sweep itself need not have begun."""
    folder.mkdir(parents=True, exist_ok=True)
    append_line(folder / JOBS, {"event": event, "time": time.time(), **facts})


def notes(folder: Path) -> list[dict[str, Any]]:
    """All lines in order; none where the sweep was never submitted."""
    return list(read_lines(folder / JOBS))


def with_jobs(runs: Path) -> list[Path]:
    """The folders of the sweeps that have jobs, begun or not."""
    return sorted(file.parent for file in runs.glob(f"*/{JOBS}"))


def submitted(name: str, runs: Path) -> Path:
    """The folder of a sweep that has jobs.

    Raises UserError, with the nearest name, where there is none, and for a sweep of another schema.
    """
    there = [folder.name for folder in with_jobs(runs)]
    if name not in there:
        raise UserError(
            f"no jobs of a sweep {name} in {runs}{did_you_mean(name, there)}  (there are: {', '.join(there) or 'none'})"
        )
    SweepFolder(runs / name).check_schema()
    return runs / name
