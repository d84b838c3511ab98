"""A job's log, shown as it grows."""

import sys
import time
from pathlib import Path

from vmsbench.launch.job_log import job_status
from vmsbench.launch.launcher import JobPhase

TAIL = 2.0  # seconds between two reads of a job's log


def follow(job: str, log: Path, folder: Path, poll: float, shown: int = 0) -> int:
    """Show a job's log as it grows, until the job, with all its restarts and continuations, is over.

    poll    seconds between two status queries
    shown   bytes of the log that were shown before
    Returns the exit code: 0 where the job completed.
    """
    asked = time.monotonic()
    while True:
        shown = show_more(log, shown)
        if time.monotonic() - asked > poll:
            asked, status = time.monotonic(), job_status(folder, job)
            if status.over:
                show_more(log, shown)
                print(status)
                return 0 if status.phase == JobPhase.COMPLETED else 1
        time.sleep(TAIL)


def show_more(log: Path, shown: int) -> int:
    if not log.exists():
        return shown
    with log.open("rb") as file:
        file.seek(shown)
        sys.stdout.write(file.read().decode(errors="replace"))
        sys.stdout.flush()
        return file.tell()
