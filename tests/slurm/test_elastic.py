"""Workers that come and go, and a driver that comes back: a sweep of the elastic shape goes on all the same."""

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from tests.slurm.conftest import LONG, TINY, User, found, nothing_is_left
from tests.slurm.lab import Lab
from vmsbench.store.job_events import notes

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

ASKED = "launcher=slurm launcher.shape=elastic --nodes 2 --gpus 2 --cpus 3 --time 20"
Fault = Callable[[Lab, User, str, list[str]], None]


def worker_requeued(lab: Lab, user: User, driver: str, workers: list[str]) -> None:
    user.says(f"scontrol requeue {workers[0]}")


def worker_preempted(lab: Lab, user: User, driver: str, workers: list[str]) -> None:
    user.says("sbatch -p high -w n2 --exclusive --time 1 -o /dev/null --wrap 'sleep 3'")


def worker_cancelled(lab: Lab, user: User, driver: str, workers: list[str]) -> None:
    user.says(f"scancel {workers[1]}")


def workers_node_switched_off(lab: Lab, user: User, driver: str, workers: list[str]) -> None:
    lab.cut_power(2)
    user.wait_for(lambda: "n2" not in lab.ready(), "n2 to be missed", 90)
    lab.start_node(2)


def another_worker_comes(lab: Lab, user: User, driver: str, workers: list[str]) -> None:
    user.says(f"scancel {workers[0]} {workers[1]}")
    user.says(f"sbatch --gpus-per-node 2 --array=0-1 --time 20 slurm/worker.sh {driver} runs/unet")


def driver_requeued(lab: Lab, user: User, driver: str, workers: list[str]) -> None:
    user.says(f"scontrol requeue {driver}")


def driver_killed(lab: Lab, user: User, driver: str, workers: list[str]) -> None:
    number = next(number for number in (1, 2) if lab.processes(number, "vmsbench tune"))
    lab.on_node(number, "pkill", "-9", "-f", "vmsbench tune")


FAULTS = [
    *(worker_requeued, worker_preempted, worker_cancelled, workers_node_switched_off, another_worker_comes),
    *(driver_requeued, driver_killed),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_sweep_goes_on(fault: Fault, lab: Lab, user: User, long_reference: dict[str, Any]) -> None:
    said = user.says(f"vmsbench tune --exp unet {shlex.join([*TINY, *LONG])} {ASKED}").stdout
    driver = re.findall(r"job (\d+), log ", said)[0]
    workers = [str(line["job"]) for line in notes(user.folder / "runs" / "unet") if "driver" in line]
    assert len(workers) == 2
    user.wait_for(lambda: user.epochs() > 5, "a few epochs")
    fault(lab, user, driver, workers)
    user.finishes(driver, 400)
    assert found(user.folder / "runs" / "unet") == long_reference
    user.wait_for(lambda: not user.says("squeue -h").stdout, "the workers to leave", 120)
    nothing_is_left(lab, files=fault is not workers_node_switched_off)
    user.wait_for(lambda: len(lab.ready()) == lab.nodes, "all nodes to be back", 60)


def test_workers_leave_without_work_and_come_back_where_trials_wait(
    lab: Lab, user: User, long_reference: dict[str, Any]
) -> None:
    said = user.says(f"vmsbench tune --exp unet {shlex.join([*TINY, *LONG])} {ASKED} launcher.idle=20").stdout
    driver = re.findall(r"job (\d+), log ", said)[0]

    def workers() -> list[str]:
        return [str(line["job"]) for line in notes(user.folder / "runs" / "unet") if "driver" in line]

    user.wait_for(lambda: user.epochs() > 5, "a few epochs")
    user.says(f"scancel {' '.join(workers())}")
    user.wait_for(lambda: len(workers()) > 2, "the driver to submit another worker", 120)
    user.finishes(driver, 400)
    assert found(user.folder / "runs" / "unet") == long_reference
    there = [job for job in workers() if user.state(job) not in ("CANCELLED", "COMPLETED")]
    user.wait_for(lambda: not user.says("squeue -h").stdout, f"the workers {there} to leave", 120)
    assert "trials wait: job" in user.logs()
    nothing_is_left(lab)


def test_a_worker_without_a_trial_leaves_before_the_sweep_is_over(
    lab: Lab, user: User, long_reference: dict[str, Any]
) -> None:
    said = user.says(f"vmsbench tune --exp unet {shlex.join([*TINY, *LONG])} {ASKED} launcher.idle=5").stdout
    driver = re.findall(r"job (\d+), log ", said)[0]
    user.finishes(driver, 400)
    assert found(user.folder / "runs" / "unet") == long_reference
    user.wait_for(lambda: not user.says("squeue -h").stdout, "the workers to leave", 120)
    assert "no trial for 5 s: this node leaves" in user.logs()
    ended = {
        str(line["job"]): line["time"] for line in notes(user.folder / "runs" / "unet") if line["event"] == "ended"
    }
    assert min(ended.values()) < ended[driver]
    nothing_is_left(lab)
