"""The mirror beside a running sweep: it may fail or hang, and the sweep does not notice."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from vmsbench.errors import OwnershipLost
from vmsbench.store.lock import owned
from vmsbench.tracking.background import Background
from vmsbench.tracking.tracker import Tracker, TrackingError, Untracked


class Spy(Tracker):
    """Counts syncs, and fails or blocks as told."""

    def __init__(self, act: Callable[[int], None]) -> None:
        self.act, self.count, self.inside, self.most = act, 0, 0, 0

    def sync(self, sweep: Path) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.count += 1
        try:
            self.act(self.count)
        finally:
            self.inside -= 1

    def link(self) -> str:
        return ""


def until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        time.sleep(0.005)
    raise AssertionError("it never came true")


def test_the_background_syncs_again_and_again_and_once_more_at_the_end(tmp_path: Path) -> None:
    spy = Spy(lambda count: None)
    with Background(spy, tmp_path, seconds=0.001) as background:
        until(lambda: spy.count >= 3)
    last = spy.count
    background.close()
    assert spy.count == last
    assert spy.most == 1

    spy = Spy(lambda count: None)
    with Background(spy, tmp_path, seconds=1000):
        pass
    assert spy.count == 1


def test_a_mirror_that_fails_warns_once_until_it_works_again(tmp_path: Path) -> None:
    def fail(count: int) -> None:
        if count in (1, 2, 3, 5):
            raise TrackingError("no server\nlong story")

    said: list[str] = []
    with Background(spy := Spy(fail), tmp_path, seconds=0.001, warn=said.append):
        until(lambda: spy.count >= 6)
    assert said == ["tracking: no server (training continues; a later sync catches up)"] * 2


def test_a_mirror_that_hangs_does_not_hold_the_sweep(tmp_path: Path) -> None:
    release = threading.Event()

    def hang(count: int) -> None:
        release.wait()

    said: list[str] = []
    background = Background(Spy(hang), tmp_path, 0.001, patience=0.05, warn=said.append)
    background.close()
    release.set()
    assert len(said) == 1
    assert "did not finish" in said[0]


def test_a_sweep_that_another_process_has_taken_over_is_synced_no_more(tmp_path: Path) -> None:
    spy, said = Spy(lambda count: None), list[str]()
    with suppress(OwnershipLost), Background(spy, tmp_path, 0.001, warn=said.append), owned(tmp_path):
        until(lambda: spy.count >= 1)
        (tmp_path / "lock").write_text('{"token": "other"}')
        time.sleep(0.1)
        before = spy.count
        time.sleep(0.1)
        assert spy.count == before, "while it runs"
    assert spy.count == before, "nor at its end"

    spy = Spy(lambda count: None)
    with pytest.raises(OwnershipLost), Background(spy, tmp_path, seconds=1000, warn=said.append):
        raise OwnershipLost("taken over")
    assert spy.count == 0
    assert not said


def test_no_tracker_is_an_object_too(tmp_path: Path) -> None:
    Untracked().sync(tmp_path)
    assert Untracked().link() == ""
