"""Processes: children ended by their numbers, with all descendants; whose this one is, and how it keeps memory."""

import contextlib
import ctypes
import os
import pwd
import resource
import signal
import time
from collections.abc import Iterable
from pathlib import Path

SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT = 2**30  # bytes that malloc keeps at most
SIZES = (2**30, 2**25)  # bytes of the largest block of these; an older glibc takes no more than the second
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_")
"""The variables by which a user says how much malloc keeps."""


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


def disable_core_dumps() -> None:
    """From now on this process and those that it starts leave no core file in the user's folder where they crash."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


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


def kill(pids: Iterable[int], patience: float) -> None:
    """Send SIGKILL to processes, and wait up to `patience` seconds until they have ended; who started them collects
    them."""
    left = list(pids)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + patience
    while time.monotonic() < until and any(map(living, left)):
        time.sleep(0.01)


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


def kills_for_memory(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """The kills for want of memory that Linux has counted so far in this process's control group and in those around it
    that are the job's too: a number that grows with each. 0 where there are no control groups.

    groups, own  where they are mounted, and the file that names this process's
    """
    with contextlib.suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):
                base = groups / "memory" if controllers else groups
                return sum(kills(base / group) for group in groups_of_job(path))
    return 0


def groups_of_job(path: str) -> list[str]:
    """A control group and those around it, up to the job's (`job_4`); itself alone where none is called so, and none
    for the group of the whole machine, whose kills are not the job's."""
    parts = Path(path.strip("/")).parts
    if not parts:
        return []
    first = next((at for at, part in enumerate(parts) if part.startswith("job_")), len(parts) - 1)
    return ["/".join(parts[: end + 1]) for end in range(first, len(parts))]


def kills(group: Path) -> int:
    """The kills that a control group has counted: memory.events of version 2, memory.oom_control of version 1."""
    for name in ("memory.events", "memory.oom_control"):
        with contextlib.suppress(OSError):
            counts = dict(line.split() for line in (group / name).read_text().splitlines())
            return int(counts.get("oom_kill", 0))
    return 0


def keep_freed_memory() -> None:
    """Let malloc keep what is freed for the next allocation, in all of this process, where it is glibc's.

    By itself it gives each large tensor back to the kernel and takes it anew, page by page, each filled with zeros: a
    fifth of the time of a training on a CPU, a third of an encoder's. What the environment sets of it is left as it is.
    """
    if "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "") or any(name in os.environ for name in SETTINGS):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(TRIM_THRESHOLD, KEPT)
        any(mallopt(MMAP_THRESHOLD, size) for size in SIZES)


def user_name() -> str:
    """The name of this process's user, or the number where the machine knows no name, as in a container."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
