"""Several trials on each GPU: rehearsed on the CPU with GPUs that Ray counts and hands out, but nobody computes on."""

import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from tests.support.sweeps.in_process import told
from vmsbench.errors import ConfigurationError
from vmsbench.files import LOG_BYTES, log
from vmsbench.search.pruners import Curve, NoPruner
from vmsbench.sweep.failures import Failure
from vmsbench.sweep.trial import Trial, TrialSource

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.nightly
def test_four_gpus_with_two_trials_each_run_eight_at_once_two_on_each(tmp_path: Path) -> None:
    short = Path(tempfile.mkdtemp(dir="/tmp"))  # Ray's sockets need a short path
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.processes.packing", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(short)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "finished True, at once 8" in done.stdout, done.stdout + done.stderr
    cards = Counter(file.read_text() for file in (tmp_path / "meeting").iterdir())
    assert cards == {"0": 2, "1": 2, "2": 2, "3": 2}
    assert {event["state"] for event in told(tmp_path, "finished")} == {"complete"}
    left = [path.name for path in short.iterdir() if not path.name.startswith("torch")]
    shutil.rmtree(short)
    assert left == [], "Ray's folder is still there"


class Asked(TrialSource):
    """TrialSource that counts how often it was asked."""

    def __init__(self, finished: bool = False) -> None:
        self.over, self.times = finished, 0

    def ask(self) -> Trial | None:
        self.times += 1
        return Trial("a", Path("a"), {"metric": "crps"}, {}, None)

    def tell(self, trial: Trial, stopped: str | None, failed: Failure | None) -> None:
        raise AssertionError("nothing was trained")

    @property
    def finished(self) -> bool:
        return self.over

    @property
    def max_trials(self) -> int:
        return 1

    def reference(self, trial: Trial) -> Curve:
        return {}

    def past(self) -> dict[str, Curve]:
        return {}


def test_nothing_begins_that_could_not_save_before_the_job_ends_and_what_is_through_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from vmsbench.ray_backend.driver import RaySearchAlgorithm, RaySearcher

    assert RaySearchAlgorithm(Asked()).suggest("1")["folder"] == "a"
    monkeypatch.setenv("VMSBENCH_UNTIL", str(time.time() + 5))
    bridge = RaySearchAlgorithm(work := Asked())
    bridge.on_trial_result("0", {"seconds": 60.0, "epoch": 4})  # 15 s an epoch
    assert bridge.suggest("1") is None
    assert work.times == 0
    assert RaySearchAlgorithm(Asked(finished=True)).suggest("1") == RaySearcher.FINISHED


@pytest.mark.parametrize(("kept", "waiting"), [(0, 1), (1, 1), (3, 3)])
def test_as_many_processes_as_are_kept_wait_for_the_next_trial(kept: int, waiting: int) -> None:
    """In Ray's own cache, which keeps one by itself: the other slots would import torch anew after each parameter."""
    from ray.tune.execution import tune_controller
    from ray.tune.utils.object_cache import _ObjectCache

    from vmsbench.ray_backend.driver import PrunerState, RayPruningScheduler, RaySearchAlgorithm

    scheduler = RayPruningScheduler(RaySearchAlgorithm(Asked()), PrunerState(NoPruner(), 2), "l1", 60.0, kept)
    cache: _ObjectCache = _ObjectCache(may_keep_one=True)
    trial = SimpleNamespace(placement_group_factory="one CPU")
    for _ in range(2):
        scheduler.on_trial_add(SimpleNamespace(_actor_cache=cache), trial)
    assert sum(cache.cache_object("one CPU", number) for number in range(5)) == waiting
    assert list(cache.flush_cached_objects()) == []
    scheduler.on_trial_add(SimpleNamespace(), trial)  # another version of Ray may have none
    assert "self._actor_cache = _ObjectCache(" in inspect.getsource(tune_controller), "this one has"


