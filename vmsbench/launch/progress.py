"""The progress of a sweep, from its folder: it distinguishes a job that continues from one that only restarts."""

import contextlib
from pathlib import Path

from vmsbench.files import read_json, read_lines
from vmsbench.launch.job_log import notes
from vmsbench.signals import INTERRUPTED

KINDS = ("trials", "final")
TIME_UP = "the time is nearly up"


def progress(folder: Path) -> int:
    """A value that grows with progress and not with restarts: trials that ended, epochs written, and the steps
    at which trials were interrupted within an epoch, which may be longer than a job.
    """
    ended = sum(line["event"] in ("finished", "final", "winner") for line in read_lines(folder / "journal.jsonl"))
    written = sum(file.stat().st_size for kind in KINDS for file in folder.glob(f"{kind}/*/history.jsonl"))
    files = (file for kind in KINDS for file in folder.glob(f"{kind}/*/{INTERRUPTED}"))
    return ended + written + sum(interrupted_at(file) for file in files)


def interrupted_at(file: Path) -> int:
    """The step at which a trial was last interrupted, from the file that records it."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return int(read_json(file)["step"])
    return 0


def fruitless(folder: Path) -> int:
    """How many of the last starts made no progress, and either died or ran out of time."""
    count, seen = 0, None
    for line in reversed(notes(folder)):
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
        if line["event"] == "submitted":
            count = count + 1 if "after" in line else 0
    return count
