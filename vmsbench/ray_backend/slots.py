"""What a driver may use, and how many trials run on it at once: on nodes that are alike, unlike, or come and go."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from vmsbench.errors import ConfigurationError

Share = tuple[int, int]
"""CPUs and GPUs of a node."""

PAUSE = 2.0
"""Seconds between two counts of which nodes have joined."""


@dataclass(frozen=True)
class Slots:
    """What a driver may use, and what each trial gets of it.

    cpus, gpus  of this node, and of the others where `others` does not say
    nodes       a number of machines with so many CPUs and GPUs each
    niceness    of trials, on top of the driver's own
    others      the shares of the further nodes, where they are not all as this one's
    """

    cpus: int
    gpus: int
    cpus_per_trial: float = 1
    gpus_per_trial: float = 0
    nodes: int = 1
    niceness: int = 0
    others: tuple[Share, ...] = ()

    def __str__(self) -> str:
        if self.others:
            cpus, gpus = (" + ".join(map(str, counts)) for counts in zip(*self.shares, strict=True))
            return f"{len(self.shares)} nodes of {cpus} cores, {gpus} GPUs"
        each = f"{self.cpus} core{'s' * (self.cpus != 1)}, {self.gpus} GPU{'s' * (self.gpus != 1)}"
        return each if self.nodes == 1 else f"{self.nodes} nodes of {each} each"

    @property
    def shares(self) -> tuple[Share, ...]:
        """Of every node, this one first."""
        own = (self.cpus, self.gpus)
        return (own, *(self.others or (own,) * (self.nodes - 1)))

    @property
    def count(self) -> int:
        """How many trials run at once. Raises ConfigurationError where not one fits."""
        fits = sum(map(self.on, self.shares))
        if fits < 1:
            raise ConfigurationError(
                f"a trial needs {self.cpus_per_trial:g} CPUs and {self.gpus_per_trial:g} GPUs, but --cpus={self.cpus} "
                f"and --gpus={self.gpus} are all there is"
            )
        return fits

    def on(self, share: Share) -> int:
        """How many trials run at once on a node."""
        cpus, gpus = share
        fits = int(cpus / self.cpus_per_trial)
        return min(fits, int(gpus / self.gpus_per_trial + 1e-9)) if self.gpus_per_trial else fits


class Joined:
    """The slots of the nodes that have joined so far; at least one, so that a trial waits for the first node.

    shares  the CPUs and GPUs of each node that is there now
    """

    def __init__(self, slots: Slots, shares: Callable[[], list[Share]]) -> None:
        self.slots, self.shares = slots, shares
        self.count, self.at = slots.count, 0.0

    def recount(self) -> bool:
        """Count them again, every PAUSE seconds; whether there are more or fewer now."""
        if time.monotonic() - self.at < PAUSE:
            return False
        self.at, before = time.monotonic(), self.count
        self.count = max(1, sum(map(self.slots.on, self.shares())))
        return self.count != before
