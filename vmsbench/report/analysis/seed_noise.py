"""How sure a choice by tuning scores is: whether the next best option is further off than seeds alone would be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import variance

from vmsbench.config.format import describe
from vmsbench.store.records import ParameterRecord, SweepRecord

STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)
"""Two-sided 95 % points of Student's t at 1 to 10 degrees of freedom."""


TOO_FEW = "two seeds are too few to say how far seeds alone differ"


@dataclass(frozen=True)
class SeedNoise:
    """What a seed does to a tuning score: its standard deviation, pooled over `freedom` degrees of freedom.

    seeds   how many it rests on, over all configurations that have two or more
    """

    deviation: float
    freedom: int
    seeds: int

    @property
    def known(self) -> bool:
        """Whether it says anything: by two seeds, two others could be 13 times as far apart as these, and more."""
        return self.freedom > 1

    @property
    def words(self) -> str:
        """How many seeds it rests on, or that they are too few."""
        return f"seeds alone: from {self.seeds} seeds" if self.known else TOO_FEW

    def apart(self, repeats: int = 1) -> float:
        """How far apart two means over `repeats` seeds each are one time in twenty by their seeds alone."""
        at = STUDENT[self.freedom - 1] if self.freedom <= len(STUDENT) else 1.96 + 2.5 / self.freedom
        return at * self.deviation * math.sqrt(2 / repeats)


def seed_noise(sweep: SweepRecord) -> SeedNoise | None:
    """From the finals and the repeated trials of each configuration; None where none has two seeds."""
    runs: dict[str, list[float]] = {}
    for final in sweep.finals:
        if final.of and sweep.metric in final.tuning:
            runs.setdefault(final.of, []).append(final.tuning[sweep.metric])
    for trial in sweep.trials:
        if trial.state == "complete" and trial.score is not None:
            params = {param: describe(value) for param, value in trial.params.items() if param != "seed"}
            runs.setdefault(repr(sorted(params.items())), []).append(trial.score)
    return pooled([values for values in runs.values() if len(values) > 1])


def pooled(runs: Sequence[Sequence[float]]) -> SeedNoise | None:
    """The spread within runs of equal configurations, each around its own mean."""
    freedom = sum(len(values) - 1 for values in runs)
    if not freedom:
        return None
    squares = sum(variance(values) * (len(values) - 1) for values in runs)
    return SeedNoise(math.sqrt(squares / freedom), freedom, sum(len(values) for values in runs))


def gap(sweep: SweepRecord, step: ParameterRecord) -> float | None:
    """How much worse the next best complete option is than what was settled on; None where there is no other."""
    if not step.settled or step.score is None:
        return None
    others = [
        sweep.sign * (option.score - step.score)
        for option in step.options
        if option.value != step.value and option.state == "complete" and option.score is not None
    ]
    return max(0.0, min(others)) if others else None


def how_sure(sweep: SweepRecord, step: ParameterRecord, noise: SeedNoise | None) -> str:
    """`clear`, `within seed noise`, or nothing where there is nothing to tell apart or seeds are too few."""
    apart = gap(sweep, step)
    if apart is None or noise is None or not noise.known:
        return ""
    return "clear" if apart > noise.apart(sweep.repeats) else "within seed noise"


def noise_words(label: str, noise: SeedNoise | None) -> str:
    """A figure's caption: how many seeds its band rests on, or why there is none."""
    said = noise.words if noise is not None else "no configuration has a second seed, so no band of seeds is drawn"
    return f"{label}: {said}."
