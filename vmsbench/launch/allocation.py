"""The allocation of the job that this process is in; and whether this is a login node, where training is refused."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmsbench.config.instantiate import find
from vmsbench.config.plugins import option_files
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launch.environment import LAUNCHER
from vmsbench.processes import end_descendants

if TYPE_CHECKING:
    from vmsbench.launch.launcher import Launcher


@dataclass(frozen=True)
class Allocation:
    """The resources of one job. The base class is that of a cluster whose jobs have one node each.

    job       its number
    restarts  how often it was restarted
    nodes     their names, this one first
    cpus      of this node that the job may use
    gpus      of this node, by the names that its maker takes: numbers, GPU-... or MIG-...
    settings  of the launcher that answers for the job: {"_target_": ...}
    deadline  when its time is up, in seconds since 1970; None where unknown
    early     seconds by which the cluster may signal the end of the time too early
    requeues  whether the cluster lets the job go back into the queue; else it submits its own continuation
    log       the file that it writes to
    shares    CPUs and GPUs of the other nodes, by name, where they are known; else they are as this one's
    """

    job: str
    restarts: int
    nodes: tuple[str, ...]
    cpus: int
    gpus: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    deadline: float | None = None
    early: float = 0.0
    requeues: bool = True
    log: str | None = None
    shares: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def other_nodes(self) -> tuple[str, ...]:
        return self.nodes[1:]

    @property
    def address(self) -> str:
        """This node's address for the cluster's other nodes."""
        return socket.gethostbyname(socket.gethostname())

    def address_of(self, node: str) -> str:
        """Under which this node reaches another one: an address or a name."""
        return node

    def start_step(
        self, node: str, command: Sequence[str], *, cpus: int, gpus: int, log: Path
    ) -> "subprocess.Popen[bytes]":
        """Start a command on another node of the job. Close its standard input to end it. Raises UserError."""
        raise UserError(f"job {self.job} cannot start anything on {node}: ask for one node")

    def end_steps(self, patience: float) -> None:
        """End everything that this process started, on every node; steps on other nodes have `patience` seconds to
        end."""
        end_descendants()

    def lost(self, nodes: Sequence[str]) -> list[str]:
        """Those of the nodes that the cluster has marked as failed."""
        return []

    def informed(self) -> "Allocation":
        """The same, with what the cluster did not say as the job began, where it says it now."""
        return self

    def check_limits(self) -> None:
        """Raises UserError where what a continuation may ask for cannot be read."""

    def larger(self, cause: str) -> Mapping[str, Any]:
        """What a continuation asks for where this job had too little, as settings of its launcher; empty where it may
        ask for no more.

        cause  time or memory
        """
        return {}

    def submit_again(
        self, command: Sequence[str], folder: Path, exclude: Sequence[str], more: Mapping[str, Any] | None = None
    ) -> str:
        """Submit a job like this one, that starts after it with the same command; returns its number. Raises UserError.

        command  of vmsbench
        folder   of the sweep
        exclude  nodes to leave out
        more     what `larger` gave
        """
        raise UserError(f"job {self.job} cannot submit its own continuation; submit it again")


def allocation() -> Allocation | None:
    """The job that this process is in; None outside of every cluster."""
    return next((found for _, kind in launchers() if (found := kind.allocation()) is not None), None)


def launchers() -> Iterator[tuple[str, "type[Launcher]"]]:
    """All launchers, by their names in conf/launcher; only the one that started this job, where it is known."""
    import yaml

    named = os.environ.get(LAUNCHER)
    if named:
        yield named, find(named, "launcher")
        return
    for name, file in option_files("launcher").items():
        with contextlib.suppress(ConfigurationError):
            yield name, find(yaml.safe_load(file.read_text())["_target_"], "launcher")


def login_node() -> str | None:
    """The name of the launcher that submits from this machine, where this is a login node of its cluster."""
    return next((name for name, kind in launchers() if kind.on_login_node()), None)


def refuse_misplaced() -> None:
    """Raises UserError in a process of a job that is not the one to drive a sweep, with the command that works."""
    if why := next(filter(None, (kind.misplaced() for _, kind in launchers())), None):
        raise UserError(why)


def refuse_login_node(allowed: bool) -> None:
    """Raises UserError on a cluster's login node, unless the user allows training there; `refuse_misplaced`."""
    refuse_misplaced()
    if not allowed and (name := login_node()):
        raise UserError(
            f"this is a cluster's login node: launcher={name} submits the work; --allow-login-node runs it here"
        )


def bound_cpus() -> int:
    """The CPUs that this process is bound to."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def python(module: str, *arguments: str) -> list[str]:
    """A command that runs a module of vmsbench with this Python."""
    return [sys.executable, "-u", "-m", module, *arguments]
