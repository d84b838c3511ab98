"""One process at a time on a sweep, on shared disks too: a file that names its owner, made where there is none."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own `folder` within the block; the lock of a process that is dead on this host is taken over.

    Raises UserError naming the owner's host and process.
    """
    lock = folder / "lock"
    owner = {"host": socket.gethostname(), "pid": os.getpid()}
    beside = folder / f".lock.{owner['host']}.{owner['pid']}"
    beside.write_text(json.dumps(owner))
    try:
        for _ in range(2):
            try:
                os.link(beside, lock)
                break
            except FileExistsError:
                remove_if_dead(lock, beside.with_suffix(".stale"))
        else:
            raise UserError(f"{folder} was taken by another process just now")
    finally:
        beside.unlink()
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def remove_if_dead(lock: Path, stale: Path) -> None:
    """Remove the lock of a dead owner; one that changed hands in between is put back. Raises UserError if it lives."""
    before = owner_of(lock)
    if before["host"] != socket.gethostname() or alive(before["pid"]):
        raise UserError(
            f"{lock.parent} is being worked on by process {before['pid']} on {before['host']}; "
            f"where that process is gone, remove {lock}"
        )
    with suppress(FileNotFoundError):
        os.rename(lock, stale)
        if owner_of(stale) != before:
            with suppress(FileExistsError):
                os.link(stale, lock)
        stale.unlink()


def owner_of(lock: Path) -> dict[str, Any]:
    try:
        return json.loads(lock.read_text())
    except FileNotFoundError:
        return {"host": socket.gethostname(), "pid": 0}
    except (OSError, json.JSONDecodeError):
        return {"host": "an unknown host", "pid": "?"}


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