def test_an_elastic_sweep_starts_as_many_trials_as_have_slots_now() -> None:
    from vmsbench.ray_backend.driver import RaySearchAlgorithm
    from vmsbench.ray_backend.slots import Joined, Slots

    nodes = [(1, 0)]
    bridge = RaySearchAlgorithm(work := Asked(), joined := Joined(Slots(1, 0), lambda: nodes))
    assert bridge.suggest("1") is not None
    assert bridge.suggest("2") is None
    nodes, joined.at = [(1, 0), (1, 0)], -1e9
    assert bridge.suggest("2") is not None
    assert work.times == 2


def test_workers_are_asked_for_where_trials_wait_for_nodes_that_have_left() -> None:
    from vmsbench.ray_backend.driver import RaySearchAlgorithm
    from vmsbench.ray_backend.slots import Joined, Slots

    class Told:
        ended: ClassVar[list[int]] = []

        def wait(self, ended: int) -> None:
            self.ended.append(ended)

    nodes = [(1, 0), (1, 0)]
    bridge = RaySearchAlgorithm(Asked(), joined := Joined(Slots(1, 0), lambda: nodes), Told())  # type: ignore[arg-type]
    assert bridge.suggest("1") is not None
    joined.at = -1e9
    bridge.ask_for_workers()
    assert Told.ended == [], "a second slot is free"
    nodes, joined.at = [], -1e9
    bridge.ask_for_workers()
    assert Told.ended == [0]


def test_who_was_asked_to_leave_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from vmsbench.ray_backend import driver as ray_driver

    told: list[bytes] = []
    monkeypatch.setattr(ray_driver, "_internal_kv_put", lambda key, value: told.append(key))
    bridge = ray_driver.RaySearchAlgorithm(work := Asked())
    bridge.leave()
    assert bridge.suggest("1") == ray_driver.RaySearcher.FINISHED
    assert work.times == 0
    while not told:
        time.sleep(0.001)
    assert told == [ray_driver.LEAVE]


def test_slots_are_as_many_as_fit() -> None:
    from vmsbench.ray_backend.slots import Slots

    assert Slots(cpus=32, gpus=4, cpus_per_trial=1, gpus_per_trial=0.25).count == 16
    assert Slots(cpus=8, gpus=4, cpus_per_trial=2, gpus_per_trial=1 / 3).count == 4
    assert Slots(cpus=32, gpus=2, gpus_per_trial=1 / 3).count == 6
    with pytest.raises(ConfigurationError, match="a trial needs 4 CPUs and 1 GPUs"):
        _ = Slots(cpus=2, gpus=1, cpus_per_trial=4, gpus_per_trial=1).count


def test_what_a_killed_process_left_of_ray_is_removed_and_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vmsbench.files import save_json
    from vmsbench.ray_backend import private_dir as private
    from vmsbench.store.lock import oneself

    monkeypatch.setattr(private, "place", lambda: str(tmp_path))
    own = private.private_folder()
    dead = subprocess.Popen(["true"])
    dead.wait()
    owners = {"dead": oneself() | {"pid": dead.pid}, "elsewhere": oneself() | {"host": "x", "pid": 1}}
    for name, owner in owners.items():
        (tmp_path / f"vmsbench-{name}").mkdir()
        save_json(tmp_path / f"vmsbench-{name}" / "owner.json", owner)
    private.remove_leftovers()
    assert {path.name for path in tmp_path.iterdir()} == {own.name, "vmsbench-elsewhere"}


def test_a_log_does_not_grow_without_end(tmp_path: Path) -> None:
    for number in range(100):
        log(tmp_path, f"{number} " + "x" * 10_000)
    log(tmp_path, "y" * 10_000_000)
    log(tmp_path, "the end")
    assert (tmp_path / "log.txt").stat().st_size <= LOG_BYTES
    assert (tmp_path / "log.txt").read_text().endswith("the end\n")
