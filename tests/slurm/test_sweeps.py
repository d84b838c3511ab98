"""Sweeps on a real Slurm of two nodes with two pretended GPUs each."""

import re
import shutil
import sys
from typing import Any

import pytest

import vmsbench
from tests.slurm.conftest import ROOT, TINY, User, found, nothing_is_left, of_one_machine, places
from tests.slurm.lab import Lab

pytestmark = pytest.mark.slow

NODES = "--nodes 2 --gpus-per-node 2"


def finishes_on_both_nodes(lab: Lab, user: User, job: str, family: str = "unet") -> None:
    """The sweep ends with its report; meanwhile no node trains more than two at once, and both are at its disposal.

    That both train is left open: on a busy machine a trial's process on one node may be free again for the next trial
    before the other node's first process has begun. Where each node stages the pairs, further down, both train.
    """
    most, joined = dict.fromkeys(range(1, lab.nodes + 1), 0), set()

    def over() -> bool:
        for number in most:
            most[number] = max(most[number], len(lab.processes(number, "ray::ImplicitFunc.train")))
            joined.update([number] if lab.processes(number, "raylet") else [])
        return user.over(job)

    user.wait_for(over, f"job {job} to end", 300)
    user.finishes(job)
    assert joined == {1, 2}
    assert set(places(user.folder / "runs" / family)) <= {"n1", "n2"}
    assert max(most.values()) <= 2
    assert (user.folder / "reports" / family / "index.html").exists(), user.logs()
    user.wait_for(lambda: not user.says("squeue -h").stdout, "every job to be over", 30)
    nothing_is_left(lab)


def test_a_batch_script_uses_both_nodes_and_finds_what_one_machine_finds(
    lab: Lab, user: User, reference: dict[str, Any]
) -> None:
    job = user.sbatch(f"{NODES} --time 10")
    finishes_on_both_nodes(lab, user, job)
    log = (user.folder / f"vmsbench-unet-{job}.log").read_text()
    assert f"host n1  job {job}  restarts 0  nodes n1,n2  GPUs 0,1  commit" in log
    assert "4 trials at once on 2 nodes of 4 cores, 2 GPUs each" in log
    assert found(user.folder / "runs" / "unet") == reference
    assert "job" in user.says("vmsbench status unet").stdout


@pytest.mark.cluster
@pytest.mark.parametrize("family", ["gan", "diffusion"])
def test_the_other_families_scripts_do_the_same(family: str, lab: Lab, user: User) -> None:
    job = user.sbatch(f"{NODES} --time 10", family)
    finishes_on_both_nodes(lab, user, job, family)
    assert found(user.folder / "runs" / family) == of_one_machine(lab, family=family)


@pytest.mark.cluster
@pytest.mark.parametrize("shape", ["allocation", "elastic"])
def test_a_sweep_submitted_from_the_login_node_is_the_same_in_both_shapes(
    shape: str, lab: Lab, user: User, reference: dict[str, Any]
) -> None:
    words = " ".join(f"'{word}'" for word in TINY)
    asked = f"launcher=slurm launcher.shape={shape} --nodes 2 --gpus 2 --cpus 4 --time 10"
    said = user.says(f"vmsbench tune --exp unet {words} {asked}").stdout
    job = re.match(r"job (\d+), log ", said)
    assert job, said
    assert said.splitlines()[1:] == ["  vmsbench status unet", "  vmsbench logs unet", "  vmsbench cancel unet"]
    finishes_on_both_nodes(lab, user, job[1])
    assert found(user.folder / "runs" / "unet") == reference
    assert f"job {job[1]}" in user.says("vmsbench status unet").stdout
    assert "the best configuration is" in user.says("vmsbench logs unet").stdout
    assert "it has no job" in user.says("vmsbench cancel unet").stdout


def test_python_on_the_login_node_submits_a_sweep_and_waits_for_it(
    lab: Lab, user: User, reference: dict[str, Any]
) -> None:
    settings = [word for word in TINY if word not in ("--epochs", "3")]
    (user.folder / "submit.py").write_text(f"""
import vmsbench
from vmsbench.errors import UserError
size = dict(epochs=3, nodes=2, gpus=2, cpus=4, time="10")
try:
    vmsbench.tune("unet", *{settings!r}, epochs=3)
except UserError as error:
    print(error)
sweep = vmsbench.tune("unet", *{settings!r}, "launcher=slurm", "launcher.poll=2", wait=True, **size)
print("ENDED", sweep.finished, sweep.job.number, sweep.job.status.phase, sweep.status().state)
""")
    said = user.says(f"PYTHONPATH={ROOT} {sys.executable} submit.py").stdout
    assert "this is a cluster's login node: launcher=slurm submits the work" in said
    ended = re.search(r"^ENDED True (\d+) completed finished$", said, re.MULTILINE)
    assert ended, said
    assert "4 trials at once on 2 nodes of 4 cores, 2 GPUs each" in said
    assert found(user.folder / "runs" / "unet") == reference
    assert (user.folder / "reports" / "unet" / "index.html").exists()
    assert vmsbench.logs("unet", runs=user.folder / "runs").keys() == {ended[1]}


@pytest.mark.cluster
def test_pairs_are_decoded_once_on_each_nodes_own_disk(lab: Lab, user: User, reference: dict[str, Any]) -> None:
    job = user.sbatch(f"{NODES} --time 10", more=("data.cache=$TMPDIR/staged",))
    finishes_on_both_nodes(lab, user, job)
    assert found(user.folder / "runs" / "unet") == reference
    for number in range(1, lab.nodes + 1):
        staged = lab.folder / "nodes" / f"n{number}" / "staged"
        assert len([*staged.glob("pairs-*.npz")]) == 1
        shutil.rmtree(staged)
    assert not [*(user.folder / "runs" / "cache").glob("pairs-*")]
