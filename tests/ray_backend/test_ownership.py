"""What a driver that has lost its sweep to another one does not do."""

from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from vmsbench.errors import OwnershipLost
from vmsbench.launch.allocation import Allocation
from vmsbench.launch.worker import announced
from vmsbench.ray_backend.driver import kept
from vmsbench.store.lock import owned
from vmsbench.store.sweep_folder import RAY_HEAD, SweepFolder
from vmsbench.sweep.failures import LOST, Failure


def test_the_failure_of_a_trial_is_not_logged_into_the_sweep_of_another_driver(tmp_path: Path) -> None:
    trial = tmp_path / "trials" / "a"
    with suppress(OwnershipLost), owned(tmp_path):
        kept(Failure(LOST, "its process died"), trial)
        assert (trial / "log.txt").exists()
        (tmp_path / "lock").write_text('{"token": "other"}')
        with pytest.raises(OwnershipLost):
            kept(Failure(LOST, "its process died"), tmp_path / "trials" / "b")
    assert not (tmp_path / "trials" / "b").exists()


def test_a_driver_that_leaves_last_keeps_what_the_one_that_took_over_announced(tmp_path: Path) -> None:
    def start(restarts: int) -> Allocation:
        return Allocation("7", restarts, ("n1",), 4, ())

    with ExitStack() as old:
        old.enter_context(announced(tmp_path, start(0), "n1:1"))
        with announced(tmp_path, start(1), "n2:1"):
            old.close()
            assert SweepFolder(tmp_path).document(RAY_HEAD)["address"] == "n2:1"
        assert not SweepFolder(tmp_path).document(RAY_HEAD)


def test_a_driver_that_has_lost_its_sweep_announces_nothing(tmp_path: Path) -> None:
    with suppress(OwnershipLost), owned(tmp_path):
        (tmp_path / "lock").write_text('{"token": "other"}')
        with pytest.raises(OwnershipLost), announced(tmp_path, Allocation("7", 0, ("n1",), 4, ()), "n1:1"):
            pass
    assert not SweepFolder(tmp_path).document(RAY_HEAD)
