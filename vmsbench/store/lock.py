"""One process at a time on a sweep, on shared disks too: a file that names its owner, created where there is none.

It does not use flock, which shared disks may not support: the lock is a hard link, which only one process can create,
and its owner touches it every BEAT seconds. That shows whether an owner on another host is alive, by the disk's own
clock. An owner that was suspended, or whose disk stalled, may find that another process has taken over meanwhile: so
it compares the lock's token with its own before it writes (`check_owned`).
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vmsbench.config.commands import command_on
from vmsbench.errors import OwnershipLost, StorageError, UserError

BEAT = 20.0
SILENCE = 120.0
"""Seconds after which an owner on another host that did not touch the lock is considered dead."""
RENAMED = (0.1, 0.4, 1.0)
"""Pauses between tries for a lock that is missing: a process that finds it in use puts it back at once; and for
one that cannot be read, as just after another process has replaced it on a shared disk."""

NOBODY = {"host": "an unknown host", "pid": "?", "begun": None, "space": None, "job": None, "restarts": 0}

Asks = Callable[[Mapping[str, Any]], bool | None]
"""Whether the job of a lock's owner still runs, by its cluster; None where that cannot be found out."""

held: dict[Path, str] = {}
"""The folders that this process owns, and the tokens of their locks."""


@dataclass(frozen=True)
class JobStart:
    """One start of a cluster's job: its number, how often it was restarted before, its launcher's settings."""

    job: str | None = None
    restarts: int = 0
    launcher: Mapping[str, Any] = field(default_factory=dict)


def unknown(owner: Mapping[str, Any]) -> bool | None:
    return None


@contextmanager
def owned(folder: Path, start: JobStart = JobStart(), asks: Asks = unknown) -> Iterator[None]:
    """Own `folder` within the block. A lock is taken over from a process that died on this host, from an earlier start
    of the same job, from a job that is over, and from a process on another host that is silent, unless its job runs.

    Raises UserError naming the owner's host, process and job; OwnershipLost on leaving, by whatever error or
    interrupt, where another process has taken over in the meantime.
    """
    lock = folder / "lock"
    token = secrets.token_hex(8)
    owner = oneself() | asdict(start) | {"token": token}
    own = folder / f".lock.{owner['host']}.{owner['pid']}"
    try:
        own.write_text(json.dumps(owner))
    except OSError as error:
        raise UserError(f"cannot write into {folder} ({error.strerror}); nothing is started") from error
    try:
        for _ in range(2):
            try:
                os.link(own, lock)
                break
            except FileExistsError:
                remove_if_dead(lock, own, start, asks)
        else:
            raise UserError(f"{folder} was taken by another process just now; wait for it, or stop it")
    finally:
        own.unlink()
    over = threading.Event()
    heart = threading.Thread(target=beat, args=(lock, token, over), daemon=True)
    heart.start()
    held[folder.resolve()] = token
    try:
        yield
    except (Exception, KeyboardInterrupt):
        check_owned(folder)
        raise
    else:
        check_owned(folder)
    finally:
        over.set()
        heart.join()
        del held[folder.resolve()]
        with suppress(OSError):  # a lock that stays is silent from now on, and taken over
            if token_in(lock) == token:
                lock.unlink(missing_ok=True)


def check_owned(folder: Path, token: str | None = None, *, writes: bool = False) -> None:
    """Raises OwnershipLost where another process has taken over a folder.

    token   of its lock, as another process of the owner's knows it; default: the one that this process holds. Without
            either nothing is checked.
    writes  whether the folder is written to next: StorageError is raised then where the lock cannot be read. Else an
            owner goes on, and finds out the next time.
    """
    own = token or held.get(folder.resolve())
    if own is None:
        return
    try:
        there = token_in(folder / "lock")
    except OSError as error:
        if not writes:
            return
        raise StorageError(error.errno, f"its lock cannot be read: {error.strerror}", str(folder)) from error
    if there not in (own, UNREADABLE):
        raise OwnershipLost(
            f"{folder} was taken over by another process while this one was suspended or its disk did not answer; "
            "it writes nothing more, and the other process continues"
        )


def check_all_owned() -> None:
    """`check_owned` for every folder that this process owns."""
    for folder in list(held):
        check_owned(folder)


UNREADABLE = "unreadable"


