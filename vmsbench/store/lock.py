"""One process at a time on a sweep, on shared disks too: a file that names its owner, created where there is none.

It does not use flock, which shared disks may not support: the lock is a hard link, which only one process can create,
and its owner touches it every BEAT seconds. That shows whether an owner on another host is alive, by the disk's own
clock.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError

BEAT = 20.0
SILENCE = 120.0
"""Seconds after which an owner on another host that did not touch the lock is considered dead."""

NOBODY = {"host": "an unknown host", "pid": "?", "begun": None, "job": None}


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own `folder` within the block. A lock is taken over from a process that died on this host, from an earlier run
    of the same Slurm job, and from a process on another host that is silent.

    Raises UserError naming the owner's host and process.
    """
    lock = folder / "lock"
    owner = oneself()
    beside = folder / f".lock.{owner['host']}.{owner['pid']}"
    try:
        beside.write_text(json.dumps(owner))
    except OSError as error:
        raise UserError(f"cannot write into {folder} ({error.strerror}); nothing is started") from error
    try:
        for _ in range(2):
            try:
                os.link(beside, lock)
                break
            except FileExistsError:
                remove_if_dead(lock, beside)
        else:
            raise UserError(f"{folder} was taken by another process just now")
    finally:
        beside.unlink()
    over = threading.Event()
    heart = threading.Thread(target=beat, args=(lock, over), daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
        lock.unlink(missing_ok=True)


def oneself() -> dict[str, Any]:
    """This process: a number alone may belong to another one after a restart of the host."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "begun": begun(pid), "job": os.environ.get("SLURM_JOB_ID")}


def beat(lock: Path, over: threading.Event) -> None:
    while not over.wait(BEAT):
        with suppress(OSError):
            os.utime(lock)


def remove_if_dead(lock: Path, beside: Path) -> None:
    """Remove the lock of a dead owner; one that changed hands in between is put back. Raises UserError if it lives."""
    before = owner_of(lock)
    if not dead(before, lock, beside):
        raise UserError(
            f"{lock.parent} is in use by process {before['pid']} on {before['host']}; if that process is gone, wait "
            f"{SILENCE:.0f} s, or remove {lock}"
        )
    stale = beside.with_suffix(".stale")
    with suppress(FileNotFoundError):
        os.rename(lock, stale)
        if owner_of(stale) != before:
            with suppress(FileExistsError):
                os.link(stale, lock)
        stale.unlink()


def dead(owner: dict[str, Any], lock: Path, beside: Path) -> bool:
    if owner["host"] == socket.gethostname():
        return not lives(owner)
    if owner["job"] is not None and owner["job"] == os.environ.get("SLURM_JOB_ID"):
        return True
    os.utime(beside)
    with suppress(FileNotFoundError):
        return beside.stat().st_mtime - lock.stat().st_mtime > SILENCE
    return True


def lives(owner: dict[str, Any]) -> bool:
    """Whether the process of a lock of this host is there, and no later one of the same number."""
    return alive(owner["pid"]) and owner["begun"] == begun(owner["pid"])


def begun(pid: int) -> str | None:
    """The start time of a process on this host and the boot id; None where the system does not provide them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except OSError:
        return None


def living_owner(folder: Path) -> dict[str, Any] | None:
    """The host and process that own a sweep; None where none does."""
    lock = folder / "lock"
    if not lock.exists():
        return None
    owner = owner_of(lock)
    here = owner["host"] == socket.gethostname()
    there = lives(owner) if here else time.time() - lock.stat().st_mtime < SILENCE
    return {"host": owner["host"], "pid": owner["pid"]} if there else None


def owner_of(lock: Path) -> dict[str, Any]:
    try:
        return NOBODY | json.loads(lock.read_text())
    except FileNotFoundError:
        return NOBODY | {"host": socket.gethostname(), "pid": 0}
    except (OSError, json.JSONDecodeError):
        return NOBODY


def alive(pid: int) -> bool:
    """Whether a process of this number runs here; a zombie does not."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
