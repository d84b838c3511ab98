"""Ranges of numbers: what a parameter may be where it is not a list of options.

{param: optimizers.network.lr, range: [1e-4, 1e-2], log: true}     any number between, uniform in its logarithm
{param: model.network.width, range: [16, 96], step: 16}            16, 32, ... 96
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from vmsbench.config.format import describe
from vmsbench.errors import ConfigurationError

DIGITS = 6  # of a number that is chosen within a range

FORM = "a range is [lowest, highest], two numbers"


@dataclass(frozen=True)
class ValueRange:
    """Numbers from `low` to `high`, both included; uniform in the logarithm where `log`; multiples of `step` above
    `low` where there is a step; whole numbers where `whole`."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    @classmethod
    def read(cls, param: str, entry: Mapping[str, Any]) -> "ValueRange":
        """The range of an entry of conf/space. Raises ConfigurationError, in one line, for one without numbers."""
        given, log, step = entry["range"], entry.get("log", False), entry.get("step")
        ends = [number(end) for end in given] if isinstance(given, list | tuple) else []
        if len(ends) != 2 or None in ends:
            raise ConfigurationError(f"space: {param} has range {describe(given)}; {FORM}")
        low, high = (end for end in ends if end is not None)
        if low == high:
            raise ConfigurationError(f"space: the range of {param} is empty: both ends are {describe(low)}")
        if low > high:
            raise ConfigurationError(
                f"space: the range of {param} is reversed; write [{describe(high)}, {describe(low)}]"
            )
        if not isinstance(log, bool):
            raise ConfigurationError(f"space: {param} has log: {describe(log)}; it is true or false")
        if log and low <= 0:
            raise ConfigurationError(
                f"space: {param} has log: {describe(log)} from {describe(low)}: a logarithmic range starts above 0"
            )
        return cls(low, high, log, checked_step(param, step, high - low, log), whole(low, high, step))

    @cached_property
    def last(self) -> float:
        """The highest number that can be reached."""
        return self.high if self.step is None else self.low + self.step * math.floor((self.high - self.low) / self.step)

    @property
    def count(self) -> float:
        """How many numbers there are: infinitely many where there is no step."""
        step = self.step or (1 if self.whole else None)
        return math.inf if step is None else math.floor((self.high - self.low) / step + 1e-9) + 1

    def at(self, share: float) -> Any:
        """The number at a share of the way from the lowest (0) to the highest (1)."""
        if self.log:
            return self.snapped(math.exp(math.log(self.low) + share * math.log(self.high / self.low)))
        return self.snapped(self.low + share * (self.last - self.low))

    def between(self, one: float, other: float) -> Any:
        """The number halfway between two: their geometric mean in a logarithmic range."""
        return self.snapped(math.sqrt(one * other) if self.log else (one + other) / 2)

    def snapped(self, value: float) -> Any:
        """The nearest number of the range, of a few digits."""
        if self.step is not None:
            value = self.low + self.step * round((value - self.low) / self.step)
        short = value if self.whole else float(f"{value:.{DIGITS}g}")
        inside = min(max(short, self.low), self.last)
        return round(inside) if self.whole else float(f"{inside:.12g}")

    @cached_property
    def points(self) -> tuple[Any, ...]:
        """The lowest, the middle and the highest number."""
        return tuple(dict.fromkeys(self.at(share) for share in (0.0, 0.5, 1.0)))

    def around(self, best: float, tried: Iterable[float]) -> list[Any]:
        """The numbers halfway from `best` to its neighbours among those that were tried, as far as they are new."""
        known = {float(value) for value in tried}
        inside = [value for value in known if self.low <= value <= self.last]
        below = max((value for value in inside if value < best), default=None)
        above = min((value for value in inside if value > best), default=None)
        halves = [self.between(best, value) for value in (below, above) if value is not None]
        return [value for value in dict.fromkeys(halves) if float(value) not in known]

    def __contains__(self, value: Any) -> bool:
        return number(value) is not None and not isinstance(value, str) and self.low <= value <= self.high

    def __str__(self) -> str:
        step = "" if self.step is None else f" in steps of {describe(self.step)}"
        return f"{describe(self.low)} to {describe(self.high)}{step}{', logarithmic' if self.log else ''}"


def checked_step(param: str, step: Any, width: float, log: bool) -> float | None:
    """The step as a number. Raises ConfigurationError for one that leads nowhere."""
    if step is None:
        return None
    size = number(step)
    if size is None or not 0 < size <= width:
        raise ConfigurationError(f"space: {param} has step: {describe(step)}; it is above 0, at most {describe(width)}")
    if log:
        raise ConfigurationError(f"space: {param} has log and step; a range has one of them")
    return size


def whole(*numbers: float | None) -> bool:
    return all(one is None or isinstance(one, int) for one in numbers)


def number(value: Any) -> float | None:
    """A finite number, also where it is written as text (`1E-04`); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def fitting(found: ValueRange, param: str, there: Any) -> ValueRange:
    """The range with numbers of the type of the setting it varies, `there`.

    Raises ConfigurationError for a setting that is not a number, and for fractions of whole numbers.
    """
    if isinstance(there, bool | str | dict | list):
        raise ConfigurationError(f"space: {param}={describe(there)} takes no range, which is of numbers; give values")
    if isinstance(there, int) and not found.whole:
        raise ConfigurationError(f"space: {param}={there} is a whole number; so are the ends and the step of its range")
    if isinstance(there, float) and found.whole:
        step = None if found.step is None else float(found.step)
        return replace(found, low=float(found.low), high=float(found.high), step=step, whole=False)
    return found


def like(value: Any, there: Any) -> Any:
    """An option with numbers of the type of those in the setting it replaces, so that 1, 1.0 and `1E+00` are one."""
    if isinstance(there, list) and isinstance(value, list) and len(there) == len(value):
        return [like(item, one) for item, one in zip(value, there, strict=True)]
    if isinstance(there, bool) or not isinstance(there, int | float):
        return value
    found = number(value)
    if found is None or (isinstance(there, int) and found != int(found)):
        return value
    return float(found) if isinstance(there, float) else int(found)
