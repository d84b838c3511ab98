"""One owner of a sweep: what takes a lock over, and what an owner does that has lost it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vmsbench.errors import UNFINISHED, OwnershipLost, StorageError, UserError
from vmsbench.store.journal import Journal
from vmsbench.store.lock import SILENCE, JobStart, beat, check_owned, living_owner, oneself, owned

ROOT = Path(__file__).parents[2]
OTHER = {"host": "n2", "pid": 1, "begun": "x", "token": "other", "job": "12", "restarts": 0, "launcher": {}}


def lock_of(folder: Path, silent: float = 0.0, **changes: Any) -> Path:
    """A lock as a process on another node would leave it, not touched for `silent` seconds."""
    lock = folder / "lock"
    lock.write_text(json.dumps(OTHER | changes))
    at = time.time() - silent
    os.utime(lock, (at, at))
    return lock


@pytest.mark.parametrize("start", [JobStart(), JobStart("12", 0), JobStart("13", 0)])
def test_a_process_on_another_node_owns_what_it_touches_whatever_its_job(start: JobStart, tmp_path: Path) -> None:
    lock_of(tmp_path)
    with pytest.raises(UserError, match="in use by process 1 on n2 of job 12"), owned(tmp_path, start):
        pass


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"7", b"null", b"{}", b'{"token": 5', b'{"pid": "x", "restarts": 0}', b"\xff", b'{"pid": null}'],
)
def test_a_lock_that_is_no_lock_is_held_by_nobody_known(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(content)
    said = r"is in use by process \? on an unknown host; if that process is gone, wait"
    with pytest.raises(UserError, match=said), owned(tmp_path):
        pass
    assert (tmp_path / "lock").read_bytes() == content


@pytest.mark.parametrize("content", [b"[]", b"7", b"{}", b""])
def test_an_owner_whose_lock_turns_unreadable_goes_on(content: bytes, tmp_path: Path) -> None:
    with owned(tmp_path):
        (tmp_path / "lock").write_bytes(content)
        check_owned(tmp_path)


def test_an_earlier_start_of_the_same_job_is_over(tmp_path: Path) -> None:
    lock_of(tmp_path)
    with owned(tmp_path, JobStart("12", 1)):
        assert json.loads((tmp_path / "lock").read_text())["restarts"] == 1


def test_a_later_start_of_the_same_job_is_not(tmp_path: Path) -> None:
    lock_of(tmp_path, restarts=2)
    with pytest.raises(UserError, match="in use"), owned(tmp_path, JobStart("12", 1)):
        pass


@pytest.mark.parametrize(("runs", "taken"), [(True, False), (None, True), (False, True)])
def test_the_cluster_is_asked_before_a_silent_job_is_taken_for_dead(
    runs: bool | None, taken: bool, tmp_path: Path
) -> None:
    asked: list[str] = []

    def asks(owner: Mapping[str, Any]) -> bool | None:
        asked.append(owner["job"])
        return runs

    lock_of(tmp_path, silent=2 * SILENCE)
    if taken:
        with owned(tmp_path, JobStart("13"), asks):
            pass
    else:
        with pytest.raises(UserError, match=r"the job is still there.*vmsbench cancel"), owned(tmp_path, asks=asks):
            pass
    assert asked == ["12"]


def test_a_job_that_is_over_is_not_waited_for(tmp_path: Path) -> None:
    lock_of(tmp_path)
    with owned(tmp_path, JobStart("13"), lambda owner: False):
        pass


@pytest.mark.parametrize(("runs", "lives"), [(True, True), (None, True), (False, False)])
def test_an_owner_whose_job_is_over_is_gone_although_its_lock_is_fresh(
    runs: bool | None, lives: bool, tmp_path: Path
) -> None:
    lock_of(tmp_path)
    assert (living_owner(tmp_path, lambda owner: runs) is not None) == lives
    lock_of(tmp_path, job=None)
    assert living_owner(tmp_path, lambda owner: False) == {"host": "n2", "pid": 1}


def test_a_process_of_another_container_is_not_taken_for_dead_by_its_number(tmp_path: Path) -> None:
    lock_of(tmp_path, **oneself() | {"space": "pid:[1]", "pid": 999_999_999})
    with pytest.raises(UserError, match="in use by process 999999999"), owned(tmp_path):
        pass


def taken_over(folder: Path) -> Path:
    """Another process takes over."""
    (folder / "lock").unlink()
    return lock_of(folder)


def lost_within(folder: Path) -> None:
    """Own a folder that another process takes over meanwhile; its journal gets no line more."""
    journal = Journal(folder)
    with owned(folder):
        journal.write("session")
        before = journal.path.read_bytes()
        taken_over(folder)
        with pytest.raises(OwnershipLost):
            journal.write("started", trial="a", params={})
        assert journal.path.read_bytes() == before


def test_an_owner_that_has_lost_its_lock_writes_nothing_and_leaves_the_others_lock(tmp_path: Path) -> None:
    with pytest.raises(OwnershipLost, match="taken over by another process"):
        lost_within(tmp_path)
    assert json.loads((tmp_path / "lock").read_text())["token"] == "other"
    assert OwnershipLost.exit_code == UNFINISHED


def test_an_owner_whose_successor_is_over_has_lost_its_lock_too(tmp_path: Path) -> None:
    with pytest.raises(OwnershipLost), owned(tmp_path):
        (tmp_path / "lock").unlink()


@pytest.mark.parametrize("error", [UserError("the disk is full"), KeyboardInterrupt()])
def test_an_owner_that_ends_by_an_error_says_first_that_it_lost_its_lock(error: BaseException, tmp_path: Path) -> None:
    def end(lost: bool) -> None:
        with owned(tmp_path):
            if lost:
                taken_over(tmp_path)
            raise error

    with pytest.raises(type(error)):
        end(lost=False)
    with pytest.raises(OwnershipLost):
        end(lost=True)


def test_an_owner_does_not_touch_the_lock_of_another(tmp_path: Path) -> None:
    lock, over = lock_of(tmp_path), threading.Event()
    os.utime(lock, (0, 0))
    heart = threading.Thread(target=beat, args=(lock, "own", over, 0.01))
    heart.start()
    time.sleep(0.1)
    over.set()
    heart.join()
    assert lock.stat().st_mtime == 0


def test_a_lock_that_is_put_back_at_once_was_never_lost(tmp_path: Path) -> None:
    with owned(tmp_path):
        aside = (tmp_path / "lock").rename(tmp_path / "aside")
        back = subprocess.Popen(["sh", "-c", f"sleep 0.2; mv {aside} {tmp_path}/lock"])
        check_owned(tmp_path)
        back.wait()


def unreadable(folder: Path) -> Path:
    """The lock set aside, and in its place what every try to read is an OSError for."""
    aside = (folder / "lock").rename(folder / "aside")
    (folder / "lock").symlink_to("lock")
    return aside


def test_an_owner_that_cannot_read_its_lock_writes_no_line_and_goes_on_once_it_can(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with owned(tmp_path):
        journal.write("session")
        before = journal.path.read_bytes()
        aside = unreadable(tmp_path)
        with pytest.raises(StorageError, match=r"cannot be written \(its lock cannot be read: Too many levels"):
            journal.write("started", trial="a", params={})
        assert journal.path.read_bytes() == before
        check_owned(tmp_path)  # a trial that only asks goes on
        back = subprocess.Popen(["sh", "-c", f"sleep 0.2; mv -f {aside} {tmp_path}/lock"])
        journal.write("started", trial="a", params={})
        back.wait()
    assert not (tmp_path / "lock").exists()


def lost_unread(folder: Path) -> None:
    """Own a folder whose lock cannot be read for a moment, and is another process's then."""
    with owned(folder):
        unreadable(folder).write_text(json.dumps(OTHER))
        with subprocess.Popen(["sh", "-c", f"sleep 0.2; mv -f {folder}/aside {folder}/lock"]):
            Journal(folder).write("session")


