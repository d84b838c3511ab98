"""Which differences are significant: intervals and paired tests, both from one estimate, so that they agree.

Everything takes errors per seed and image, S x N arrays (lower is better; N alone for one seed), of models trained S
times and scored on the same N images in the same order. Images and seeds are both draws: images are shared by all
models, each has seeds of its own. A mean's variance adds up that over images (of the errors, or their differences,
averaged over seeds) and that over each model's seeds. Interval and p are of Student's t with Satterthwaite's (1946)
degrees of freedom: an interval leaves out 0 exactly where p, before Holm's correction, is below 0.05. So both speak of
the family, retrained, on new images; from one seed they speak of that one trained network only.

Few seeds are little evidence. 95 % intervals hold the truth 95 times in 100 where seeds differ less than images do;
where seeds differ far more, at worst 94 times with 5 seeds, 92 with 3 and 87 with 2 (a difference of two models: 95,
95 and 93). tests/metrics/test_significance.py has the simulation.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vmsbench.errors import UserError

CONFIDENCE = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate and where it plausibly lies; an end is infinite where too few images bound it."""

    value: float
    low: float
    high: float

    def excludes(self, number: float) -> bool:
        return self.low > number or self.high < number


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images: difference = first - second (negative: the first has the lower error).

    p_alone   of this pair by itself: below 0.05 exactly where the difference's interval leaves out 0
    p         the same, adjusted by Holm for all comparisons made together
    seeds     of the one with fewer; from one the verdict is on two trainings, not on what another seed would give
    """

    first: str
    second: str
    difference: Interval
    p_alone: float
    p: float
    seeds: int = 2

    @property
    def shown(self) -> bool:
        """A difference is shown where p is below 0.05 after Holm's correction; its interval then leaves out 0."""
        return self.p < 1 - CONFIDENCE

    @property
    def verdict(self) -> str:
        if not self.shown:
            return "no difference shown"
        better = f"{self.better} is better"
        return better if self.seeds > 1 else f"{better} in the one training of each"

    @property
    def better(self) -> str:
        """Which has the lower error, shown or not."""
        return self.first if self.difference.value < 0 else self.second


@dataclass(frozen=True)
class Estimate:
    """A mean over images and seeds, its standard error, and the degrees of freedom of that; 0 of one image."""

    value: float
    error: float
    freedom: float

    def margin(self) -> float:
        """Half the width of the 95 % interval."""
        if not self.freedom:
            return math.inf
        return student_point(1 - CONFIDENCE, self.freedom) * self.error if self.error else 0.0

    @property
    def interval(self) -> Interval:
        margin = self.margin()
        return Interval(self.value, self.value - margin, self.value + margin)

    @property
    def p(self) -> float:
        """Two-sided, that the true mean is 0."""
        if not self.freedom:
            return 1.0
        return student_tails(abs(self.value) / self.error, self.freedom) if self.error else float(self.value == 0)


def mean_interval(errors: ArrayLike) -> Interval:
    """The mean error of one model with its 95 % interval."""
    return estimate(errors).interval


def difference_interval(first: ArrayLike, second: ArrayLike) -> Interval:
    """mean(first) - mean(second), paired by image, with its 95 % interval."""
    return estimate(first, second).interval


def skill(errors: ArrayLike, reference: ArrayLike) -> Interval:
    """1 - mean(errors) / mean(reference), reference being a blind predictor's errors: 1 is perfect, 0 is blind.

    The interval is Fieller's (1954): it holds the skills that the test of errors - (1 - skill) reference does not
    reject, so it leaves out 0 exactly where the difference's interval does. Its upper end is at most 1. Raises
    UserError where the reference makes no error at all: there is nothing to be better than.
    """
    model, blind = _matrices(errors, reference)
    if blind.mean() <= 0:
        raise UserError("skill: the reference has no error, so nothing can be compared with it")

    def rejected(ratio: float) -> bool:
        left = estimate(model, ratio * blind)
        return abs(left.value) > left.margin()

    ratio = float(model.mean() / blind.mean())
    step = estimate(model, ratio * blind).margin() / float(blind.mean())
    if step == math.inf:
        return Interval(1 - ratio, -math.inf, 1.0)
    step = step or (0.0 if rejected(1.0) else abs(1 - ratio))
    low, high = (_end(rejected, ratio, way * step) if step else ratio for way in (-1, 1))
    return Interval(1 - ratio, 1 - high, 1 - max(low, 0.0))


