"""The progress of a sweep, from its folder: it distinguishes a job that continues from one that only restarts."""

from pathlib import Path

from vmsbench.store.job_events import notes
from vmsbench.store.sweep_folder import SweepFolder

TIME_UP = "the time is nearly up"


def progress(folder: Path) -> int:
    """A value that grows with progress and not with restarts: trials that ended, epochs written, and the steps
    at which trials were interrupted within an epoch, which may be longer than a job.
    """
    sweep = SweepFolder(folder)
    ended = sum(line.get("event") in ("finished", "final", "winner") for line in sweep.journal.lines())
    there = list(sweep.experiments())
    written = sum(one.history_file.stat().st_size for one in there if one.history_file.exists())
    return ended + written + sum(one.interrupted_step() for one in there)


def fruitless(folder: Path) -> int:
    """How many of the last starts made no progress, and either died or ran out of time."""
    count, seen = 0, None
    for line in reversed([line for line in notes(folder) if "driver" not in line]):
        in_order = line["event"] == "ended" and line.get("why") != TIME_UP
        if in_order or (seen is not None and line.get("progress") != seen):
            break
        if line["event"] == "began":
            count, seen = count + 1, line["progress"]
    return count


def chained(folder: Path) -> int:
    """How many continuations were submitted since the user last submitted the sweep."""
    count = 0
    for line in notes(folder):
        if line["event"] == "submitted" and "driver" not in line:
            count = count + 1 if "after" in line else 0
    return count
