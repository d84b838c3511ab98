"""What a driver does under Ray that has lost its sweep to another one."""

from contextlib import suppress
from pathlib import Path

import pytest

from vmsbench.errors import OwnershipLost
from vmsbench.ray_backend.driver import kept
from vmsbench.store.lock import owned
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