def estimate(first: ArrayLike, second: ArrayLike | None = None) -> Estimate:
    """The mean of `first`, or of first - second paired by image, where images and each one's seeds are draws.

    From one seed of each this is the paired t test over images; where all images differ alike, Welch's over seeds.
    """
    models = _matrices(first) if second is None else _matrices(first, second)
    signed = [sign * model for sign, model in zip((1, -1), models, strict=False)]
    images = sum((model.mean(axis=0) for model in signed), np.zeros(models[0].shape[1]))
    value = float(images.mean())
    if len(images) == 1:
        return Estimate(value, math.inf, 0.0)
    draws = [images, *(seeds for model in models if len(seeds := model.mean(axis=1)) > 1)]
    parts = [(float(np.var(one, ddof=1)) / len(one), len(one) - 1) for one in draws]
    variance = sum(part for part, _ in parts)
    # Each part is divided by the whole first: the square of a small variance may be too small for a float.
    freedom = 1 / sum((part / variance) ** 2 / free for part, free in parts) if variance else float(len(images) - 1)
    return Estimate(value, math.sqrt(variance), freedom)


def student_tails(t: float, freedom: float) -> float:
    """P(|T| >= t) of Student's t: with T = sqrt(freedom) tan(u), the density of u is cos(u)^(freedom - 1)."""
    start = math.atan(t / math.sqrt(freedom))
    tail, whole = (np.linspace(begin, math.pi / 2, 20_001) for begin in (start, 0.0))
    areas = [np.trapezoid(np.cos(u).clip(0) ** (freedom - 1), u) for u in (tail, whole)]
    return float(areas[0] / areas[1])


def student_point(p: float, freedom: float) -> float:
    """The t of which `student_tails` is p."""
    u = np.linspace(math.pi / 2, 0.0, 20_001)
    density = np.cos(u).clip(0) ** (freedom - 1)
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return math.sqrt(freedom) * math.tan(float(np.interp(p, area / area[-1], u)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjusted p-values, in the order given: reject those below alpha, whatever the number."""
    count = len(p_values)
    adjusted = [0.0] * count
    largest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def compare(errors: Mapping[str, ArrayLike]) -> list[Comparison]:
    """Every pair of models, in the order given, with Holm's correction over all of them."""
    seeds = {name: len(np.atleast_2d(np.asarray(values))) for name, values in errors.items()}
    pairs = list(itertools.combinations(errors, 2))
    return _corrected(
        [(a, b, estimate(errors[a], errors[b]), min(seeds[a], seeds[b])) for a, b in pairs],
    )


def compare_with_blind(errors: Mapping[str, ArrayLike], blind: Mapping[str, ArrayLike]) -> list[Comparison]:
    """Each model against each predictor that ignores the image, with Holm's correction over all of them.

    A blind predictor (errors of N images) is not trained: it has no seeds that could vary.
    """
    return _corrected(
        [
            (a, b, estimate(errors[a], blind[b]), len(np.atleast_2d(np.asarray(errors[a]))))
            for a, b in itertools.product(errors, blind)
        ]
    )


def _corrected(found: Sequence[tuple[str, str, Estimate, int]]) -> list[Comparison]:
    alone = [one.p for _, _, one, _ in found]
    return [
        Comparison(a, b, one.interval, p_alone, p, seeds)
        for (a, b, one, seeds), p_alone, p in zip(found, alone, holm(alone), strict=True)
    ]


def _end(rejected: Callable[[float], bool], ratio: float, step: float) -> float:
    """The end of a ratio's interval on one side. The variance changes with the ratio, so what is not rejected may have
    gaps: where 1 lies on that side, it is within the interval exactly if it is not rejected itself.
    """
    if (1 - ratio) * step <= 0:
        return _limit(rejected, ratio, step)
    return _between(rejected, ratio, 1.0) if rejected(1.0) else _limit(rejected, 1.0, step)


def _limit(rejected: Callable[[float], bool], start: float, step: float) -> float:
    """How far from `start`, which is not rejected, in steps of that size and sign, one gets before one is."""
    for _ in range(60):
        if rejected(start + step):
            break
        step *= 2
    else:
        return math.copysign(math.inf, step)
    return _between(rejected, start, start + step)


def _between(rejected: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where what is not rejected ends, between two numbers of which the second is rejected."""
    for _ in range(50):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if rejected(middle) else (middle, outside)
    return (inside + outside) / 2


def _matrices(*errors: ArrayLike) -> list[Array]:
    """Each as S x N floats over the same images; UserError where they are not finite or of different N."""
    matrices = [np.atleast_2d(np.asarray(values, dtype=np.float64)) for values in errors]
    for matrix in matrices:
        if matrix.ndim != 2 or matrix.size == 0:
            raise UserError(f"errors of shape {matrix.shape}; needed are seeds x images, at least one of each")
        if not np.isfinite(matrix).all():
            raise UserError("errors per image hold NaN or infinite values; leave those images out for all models")
        if matrix.shape[1] != matrices[0].shape[1]:
            raise UserError(f"errors on {matrices[0].shape[1]} and on {matrix.shape[1]} images cannot be paired")
    return matrices
