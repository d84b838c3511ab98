"""A worker: a job of one node that joins a sweep driven by another job, at any time.

The driver writes the address of its Ray into runs/NAME/.ray-head.json. The worker joins that, waits for the next one
when it is gone, and ends when the driver's job is over. When it is preempted it leaves at once and is requeued; its
trials continue from their last epoch elsewhere.
"""

import contextlib
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from vmsbench.files import save_json
from vmsbench.launch.allocation import Allocation, allocation, python
from vmsbench.launch.environment import notice
from vmsbench.launch.job_log import launcher_of_job
from vmsbench.launch.launcher import JobError, JobPhase, NoAnswer, Refused
from vmsbench.launch.supervisor import SIGNALS, launcher_for, say
from vmsbench.processes import adopt, end_descendants
from vmsbench.versions import PUBLIC

HEAD, TOKEN = ".ray-head.json", ".ray-token"  # in the folder of the sweep
LOOK = 2.0  # seconds between two checks for a head


def announce(folder: Path, given: Allocation, address: str) -> Path:
    """Write the address of the driver's Ray for workers; the file is removed with it."""
    save_json(folder / HEAD, {"address": address, "job": given.job, "restarts": given.restarts, "time": time.time()})
    return folder / HEAD


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
        self.leaving = False
        self.asked = time.monotonic()
        self.launcher = launcher_for(given)

    def run(self) -> None:
        adopt()
        for number in SIGNALS:
            signal.signal(number, self.leave)
        say(f"worker on {self.given.nodes[0]}, job {self.given.job}, GPUs {','.join(self.given.gpus) or 'none'}")
        while not self.leaving and not self.driver_over():
            address = self.address()
            if address is not None:
                say(f"joining {address}")
                self.lend(address)
            elif not self.leaving:
                time.sleep(LOOK)
        end_descendants(0.0)
        if self.leaving:
            self.come_back()
        else:
            say("the driver's job is over")

    def address(self) -> str | None:
        with contextlib.suppress(OSError, json.JSONDecodeError, KeyError):
            return str(json.loads((self.folder / HEAD).read_text())["address"])
        return None

    def lend(self, address: str) -> None:
        """Join that Ray, and stay until it ends."""
        given, token = self.given, self.folder / TOKEN
        options = [f"--token={token}", f"--job={given.job}", f"--cpus={given.cpus}", f"--gpus={len(given.gpus)}"]
        self.child = subprocess.Popen(python(PUBLIC["Ray node"], "join", address, *options))
        if self.leaving:
            self.child.terminate()
        self.child.wait()
        self.child = None
        end_descendants(0.0)
        if not self.leaving:
            time.sleep(LOOK)

    def leave(self, number: int, frame: Any) -> None:
        say(f"{signal.Signals(number).name}: leaving")
        self.leaving = True
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                self.child.terminate()

    def driver_over(self) -> bool:
        """The cluster is queried rarely; a driver of unknown status is not over."""
        launcher = launcher_of_job(self.folder, self.driver) or self.launcher
        if time.monotonic() - self.asked < launcher.poll:
            return False
        self.asked = time.monotonic()
        return launcher.status(self.driver).over

    def come_back(self) -> None:
        """Requeue this job, unless it was cancelled or the cluster does not requeue; ask again where it does not
        answer."""
        phase = self.launcher.status(self.given.job).phase
        if not self.given.requeues or phase not in (JobPhase.RUNNING, JobPhase.UNKNOWN):
            return
        until = time.monotonic() + notice()
        try:
            while not self.requeued() and time.monotonic() < until:
                time.sleep(LOOK)
        except Refused as error:
            say(f"the cluster does not requeue this worker: {error}")

    def requeued(self) -> bool:
        """Ask for the requeue; False where the cluster does not answer. Raises Refused."""
        try:
            self.launcher.requeue(self.given.job)
        except NoAnswer:
            return False
        return True
