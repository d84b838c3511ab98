"""Slots of nodes that are unlike, and of nodes that come and go."""

import os
from pathlib import Path

import pytest

from tests.support.processes.commands import a_command
from vmsbench.errors import ConfigurationError
from vmsbench.launch.allocation import Allocation
from vmsbench.launch.slurm.node_shares import counted, node_shares
from vmsbench.ray_backend.resources import unlike
from vmsbench.ray_backend.slots import Joined, Slots
from vmsbench.store.usage import slot_hours


@pytest.mark.parametrize(
    ("slots", "count", "words"),
    [
        (Slots(4, 2, gpus_per_trial=1, nodes=2), 4, "2 nodes of 4 cores, 2 GPUs each"),
        (Slots(4, 1, nodes=2), 8, "2 nodes of 4 cores, 1 GPU each"),
        (Slots(1, 0), 1, "1 core, 0 GPUs"),
        (Slots(4, 3, gpus_per_trial=1, nodes=2, others=((4, 1),)), 4, "2 nodes of 4 + 4 cores, 3 + 1 GPUs"),
        (Slots(3, 0, nodes=2, others=((2, 0),)), 5, "2 nodes of 3 + 2 cores, 0 + 0 GPUs"),
        (Slots(1, 0, cpus_per_trial=2, nodes=2, others=((4, 0),)), 2, "2 nodes of 1 + 4 cores, 0 + 0 GPUs"),
    ],
)
def test_slots_add_up_over_the_nodes(slots: Slots, count: int, words: str) -> None:
    assert slots.count == count
    assert str(slots) == words


def test_nowhere_a_slot_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a trial needs 2 CPUs"):
        _ = Slots(1, 0, cpus_per_trial=2, nodes=2, others=((1, 0),)).count


DETAILS = (
    "JobId=4 NumNodes=3 Nodes=n1 CPU_IDs=0-3,8 Mem=2000 GRES=gpu:a100:3(IDX:0-2) "
    "Nodes=n[2-3] CPU_IDs=0 Mem=500 GRES=gpu:1(IDX:0),nvme:2 MinCPUsNode=1"
)


def test_each_node_is_asked_for_its_own_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_command(tmp_path / "bin", "scontrol", f"echo '{DETAILS}'")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert node_shares("4") == {"n1": (5, 3), "n2": (1, 1), "n3": (1, 1)}


@pytest.mark.parametrize(("numbers", "count"), [("0", 1), ("0-3", 4), ("0-3,8,10-11", 7)])
def test_numbers_are_counted(numbers: str, count: int) -> None:
    assert counted(numbers) == count


@pytest.mark.parametrize(
    ("shares", "cpus", "gpus", "others"),
    [
        ({}, None, None, ()),
        ({"n2": (4, 2), "n3": (4, 2)}, None, None, ()),
        ({"n2": (4, 1), "n3": (4, 2)}, None, None, ((4, 1), (4, 2))),
        ({"n2": (4, 2), "n3": (4, 0)}, None, 1, ((4, 1), (4, 0))),
        ({"n2": (3, 2), "n3": (4, 2)}, 2, None, ((2, 2), (2, 2))),
    ],
)
def test_only_nodes_that_are_unlike_are_told_apart(
    shares: dict[str, tuple[int, int]], cpus: int | None, gpus: int | None, others: tuple[tuple[int, int], ...]
) -> None:
    given = Allocation("4", 0, ("n1", "n2", "n3"), 4, ("0", "1"), shares=shares)
    assert unlike(Slots(4, 2, nodes=3), given, cpus, gpus) == others


def test_slots_follow_what_has_joined() -> None:
    nodes: list[tuple[int, int]] = []
    joined = Joined(Slots(1, 0), lambda: nodes)
    seen = []
    for now in ([], [(1, 0)] * 3, [(1, 0)] * 3, [(1, 0), (4, 0)]):
        nodes, joined.at = now, -1e9
        seen.append((joined.recount(), joined.count))
    assert seen == [(False, 1), (True, 3), (False, 3), (True, 5)]


def test_hours_of_slots_follow_what_has_joined() -> None:
    events = [
        {"event": "session", "time": 0.0, "slots": 1},
        {"event": "slots", "time": 3600.0, "slots": 3},
        {"event": "interrupted", "time": 7200.0},
    ]
    assert slot_hours(events, lambda trial, before: 0.0).idle == 1 + 3
