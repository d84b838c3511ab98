"""Sweeps on a real Slurm of two nodes with two pretended GPUs each."""

from typing import Any

import pytest

from tests.slurm.conftest import User, found, nothing_is_left, places
from tests.slurm.lab import Lab

pytestmark = pytest.mark.slow

NODES = "--nodes 2 --gpus-per-node 2"


def test_a_batch_script_uses_both_nodes_and_finds_what_one_machine_finds(
    lab: Lab, user: User, reference: dict[str, Any]
) -> None:
    job = user.sbatch(f"{NODES} --time 10")
    user.finishes(job)
    log = (user.folder / f"vmsbench-unet-{job}.log").read_text()
    assert f"host n1  job {job}  restarts 0  nodes n1,n2  GPUs 0,1  commit" in log
    assert "4 trials at once on 2 nodes of 4 cores, 2 GPUs each" in log
    runs = user.folder / "runs" / "unet"
    assert found(runs) == reference
    assert set(places(runs)) == {"n1", "n2"}
    assert "job" in user.says("vmsbench status unet").stdout
    user.says("vmsbench report unet")
    assert (user.folder / "reports" / "unet" / "index.html").exists()
    nothing_is_left(lab)
