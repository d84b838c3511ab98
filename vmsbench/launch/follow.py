"""A job's log, shown as it grows."""

import time
from collections.abc import Callable
from pathlib import Path

from vmsbench.launch.job_log import continued_as, job_status, log_of
from vmsbench.launch.launcher import JobStatus

TAIL = 2.0  # seconds between two reads of a job's log


def print_text(text: str) -> None:
    print(text, end="", flush=True)


def follow(
    job: str, log: Path, folder: Path, poll: float, *, shown: int = 0, show: Callable[[str], None] = print_text
) -> JobStatus:
    """Show a job's log as it grows, until the job, with all its restarts and continuations, is over; then its status.

    poll    seconds between two status queries
    shown   bytes of the log that were shown before
    show    called with each new piece of text
    """
    asked = time.monotonic()
    while True:
        shown = show_more(log, shown, show)
        if time.monotonic() - asked > poll:
            asked, status = time.monotonic(), job_status(folder, job)
            if status.over:
                shown = show_more(log, shown, show)
                show(f"{status}\n")
                if (following := continued_as(folder, job)) == job:
                    return status
                job = following
            if (latest := log_of(folder, job) or log) != log:
                log, shown = latest, 0
        time.sleep(TAIL)


def show_more(log: Path, shown: int, show: Callable[[str], None]) -> int:
    """Show what a file has after its first `shown` bytes, or all of it where it has been written again; its size."""
    if not log.exists():
        return shown
    with log.open("rb") as file:
        file.seek(shown if log.stat().st_size >= shown else 0)
        if text := file.read().decode(errors="replace"):
            show(text)
        return file.tell()