def token_in(lock: Path) -> str | None:
    """The token of a lock; None where there is no lock, UNREADABLE where that is no lock of `owned`, which puts whole
    ones in place alone. Raises OSError where the disk does not say."""
    for pause in (*RENAMED, None):
        try:
            return str(json.loads(lock.read_text())["token"])
        except OSError as error:
            if pause is None and not isinstance(error, FileNotFoundError):
                raise
            time.sleep(pause or 0.0)
        except (ValueError, TypeError, LookupError):
            return UNREADABLE
    return None


def oneself() -> dict[str, Any]:
    """This process: a number alone may belong to another one after a restart of the host, or in another container."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "begun": begun(pid), "space": process_space()}


def process_space() -> str | None:
    """The name of the namespace of this process's number: equal numbers in two of them are two processes."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return None


def beat(lock: Path, token: str, over: threading.Event, seconds: float | None = None) -> None:
    """Touch the lock every BEAT seconds, as long as it is one's own."""
    while not over.wait(seconds or BEAT):
        with suppress(OSError):
            if token_in(lock) == token:
                os.utime(lock)


def remove_if_dead(lock: Path, own: Path, start: JobStart, asks: Asks) -> None:
    """Remove the lock of a dead owner; one that changed hands in between is put back. Raises UserError if it lives."""
    before = owner_of(lock)
    runs = None if ours(before) or before["job"] in (None, start.job) else asks(before)
    if runs or not dead(before, lock, own, start, runs):
        raise UserError(in_use(lock, before, runs))
    stale = own.with_suffix(".stale")
    with suppress(FileNotFoundError):
        os.rename(lock, stale)
        if owner_of(stale) != before:
            with suppress(FileExistsError):
                os.link(stale, lock)
        stale.unlink()


def in_use(lock: Path, owner: Mapping[str, Any], runs: bool | None) -> str:
    """Why the folder cannot be had, and what helps."""
    job = f" of job {owner['job']}" if owner["job"] else ""
    helps = f"if that process is gone, wait {SILENCE:.0f} s, or remove {lock}"
    if runs:
        helps = f"the job is still there: wait for it, or `{command_on('cancel', lock.parent)}`"
    return f"{lock.parent} is in use by process {owner['pid']} on {owner['host']}{job}; {helps}"


def dead(owner: dict[str, Any], lock: Path, own: Path, start: JobStart, runs: bool | None) -> bool:
    if ours(owner):
        return not lives(owner)
    if owner["job"] is not None and owner["job"] == start.job and owner["restarts"] < start.restarts:
        return True
    if runs is False:
        return True
    os.utime(own)
    with suppress(FileNotFoundError):
        return own.stat().st_mtime - lock.stat().st_mtime > SILENCE
    return True


def ours(owner: Mapping[str, Any]) -> bool:
    """Whether an owner's process can be seen from here: it is of this host, and not in another container."""
    return owner["host"] == socket.gethostname() and owner["space"] in (None, process_space())


def lives(owner: Mapping[str, Any]) -> bool:
    """Whether the process of a lock of this host is there, and no later one of the same number."""
    return alive(owner["pid"]) and owner["begun"] == begun(owner["pid"])


def begun(pid: int) -> str | None:
    """The start time of a process on this host and the boot id; None where the system does not provide them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except OSError:
        return None


def living_owner(folder: Path, asks: Asks = unknown) -> dict[str, Any] | None:
    """The host and process that own a sweep; None where none does.

    A process on another host lives as long as it touches its lock, unless `asks` says that its job is over.
    """
    lock = folder / "lock"
    if not lock.exists():
        return None
    owner = owner_of(lock)
    if ours(owner):
        there = lives(owner)
    else:
        there = time.time() - lock.stat().st_mtime < SILENCE and not (owner["job"] and asks(owner) is False)
    return {"host": owner["host"], "pid": owner["pid"]} if there else None


def owner_of(lock: Path) -> dict[str, Any]:
    """Who a lock names; NOBODY where it cannot be read, or is not what `owned` writes."""
    try:
        owner = json.loads(lock.read_text())
    except FileNotFoundError:
        return NOBODY | {"host": socket.gethostname(), "pid": 0}
    except (OSError, ValueError):
        return NOBODY
    whole = NOBODY | owner if isinstance(owner, dict) else NOBODY
    return whole if all(type(whole[name]) is int for name in ("pid", "restarts")) else NOBODY


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
