"""A worker: a job of one node that joins a sweep driven by another job, at any time.

The driver writes the address of its Ray into runs/NAME/.ray-head.json. The worker joins that, waits for the next one
when it is gone, and ends when the driver's job is over and no other job continues it. When it is preempted it leaves at
once and is requeued; its trials continue from their last epoch elsewhere.
"""

import contextlib
import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError, did_you_mean
from vmsbench.launch.allocation import Allocation, allocation, python
from vmsbench.launch.code.archive import running, unpacked
from vmsbench.launch.container.runtime import inside
from vmsbench.launch.environment import idle, notice
from vmsbench.launch.job_log import archive_of, as_known, continued_as, launcher_of_job, leading_jobs
from vmsbench.launch.launcher import JobError, JobPhase, JobStatus, NoAnswer, Refused, unknown
from vmsbench.launch.supervisor import SIGNALS, launcher_for, say
from vmsbench.processes import adopt, end_descendants
from vmsbench.store.job_events import note_by_worker
from vmsbench.store.lock import SILENCE, check_owned, living_owner
from vmsbench.store.sweep_folder import RAY_HEAD, SweepFolder
from vmsbench.versions import PUBLIC

WITHOUT_WORK = 3
"""The exit code of a Ray node that had no trial for long enough to leave."""
TOKEN = ".ray-token"  # in the folder of the sweep
PAUSE = 2.0  # seconds between two checks for a head
STARTING = 120.0  # seconds that a driver, whose job starts before its workers', has to announce its Ray


@contextlib.contextmanager
def announced(folder: Path, given: Allocation, address: str) -> Iterator[None]:
    """Within the block, workers of the sweep find the address of the driver's Ray. Another driver that has taken over
    may have announced its own meanwhile, which stays. Raises OwnershipLost."""
    sweep = SweepFolder(folder)
    about = {"address": address, "job": given.job, "restarts": given.restarts, "time": time.time()}
    check_owned(folder)
    sweep.write_document(RAY_HEAD, about)
    try:
        yield
    finally:
        if sweep.document(RAY_HEAD) == about:
            sweep.remove_document(RAY_HEAD)


def work(driver: str, folder: str) -> None:
    """Run a node for the sweep in `folder` until the job `driver` is over. Raises JobError outside of a cluster."""
    given = allocation()
    if given is None:
        raise JobError("a worker is a separate job: submit a script that runs `vmsbench work DRIVER FOLDER`")
    Worker(given, driver, Path(folder)).run()


