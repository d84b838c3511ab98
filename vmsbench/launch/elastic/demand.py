"""New workers for an elastic sweep whose workers leave when they have no work (`launcher.idle`)."""

import math
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vmsbench.errors import UserError
from vmsbench.launch.allocation import allocation
from vmsbench.launch.environment import CONTAINER, ELASTIC, UNTIL, Workers, idle, workers
from vmsbench.launch.job_log import (
    asked_more,
    launcher_of_job,
    more_than_workers,
    note_submitted,
    statuses_of,
    with_continued,
    workers_of,
)
from vmsbench.launch.launcher import Job, JobRequest, NoAnswer
from vmsbench.launch.submit import built
from vmsbench.launch.supervisor import say
from vmsbench.launch.worker import work as lend_node

PAUSE = 10.0
"""Seconds between two looks at which workers are there."""
LIKE_THE_FIRST = JobRequest(nodes=1, environment={ELASTIC: "", UNTIL: ""})
"""A worker that is submitted from the driver's job, without what is meant for that alone."""


class Demand:
    """Submits a worker where trials wait and fewer than `workers.count` are there: one where there is none at all, and
    else at most one for each trial that has ended, as a sweep may have no further trial until another one ends.

    driver   the number of the driver's job
    folder   of the sweep
    """

    def __init__(self, driver: str, folder: Path, workers: Workers) -> None:
        self.driver, self.folder, self.workers = driver, folder, workers
        self.submitted_at: int | None = None
        self.unanswered: Callable[[], Job | None] | None = None  # whether the cluster took the last submission
        self.asked_at = -math.inf
        self.submitting: threading.Thread | None = None

    def wait(self, ended: int) -> None:
        """A trial may wait for a slot, and so many have ended. Returns at once; the cluster is asked every PAUSE
        seconds, and not while it has yet to answer."""
        if self.submitting and self.submitting.is_alive():
            return
        if time.monotonic() - self.asked_at >= PAUSE:
            self.asked_at = time.monotonic()
            self.submitting = threading.Thread(target=partial(self.submit, ended), daemon=True)
            self.submitting.start()

    def submit(self, ended: int) -> None:
        """Submit a worker like the sweep's last one, unless as many are there as the sweep may have; with more memory
        where one was killed for want of it. After a submission that got no answer nothing is submitted before the
        cluster has said whether it took that."""
        lent = statuses_of(self.folder, workers_of(self.folder, self.driver))
        there = [status for status in lent if not status.over]
        last = launcher_of_job(self.folder, lent[-1].job) if lent else None
        if last is None:
            return
        more = more_than_workers(self.folder, lent, last)
        launcher = built({**last.settings, **more}) if more else last
        try:
            job = self.unanswered() if self.unanswered else None
            self.unanswered = None
            if job is None:
                if len(there) >= self.workers.count or (there and ended == self.submitted_at):
                    return
                job = launcher.submit(lend_node, self.driver, str(self.folder), request=LIKE_THE_FIRST)
        except NoAnswer as error:
            self.unanswered = error.heard or self.unanswered
            say(f"no further worker yet: {error}")
            return
        except UserError as error:
            say(f"no further worker: {error}")
            return
        asks = f", and asks for {asked_more(self.folder, more)}" if more else ""
        note_submitted(self.folder, job, launcher, driver=self.driver, more=more)
        self.submitted_at = ended
        say(f"trials wait: job {job.number} lends another node{asks}")


def demand_of(folder: Path) -> Demand | None:
    """That of the sweep in `folder`, in the job that drives it; None where it is not elastic, its workers stay, or the
    driver is in a container, where the cluster's commands are away. Workers of a driver that continues another job may
    not have come back at the end of their time."""
    if os.environ.get(CONTAINER):
        return None
    given, lending = allocation(), workers()
    leave = idle() or (given and len(with_continued(folder, given.job)) > 1)
    return Demand(given.job, folder.resolve(), lending) if given and lending and leave else None
