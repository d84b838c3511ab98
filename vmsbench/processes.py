"""Child processes: ended by their numbers, with all descendants."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36


def control(option: int, value: int) -> None:
    """Linux's prctl; elsewhere nothing."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def adopt() -> None:
    """From now on a descendant whose parent dies is a child of this process, so that none is lost."""
    control(SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """In a new process (subprocess's `preexec_fn`): be killed when the parent is."""
    control(SET_PDEATHSIG, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """The children of a process here, their children, and so on; zombies are not among them."""
    below = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                below += ([child] if living(child) else []) + descendants(child)
    return below


def living(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def end(pids: Iterable[int], patience: float) -> None:
    """Send SIGTERM to these child processes, and SIGKILL after `patience` seconds."""
    left = list(pids)
    for how in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        until = time.monotonic() + patience
        while left and time.monotonic() < until:
            time.sleep(0.05)
            reap()
            left = [pid for pid in left if living(pid)]


def end_descendants(patience: float = 2.0) -> None:
    """End all processes that this one started or adopted."""
    while left := descendants(os.getpid()):
        end(left, patience)
        reap()


def await_descendants(name: str, patience: float) -> None:
    """Wait up to `patience` seconds for descendants that run the program `name` to end."""
    until = time.monotonic() + patience
    while time.monotonic() < until and name in map(program, descendants(os.getpid())):
        time.sleep(0.05)
        reap()


def program(pid: int) -> str:
    """The name of the program that a process runs; empty where it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def reap() -> None:
    """Collect ended children, so that none stays as a zombie."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