def test_a_lock_that_is_anothers_once_it_can_be_read_is_lost(tmp_path: Path) -> None:
    with pytest.raises(OwnershipLost):
        lost_unread(tmp_path)
    assert not (tmp_path / "journal.jsonl").exists()
    assert json.loads((tmp_path / "lock").read_text())["token"] == "other"


@pytest.mark.slow
def test_a_driver_whose_sweep_was_taken_over_leaves_with_75_and_its_trials_write_no_more(tmp_path: Path) -> None:
    words = ["data=standin", "data.size=32", "data.count=120", "preset=quick", "device=cpu", "tracker=none"]
    words += ["space.parameters=[{param:model.network.width,values:[8,16]}]", "pruner=none", "--epochs", "4000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "vmsbench", "tune", "--allow-login-node", "--exp", "unet", "--cpus", "1", *words]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as driver:
        folder = tmp_path / "runs" / "unet"
        while driver.poll() is None and not [*folder.glob("trials/*/history.jsonl")]:
            time.sleep(0.05)
        assert driver.poll() is None, driver.communicate()
        taken_over(folder)
        said = driver.communicate()[1]
    assert driver.returncode == 75, said
    assert "taken over by another process" in said
    assert json.loads((folder / "lock").read_text())["token"] == "other"
    events = [json.loads(line)["event"] for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert events == ["session", "started"]
    assert not [*folder.glob("trials/*/interrupted.json")]
    assert "Error" not in next(folder.glob("trials/*/log.txt")).read_text()
