"""The hours that a sweep may take: `budget=20gpuh` of its trials, `budget=20gpuh-billed` of all its slots, idle or
not."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from vmsbench.errors import ConfigurationError
from vmsbench.search.configured import BILLED
from vmsbench.store.usage import HOUR


@dataclass
class Budget:
    """The hours that trials may take in all, over every start; unlimited by default.

    hours      of a unit; None for no limit
    per_hour   how many units a trial takes in an hour: the GPUs or CPUs of its slot
    used_before  units taken before this start
    text       as the user wrote it: `20gpuh`
    billed     how many slots count from now on, whether they are busy or not; None where trials count
    since      when this start was, in seconds of the monotonic clock
    """

    hours: float | None = None
    per_hour: float = 1.0
    used_before: float = 0.0
    text: str = ""
    billed: int | None = None
    since: float = field(default_factory=time.monotonic)
    running: dict[str, float] = field(default_factory=dict)

    def begin(self, trial: str) -> None:
        self.running[trial] = time.monotonic()

    def end(self, trial: str) -> None:
        begun = self.running.pop(trial, None)
        if begun is not None and self.billed is None:
            self.used_before += (time.monotonic() - begun) / HOUR * self.per_hour

    @property
    def taken(self) -> float:
        now = time.monotonic()
        if self.billed is not None:
            return self.used_before + (now - self.since) / HOUR * self.per_hour * self.billed
        return self.used_before + sum(now - begun for begun in self.running.values()) / HOUR * self.per_hour

    @property
    def used_up(self) -> str | None:
        if self.hours is None or self.taken < self.hours:
            return None
        return f"budget={self.text} is used up ({self.taken:.2f} taken); a larger budget continues from here"

    def grow(self, asked: Iterable[str]) -> None:
        """Take the largest of the budgets in its own unit that were asked for while the sweep ran."""
        if self.hours is not None:
            self.text = largest(self.text, asked)
            self.hours = parsed(self.text)[0]


def largest(now: str, asked: Iterable[str]) -> str:
    """The largest of a budget and those in its unit among `asked`."""
    unit = parsed(now)[1:]
    return max((now, *(one for one in asked if parsed(one)[1:] == unit)), key=lambda one: parsed(one)[0])


def grown(now: str | None, text: str) -> None:
    """Raises ConfigurationError where a budget does not grow from `now` to `text`."""
    more = parsed(text)
    if now is None:
        raise ConfigurationError(
            f"budget={text}: this sweep has no budget that could grow; without one it ends by itself"
        )
    before = parsed(now)
    if more[1:] != before[1:] or more[0] <= before[0]:
        raise ConfigurationError(f"budget={text} is not more than budget={now}; give it more, in the same unit")


def parsed(text: str) -> tuple[float, str, bool]:
    """The number of a budget, its unit, and whether all slots count. Raises ConfigurationError for anything else."""
    match = re.fullmatch(rf"(\d+(?:\.\d+)?)\s*(gpuh|cpuh|h)({BILLED})?", text)
    if match is None or not float(match[1]):
        raise ConfigurationError(f"budget={text} is not a budget; budget=20gpuh, 8cpuh, 3h and 20gpuh-billed are")
    return float(match[1]), match[2], bool(match[3])


def check_budget(text: str | None) -> None:
    """Raises ConfigurationError for what is no budget, before anything is read, measured or submitted."""
    if text is not None:
        parsed(str(text))


def read_budget(text: str | None, cpus: float, gpus: float, slots: int = 1) -> Budget:
    """`20gpuh`, `8cpuh` or `3.5h` (of one trial after the other), of trials, or with `-billed` of so many slots.

    Raises ConfigurationError for anything else.
    """
    if text is None:
        return Budget()
    hours, unit, billed = parsed(str(text))
    if unit == "gpuh" and not gpus:
        raise ConfigurationError(f"budget={text}: trials use no GPU here; budget={hours:g}cpuh{BILLED * billed} works")
    per_hour = {"gpuh": gpus, "cpuh": cpus, "h": 1.0}[unit]
    return Budget(hours, per_hour, text=str(text), billed=slots if billed else None)
