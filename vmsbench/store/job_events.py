"""What happened to a sweep's jobs on a cluster, in its folder: a line for each submission, start and end.

runs/NAME/jobs.jsonl            written by the driver and on the login node
runs/NAME/workers/NUMBER.jsonl  written by a worker of an elastic sweep: many end at once, on many nodes
"""

import time
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError, did_you_mean
from vmsbench.files import append_line, read_lines
from vmsbench.store.sweep_folder import SweepFolder

JOBS, WORKERS = "jobs.jsonl", "workers"


def note(folder: Path, event: str, **facts: Any) -> None:
    """Add a line, on the disk when this returns; the sweep itself need not have begun."""
    folder.mkdir(parents=True, exist_ok=True)
    append_line(folder / JOBS, {"event": event, "time": time.time(), **facts})


def note_by_worker(folder: Path, job: str, event: str, **facts: Any) -> None:
    """Add a line to the worker's own file: only one process at a time may append to a file."""
    (folder / WORKERS).mkdir(parents=True, exist_ok=True)
    append_line(folder / WORKERS / f"{job}.jsonl", {"event": event, "time": time.time(), "job": job, **facts})


def notes(folder: Path) -> list[dict[str, Any]]:
    """All lines in order, those of the workers at the end; none where the sweep was never submitted."""
    files = (folder / JOBS, *sorted((folder / WORKERS).glob("*.jsonl")))
    return [line for file in files for line in read_lines(file)]


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
