"""Sweeps on a real Slurm of two nodes with two pretended GPUs each."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.conftest import TINY, User
from tests.slurm.lab import Lab

pytestmark = pytest.mark.slow

NODES = "--nodes 2 --gpus-per-node 2"


def found(folder: Path) -> dict[str, Any]:
    """What a sweep came to: every trial's score, the winner, the finals' test scores."""
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {
        "trials": {e["trial"]: e["score"] for e in events if e["event"] == "finished" and e["outcome"] == "complete"},
        "winner": next(e["choice"] for e in events if e["event"] == "winner"),
        "finals": {e["trial"]: e["scores"] for e in events if e["event"] == "final"},
    }


def places(folder: Path) -> dict[str, int]:
    """How many trials each node trained."""
    said = "".join(file.read_text() for file in folder.glob("*/*/log.txt"))
    hosts = re.findall(r" on cpu of (\S+):", said)
    return {host: hosts.count(host) for host in hosts}


@pytest.fixture(scope="session")
def reference(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same sweep on one machine, without Slurm."""
    user = User(lab, tmp_path_factory.mktemp("here"))
    user.says(f"vmsbench tune --here --exp unet --quiet {' '.join(map(repr, TINY))}")
    return found(user.folder / "runs" / "unet")


def nothing_is_left(lab: Lab, user: User) -> None:
    for number in range(1, lab.nodes + 1):
        assert lab.processes(number, "ray") == [], lab.on_node(number, "ps", "-ef")
        assert lab.processes(number, "vmsbench") == []
        assert [*(lab.folder / "nodes" / f"n{number}").glob("vmsbench*")] == []


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
    nothing_is_left(lab, user)
