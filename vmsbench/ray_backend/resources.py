"""Where a sweep's trials run: on this machine, or on the nodes of the job that this process is in."""

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vmsbench import accelerators
from vmsbench.errors import ConfigurationError
from vmsbench.launch.allocation import Allocation, allocation, bound_cpus, python
from vmsbench.launch.environment import ADDRESS, workers
from vmsbench.launch.worker import announced
from vmsbench.ray_backend.node_step import NodeStep
from vmsbench.versions import PUBLIC

JOINING = 90.0  # seconds that the driver waits for the other nodes before it starts with those it has


def slots_for(settings: dict[str, Any], cpus: int | None, gpus: int | None) -> Any:
    """How many trials fit here, or on each node of the job. Raises ConfigurationError where more is asked for than
    there is."""
    from vmsbench.ray_backend.slots import Slots

    for name, count, least in (("cpus", cpus, 1), ("gpus", gpus, 0)):
        if count is not None and count < least:
            raise ConfigurationError(f"--{name} {count}: at least {least}")
    given = allocation()
    share = settings["slots"]
    for name in ("cpus", "gpus"):
        if share[name] <= 0:
            raise ConfigurationError(f"slots.{name}={share[name]:g}: above 0; slots.{name}=1 works")
    niceness = share.get("niceness", 0)  # a sweep of an earlier version has none
    if given and (lent := workers()):
        return Slots(lent.cpus, lent.gpus, share["cpus"], share["gpus"] * bool(lent.gpus), lent.count, niceness)
    seen = accelerators.usable(accelerators.counted())
    there = len(given.gpus) if given else seen
    if gpus is not None and gpus > there:
        who = "the job has" if given else "torch sees"
        raise ConfigurationError(f"--gpus {gpus}: {who} {there} here; --gpus {there} works")
    used = there if gpus is None else gpus
    if used > seen and settings["device"] != "cpu":
        raise ConfigurationError(
            f"the job has {used} GPUs here, torch sees {seen} ({version('torch')}): "
            "its build does not fit the driver, or the GPUs are not bound to the job; `device=cpu` trains without them"
        )
    available = given.cpus if given else bound_cpus()
    elsewhere = any(more for _, more in given.shares.values()) and gpus != 0 if given else False
    on_gpu = (used > 0 or elsewhere) and (given is not None or settings["device"] != "cpu")
    nodes = len(given.nodes) if given else 1
    slots = Slots(cpus or available, used, share["cpus"], share["gpus"] if on_gpu else 0, nodes, niceness)
    return dataclasses.replace(slots, others=unlike(slots, given, cpus, gpus)) if given else slots


def unlike(slots: Any, given: Allocation, cpus: int | None, gpus: int | None) -> tuple[tuple[int, int], ...]:
    """The shares of the job's other nodes, at most `cpus` and `gpus` of each; empty where they are as this one's."""
    own = (slots.cpus, slots.gpus)
    there = [given.shares.get(node, own) for node in given.other_nodes]
    shares = tuple((min(c, cpus or c), min(g, g if gpus is None else gpus)) for c, g in there)
    return shares if any(share != own for share in shares) else ()


class KeptRay(contextlib.ExitStack):
    """A Ray on this machine that stays for the next sweep, where that asks for as much."""

    share: tuple[int, int, int] | None = None

    def offer(self, share: tuple[int, int, int]) -> None:
        from vmsbench.ray_backend.session import local_cluster

        if self.share != share:
            self.close()
            self.enter_context(local_cluster(*share))
            self.share = share


KEPT: ContextVar[KeptRay | None] = ContextVar("KEPT", default=None)


@contextmanager
def one_ray() -> Iterator[None]:
    """Within the block the sweeps on this machine share the Ray that the first of them starts."""
    with KeptRay() as kept:
        before = KEPT.set(kept)
        try:
            yield
        finally:
            KEPT.reset(before)


@contextmanager
def ray_for(slots: Any, folder: Path) -> Iterator[None]:
    """Ray on this machine, or over all nodes of the job, for the sweep in `folder`."""
    from vmsbench.ray_backend.session import joined, local_cluster

    given = allocation()
    if given is None:
        share = slots.cpus, slots.gpus, slots.niceness
        if kept := KEPT.get():
            kept.offer(share)
            yield
            return
        with local_cluster(*share):
            yield
        return
    from vmsbench.ray_backend.cluster import head, token_file

    token = token_file(folder)
    ip = own_address(given)
    with contextlib.ExitStack() as stack:
        if workers():
            address = stack.enter_context(
                head(os.environ.get(ADDRESS) or given.address, token, given.job, 0, 0, slots.niceness)
            )
            stack.enter_context(announced(folder, given, address))
            stack.enter_context(joined(address, token))
            yield
            return
        address = stack.enter_context(head(ip, token, given.job, slots.cpus, slots.gpus, slots.niceness))
        stack.enter_context(other_nodes(given, address, token, slots, folder))
        stack.enter_context(joined(address, token))
        await_nodes(len(given.nodes), folder)
        yield


def own_address(given: Allocation) -> str:
    """The address of this node for the job's other nodes: as seen from one of them by its name, else by what the
    cluster calls its address; names of nodes need not resolve."""
    from vmsbench.ray_backend.cluster import LOOPBACK, address_towards

    if not given.other_nodes:
        return LOOPBACK
    other = given.other_nodes[0]
    for reached in (lambda: other, lambda: given.address_of(other)):
        with contextlib.suppress(OSError):
            return address_towards(reached())
    return given.address


@contextmanager
def other_nodes(given: Allocation, address: str, token: Path, slots: Any, folder: Path) -> Iterator[None]:
    """The job's other nodes, each joined to Ray by a step of its own."""
    steps = []
    for node, (cpus, gpus) in zip(given.other_nodes, slots.shares[1:], strict=True):
        command = python(PUBLIC["Ray node"], "join", address, f"--token={token}", f"--job={given.job}")
        command += [f"--cpus={cpus}", f"--gpus={gpus}", "--patient"]
        begin = partial(given.start_step, node, command, cpus=cpus, gpus=gpus, log=folder / "nodes.log")
        steps.append(NodeStep(node, begin))
    try:
        yield
    finally:
        for step in steps:
            step.close()
        for step in steps:
            step.wait(15)


def await_nodes(count: int, folder: Path) -> None:
    from vmsbench.ray_backend.session import nodes_there

    until = time.monotonic() + JOINING
    while (there := nodes_there()) < count and time.monotonic() < until:
        time.sleep(0.2)
    if there < count:
        log = folder / "nodes.log"
        print(
            f"warning: {there} of {count} nodes joined within {JOINING:.0f} s; see {log}", file=sys.stderr, flush=True
        )