class Worker:
    def __init__(self, given: Allocation, driver: str, folder: Path) -> None:
        self.given, self.driver, self.folder = given, driver, folder
        self.child: subprocess.Popen[bytes] | None = None
        self.leaving, self.unused = False, False
        self.asked = self.without_work = time.monotonic()
        self.runs_since: float | None = None  # the driver's job, as far as was seen
        self.unknown_since: float | None = None  # to its cluster, while nobody owns the sweep
        self.idle, self.joined = idle(), False
        self.launcher = launcher_for(given)

    def run(self) -> None:
        adopt()
        for number in SIGNALS:
            signal.signal(number, self.leave)
        if self.driver not in leading_jobs(self.folder):
            self.refuse_stranger(self.launcher.status(self.driver), running=False)
        say(f"worker on {self.given.nodes[0]}, job {self.given.job}, GPUs {','.join(self.given.gpus) or 'none'}")
        try:
            self.until_over()
        except UserError as error:
            self.note_end(error.exit_code)
            raise
        end_descendants(0.0)
        if not self.leaving or not self.come_back():
            self.note_end(0)

    def until_over(self) -> None:
        """Lend this node until it leaves, has no trial for long enough, or the driver is over."""
        while not self.leaving and not self.unused and not self.driver_over():
            address = self.address()
            if address is not None:
                say(f"joining {address}")
                self.lend(address)
                self.without_work, self.joined = time.monotonic(), True
            elif self.runs_since is not None:  # it prepares what it will announce
                self.without_work = time.monotonic()
                time.sleep(PAUSE)
            elif time.monotonic() - self.without_work > self.most_idle:
                self.unused = True
            elif not self.leaving:
                time.sleep(PAUSE)
        if self.leaving:
            return
        if self.unused:
            say(f"no trial for {self.most_idle:g} s: this node leaves; where trials wait, the driver submits another")
        else:
            say("the driver's job is over")

    @property
    def most_idle(self) -> float:
        """Seconds without a driver after which this node leaves."""
        return math.inf if self.idle is None else self.idle if self.joined else max(self.idle, STARTING)

    def note_end(self, code: int) -> None:
        """Without accounting the cluster soon forgets how this job ended."""
        with contextlib.suppress(OSError):
            if self.folder.is_dir():
                note_by_worker(self.folder, self.given.job, "ended", driver=self.driver, code=code, final=True)

    def address(self) -> str | None:
        with contextlib.suppress(OSError):
            address = SweepFolder(self.folder).document(RAY_HEAD).get("address")
            return None if address is None else str(address)
        return None

    def lend(self, address: str) -> None:
        """Join that Ray, and stay until it ends."""
        given, token = self.given, self.folder / TOKEN
        options = [f"--token={token}", f"--job={given.job}", f"--cpus={given.cpus}", f"--gpus={len(given.gpus)}"]
        options += [f"--idle={self.idle:g}"] if self.idle else []
        begin = python(PUBLIC["Ray node"], "join", address, *options)
        os.environ |= running(self.code())
        self.child = subprocess.Popen(inside(begin, self.folder))
        if self.leaving:
            self.child.terminate()
        self.unused = self.child.wait() == WITHOUT_WORK
        self.child = None
        end_descendants(0.0)
        if not self.leaving and not self.unused:
            time.sleep(PAUSE)

    def code(self) -> Path | None:
        """The code that the driver runs."""
        version = archive_of(self.folder, continued_as(self.folder, self.driver))
        return unpacked(self.folder, version) if version else None

    def leave(self, number: int, frame: Any) -> None:
        say(f"{signal.Signals(number).name}: leaving")
        self.leaving = True
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                self.child.terminate()

    def driver_over(self) -> bool:
        """Whether its job is over, or the one that continues it: as the cluster says, else as the sweep's folder does.
        One that the cluster has no record of is over where nobody has owned the sweep for SILENCE; one that it does not
        answer about is not. The cluster is queried rarely."""
        launcher = launcher_of_job(self.folder, self.driver) or self.launcher
        if time.monotonic() - self.asked < launcher.poll:
            return False
        self.asked = time.monotonic()
        status = as_known(self.folder, launcher.status(continued_as(self.folder, self.driver)))
        self.runs_since = (self.runs_since or time.monotonic()) if status.phase == JobPhase.RUNNING else None
        started = self.runs_since is not None and time.monotonic() - self.runs_since > STARTING
        self.refuse_stranger(status, running=started)
        return status.over or self.forgotten(status)

    def forgotten(self, status: JobStatus) -> bool:
        """Whether the cluster has had no record of the driver, and nobody the sweep, for SILENCE."""
        here = status.silent or status.state != unknown(status.job).state or living_owner(self.folder) is not None
        self.unknown_since = None if here else self.unknown_since or time.monotonic()
        return self.unknown_since is not None and time.monotonic() - self.unknown_since > SILENCE

    def refuse_stranger(self, status: JobStatus, running: bool) -> None:
        """Raises UserError where the driver is no job of the sweep, and none that has yet to start it: it would be
        waited for without end.

        running  whether a driver that runs has had the time to note that in the sweep's folder
        """
        jobs = leading_jobs(self.folder)
        waits = status.phase == JobPhase.WAITING or (status.live and not running)
        if self.driver not in jobs and not waits and not status.silent:
            raise UserError(
                f"no job {self.driver} drives a sweep in {self.folder}{did_you_mean(self.driver, jobs)}  (there are: "
                f"{', '.join(jobs) or 'none'}): give the number of the job that drives it, and its folder runs/NAME"
            )

    def come_back(self) -> bool:
        """Requeue this job, unless it was cancelled or the cluster does not requeue; ask again where it does not
        answer. Returns False where it certainly does not come back."""
        if not self.given.requeues:
            return False
        if self.launcher.status(self.given.job).phase not in (JobPhase.RUNNING, JobPhase.UNKNOWN):
            return True
        until = time.monotonic() + notice()
        try:
            while not self.requeued() and time.monotonic() < until:
                time.sleep(PAUSE)
        except Refused as error:
            say(f"the cluster does not requeue this worker: {error}")
            return False
        return True

    def requeued(self) -> bool:
        """Ask for the requeue; False where the cluster does not answer. Raises Refused."""
        try:
            self.launcher.requeue(self.given.job)
        except NoAnswer:
            return False
        return True
