"""The environment variables between a job, its supervisor and its command.

Your own batch script may export them; docs/how-to/slurm.md explains each.
"""

import os
from dataclasses import dataclass

UNTIL = "VMSBENCH_UNTIL"
"""Seconds since 1970 at which the job stops training: no epoch starts that cannot end by then."""

NOTICE = "VMSBENCH_NOTICE"
"""Seconds before the end of its time at which the cluster signals the job."""

ELASTIC = "VMSBENCH_ELASTIC"
"""WORKERS,CPUS,GPUS: this job only drives; so many other jobs lend so many CPUs and GPUs each."""

MAX_RESTARTS = "VMSBENCH_MAX_RESTARTS"
"""How often an unfinished sweep is requeued."""

LAUNCHER = "VMSBENCH_LAUNCHER"
"""The full path of the launcher's class; without it every launcher in conf/ is asked whose job this is."""

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
    return float(os.environ.get(UNTIL, "inf"))


def notice() -> float:
    return float(os.environ.get(NOTICE, DEFAULT_NOTICE))


def workers() -> Workers | None:
    """The workers of an elastic sweep, in the job that drives it; None in any other process."""
    parts = os.environ.get(ELASTIC, "").split(",")
    return Workers(*map(int, parts)) if len(parts) == 3 else None


def max_restarts() -> int:
    return int(os.environ.get(MAX_RESTARTS, DEFAULT_MAX_RESTARTS))
