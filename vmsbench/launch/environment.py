"""The environment variables between a job, its supervisor and its command.

Your own batch script may export them; docs/how-to/slurm.md explains each.
"""

import math
import os
import re
from dataclasses import dataclass

from vmsbench.errors import UserError

UNTIL = "VMSBENCH_UNTIL"
"""Seconds since 1970 at which the job stops training: no epoch starts that cannot end by then."""

NOTICE = "VMSBENCH_NOTICE"
"""Seconds before the end of its time at which the cluster signals the job."""

ELASTIC = "VMSBENCH_ELASTIC"
"""WORKERS,CPUS,GPUS: this job only drives; so many other jobs lend so many CPUs and GPUs each."""

IDLE = "VMSBENCH_IDLE"
"""Seconds without a trial or a driver after which a worker of an elastic sweep leaves; it stays where this is unset."""

SUPERVISED = "VMSBENCH_SUPERVISED"
"""Set by `vmsbench job` for its command: signals, restarts and requeues are looked after."""

MAX_RESTARTS = "VMSBENCH_MAX_RESTARTS"
"""How often an unfinished sweep is requeued."""

MOST_TIME, MOST_MEMORY = "VMSBENCH_MOST_TIME", "VMSBENCH_MOST_MEMORY"
"""Time, as the cluster writes it, and memory of each node, that a continuation may ask for: 64 or 64G."""

LAUNCHER = "VMSBENCH_LAUNCHER"
"""The full path of the launcher's class; without it every launcher in conf/ is asked whose job this is."""

CONTAINER, RUNTIME = "VMSBENCH_CONTAINER", "VMSBENCH_RUNTIME"
"""The image that what trains runs in, and apptainer, enroot or podman."""

BINDS = "VMSBENCH_BINDS"
"""Further paths that the container gets, separated by os.pathsep."""

ADDRESS = "VMSBENCH_ADDRESS"
"""The address of this node for the cluster's other nodes, where the cluster's commands are away."""

THREADS = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS"),
)
"""How many threads the numeric libraries take."""

DEFAULT_NOTICE = 120.0
DEFAULT_MAX_RESTARTS = 100


@dataclass(frozen=True)
class Workers:
    """What an elastic sweep trains on: so many jobs, each with so many CPUs and GPUs."""

    count: int
    cpus: int
    gpus: int

    def __str__(self) -> str:
        return f"{self.count},{self.cpus},{self.gpus}"


def until() -> float:
    """When the job stops training, in seconds since 1970; infinity where unknown."""
    return number(UNTIL, math.inf)


def notice() -> float:
    return number(NOTICE, DEFAULT_NOTICE)


def workers() -> Workers | None:
    """The workers of an elastic sweep, in the job that drives it; None in any other process."""
    given = os.environ.get(ELASTIC, "").strip()
    if not given:
        return None
    try:
        count, cpus, gpus = map(int, given.split(","))
    except ValueError as error:
        raise UserError(f"{ELASTIC}={given} is not WORKERS,CPUS,GPUS, such as 4,8,1: unset it") from error
    return Workers(count, cpus, gpus)


def idle() -> float | None:
    """Seconds without a trial after which a worker leaves; None where it stays."""
    return number(IDLE, 0.0) or None


def max_restarts() -> int:
    return int(number(MAX_RESTARTS, DEFAULT_MAX_RESTARTS))


def most_memory() -> float | None:
    """GB of each node that a continuation may ask for; None where it may not ask for more. Raises UserError."""
    given = os.environ.get(MOST_MEMORY, "").strip()
    found = re.fullmatch(r"(\d+\.?\d*)([MGT]?)B?", given, re.IGNORECASE)
    if given and not (found and float(found[1])):
        raise UserError(f"{MOST_MEMORY}={given} is not a memory: unset it, or give GB of each node such as 64, or 64G")
    return float(found[1]) * {"M": 1 / 1024, "T": 1024.0}.get(found[2].upper(), 1.0) if found else None


def number(name: str, default: float) -> float:
    """What a variable says; `default` where it is unset or empty. Raises UserError for what is no number."""
    given = os.environ.get(name, "").strip()
    try:
        found = float(given) if given else default
    except ValueError:
        found = math.nan
    if (given and not math.isfinite(found)) or found < 0:
        raise UserError(f"{name}={given} is not a number of at least 0: unset it, or give one such as {default:g}")
    return found


def threads(name: str = THREADS[0]) -> int | None:
    """What a variable of THREADS says, read as OpenMP reads it: of a list, which is for nested levels, the first; None
    where it is no whole number above 0."""
    first = os.environ.get(name, "").split(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and int(first) > 0 else None


def drop_unusable_threads() -> None:
    """Unset those of THREADS that mean nothing, as one that is set from an unset variable: defaults hold then."""
    for name in THREADS:
        if threads(name) is None:
            os.environ.pop(name, None)
