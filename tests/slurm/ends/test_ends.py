"""Every way in which a job can end before its work does: the sweep goes on, to the trials and the winner of one that
nobody disturbed. `pytest -m cluster` runs them all, one by one."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.slurm.conftest import LONG, User, found, nothing_is_left
from tests.slurm.lab import Lab

NODES = "--nodes 2 --gpus-per-node 2 --time 20"
Fault = Callable[[Lab, User, str], str]


def killed(lab: Lab, number: int, words: str) -> None:
    pids = lab.processes(number, words)
    assert pids, lab.on_node(number, "ps", "-ef")
    lab.on_node(number, "kill", "-9", str(pids[0]))


def requeued(lab: Lab, user: User, job: str) -> str:
    user.says(f"scontrol requeue {job}")
    return job


def preempted(lab: Lab, user: User, job: str) -> str:
    user.says("sbatch -p high --nodes 2 --gpus-per-node 2 --time 1 -o /dev/null --wrap 'sleep 3'")
    return job


def cancelled_and_submitted_again(lab: Lab, user: User, job: str) -> str:
    user.says("vmsbench cancel unet")
    user.wait_for(lambda: user.state(job) == "CANCELLED", "the job to be cancelled")
    said = user.says("vmsbench status unet").stdout
    assert "unet: interrupted" in said
    assert "CANCELLED" in said
    return user.sbatch(NODES, more=LONG)


def driver_killed(lab: Lab, user: User, job: str) -> str:
    killed(lab, 1, "vmsbench tune")
    return job


def trial_killed(lab: Lab, user: User, job: str) -> str:
    killed(lab, 1, "ray::ImplicitFunc")
    return job


def raylet_killed(lab: Lab, user: User, job: str) -> str:
    before = set(lab.processes(2, "raylet/raylet"))
    killed(lab, 2, "raylet/raylet")
    user.wait_for(lambda: set(lab.processes(2, "raylet/raylet")) - before, "the node to join again", 120)
    return job


def head_killed(lab: Lab, user: User, job: str) -> str:
    killed(lab, 1, "gcs_server")
    return job


def slurmd_killed(lab: Lab, user: User, job: str) -> str:
    lab.on_node(2, "pkill", "-9", "-x", "slurmd")
    user.wait_for(lambda: "n2" not in lab.ready(), "n2 to be missed", 90)
    lab.on_node(2, "slurmd", "-N", "n2")
    return job


def node_switched_off(lab: Lab, user: User, job: str) -> str:
    lab.cut_power(2)
    user.wait_for(lambda: "n2" not in lab.ready(), "n2 to be missed", 90)
    lab.start_node(2)
    return job


def first_node_switched_off(lab: Lab, user: User, job: str) -> str:
    lab.cut_power(1)
    user.wait_for(lambda: "n1" not in lab.ready(), "n1 to be missed", 90)
    lab.start_node(1)
    return job


FAULTS = [
    *(requeued, preempted, cancelled_and_submitted_again, driver_killed, trial_killed, raylet_killed, head_killed),
    *(slurmd_killed, node_switched_off, first_node_switched_off),
]


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_sweep_goes_on(fault: Fault, lab: Lab, user: User, long_reference: dict[str, Any]) -> None:
    job = user.sbatch(NODES, more=LONG)
    user.wait_for(lambda: user.epochs() > 5, "a few epochs")
    job = fault(lab, user, job)
    user.finishes(job, 400)
    assert found(user.folder / "runs" / "unet") == long_reference
    nothing_is_left(lab)
    user.wait_for(lambda: len(lab.ready()) == lab.nodes, "all nodes to be back", 60)


@pytest.mark.slow
@pytest.mark.cluster
def test_a_job_that_is_queued_again_loses_its_driver_and_a_trial_and_still_finds_the_same(
    lab: Lab, user: User, long_reference: dict[str, Any]
) -> None:
    job = user.sbatch(NODES, more=LONG)
    user.wait_for(lambda: user.epochs() > 5, "a few epochs")
    requeued(lab, user, job)
    seen = user.epochs()
    user.wait_for(lambda: user.epochs() > seen + 5, "a few more epochs")
    trial_killed(lab, user, job)
    user.wait_for(lambda: user.epochs() > seen + 15, "a few more epochs")
    driver_killed(lab, user, job)
    user.finishes(job, 400)
    log = (user.folder / f"vmsbench-unet-{job}.log").read_text()
    assert "restarts 1" in log
    assert "died (killed by signal 9); restarting" in log
    assert found(user.folder / "runs" / "unet") == long_reference
    nothing_is_left(lab)
