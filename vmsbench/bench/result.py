"""A measurement next to its target, as a line of text or JSON."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vmsbench.accelerators import backends


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    value     None where it could not be; `how` is then the command that does
    least     the target: at least this much; None where there is no such target
    most      the target: at most this much
    """

    what: str
    value: float | None
    unit: str
    least: float | None = None
    most: float | None = None
    how: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is no value, or no target."""
        if self.value is None or (self.least is None and self.most is None):
            return None
        return self.value >= self.least if self.least is not None else self.value <= (self.most or 0.0)

    @property
    def target(self) -> str:
        bounds = (("≥", self.least), ("≤", self.most))
        return next((f"{sign} {bound:g}" for sign, bound in bounds if bound is not None), "")

    def line(self) -> str:
        """Within 80 columns, except for the command of what is unmeasured."""
        if self.value is None:
            return f"{self.what:<48} unmeasured {self.target:>8}  {self.how}"
        said = {True: "met", False: "missed", None: ""}[self.met]
        return f"{self.what:<48} {self.value:>9.3g} {self.unit:<4} {self.target:>8}  {said}".rstrip()

    def plain(self) -> dict[str, Any]:
        return vars(self) | {"met": self.met}


def interleaved(contestants: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Seconds per image of each contestant in each round; they take turns, so that disturbances affect all.

    A contestant does a piece of work and returns how many images that was. A first round is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            settle()
            start = time.perf_counter()
            images = work()
            settle()
            if number:
                seconds[name].append((time.perf_counter() - start) / images)
    return seconds


def settle() -> None:
    """Wait until the device has finished."""
    for backend in backends():
        backend.synchronize()


def times_faster(one: Sequence[float], other: Sequence[float]) -> float:
    """How many times as fast `one` is as `other`: the median over rounds."""
    return statistics.median(b / a for a, b in zip(one, other, strict=True))


def milliseconds(seconds: Sequence[float]) -> float:
    return 1000 * statistics.median(seconds)
