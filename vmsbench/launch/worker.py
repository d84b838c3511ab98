"""A job of one node that lends itself to a sweep that another job drives: it may come late, go early, and come back.

The driver writes runs/NAME/.ray-head.json: where its Ray is. The worker joins that, waits for the next one when it is
gone, and ends when the driver's job is over. Preempted, it leaves at once and queues itself again; its trials go on
from their last epoch elsewhere.
"""

import contextlib
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from vmsbench.files import save_json
from vmsbench.launch.launcher import JobError
from vmsbench.launch.slurm.allocation import Allocation, allocation, python
from vmsbench.launch.slurm.commands import POLL, Refused, call
from vmsbench.launch.slurm.jobs import by_squeue, details, job_status
from vmsbench.launch.supervisor import WISHES, say
from vmsbench.processes import adopt, end_descendants
from vmsbench.versions import PUBLIC

HEAD, TOKEN = ".ray-head.json", ".ray-token"  # in the folder of the sweep
LOOK = 2.0  # seconds between two looks for a head


def announce(folder: Path, given: Allocation, address: str) -> Path:
    """Tell workers where the driver's Ray is; the file is to be removed with it."""
    save_json(folder / HEAD, {"address": address, "job": given.job, "restarts": given.restarts, "time": time.time()})
    return folder / HEAD


def work(driver: str, folder: str) -> None:
    """Be a node for the sweep in `folder` until the job `driver` is over. Raises JobError outside of Slurm."""
    given = allocation()
    if given is None:
        raise JobError("a worker is a job of its own: sbatch slurm/worker.sh DRIVER FOLDER")
    Worker(given, driver, Path(folder)).run()


class Worker:
    def __init__(self, given: Allocation, driver: str, folder: Path) -> None:
        self.given, self.driver, self.folder = given, driver, folder
        self.child: subprocess.Popen[bytes] | None = None
        self.leaving = False
        self.asked = time.monotonic()

    def run(self) -> None:
        adopt()
        for wish in WISHES:
            signal.signal(wish, self.leave)
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
        """Join, and stay while that Ray is there."""
        given, token = self.given, self.folder / TOKEN
        told = [f"--token={token}", f"--job={given.job}", f"--cpus={given.cpus}", f"--gpus={len(given.gpus)}"]
        self.child = subprocess.Popen(python(PUBLIC["Ray node"], "join", address, *told))
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
        """Slurm is asked now and then only; a driver that nobody knows anything of is not over."""
        if time.monotonic() - self.asked < POLL:
            return False
        self.asked = time.monotonic()
        return job_status(self.driver).over

    def come_back(self) -> None:
        now = by_squeue(str(self.given.job))
        if now is None or now.state != "RUNNING":
            return
        try:
            if details(self.given.job).get("Requeue") != "0":
                call("scontrol", "requeue", str(self.given.job))
        except Refused as error:
            say(f"Slurm does not queue this worker again: {error}")
