"""Which differences are significant: intervals and paired tests.

Everything takes errors per seed and image, S x N arrays (lower is better; N alone for one seed), of models trained S
times and scored on the same N images in the same order. Intervals come from a bootstrap over images crossed with
seeds (Owen 2007, the pigeonhole bootstrap): both are resampled, images together for all models, seeds for each. So an
interval speaks of the family, retrained, on new images; from one seed it speaks of that one trained network only.
Few seeds are little evidence: where seeds differ by more than the images' noise, simulated 95% intervals cover the
truth 94 times in 100 with 5 seeds, 89 with 3 and 85 with 2 (tests/metrics/test_significance.py has the simulation). The
tests know the seeds too, and allow for their number: a family is called better only where interval and test agree.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vmsbench.errors import UserError

RESAMPLES = 10_000
CONFIDENCE = 0.95

_BLOCK = 1_000
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate and where it plausibly lies."""

    value: float
    low: float
    high: float

    def excludes(self, number: float) -> bool:
        return self.low > number or self.high < number


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images: difference = first - second (negative: the first has the lower error).

    p       of the paired test, adjusted by Holm for all comparisons made together
    seeds   of the one with fewer; from one the verdict is on two trainings, not on what another seed would give
    """

    first: str
    second: str
    difference: Interval
    p: float
    seeds: int = 2

    @property
    def shown(self) -> bool:
        """A difference is shown where its interval excludes 0 and the test agrees: neither alone will do."""
        return self.difference.excludes(0) and self.p < 1 - CONFIDENCE

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


def mean_interval(errors: ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The mean error of one model with its 95% bootstrap interval."""
    (matrix,) = _matrices(errors)
    return _interval(matrix.mean(), [means[0] for means in _bootstrap([matrix], resamples, seed)])


def difference_interval(first: ArrayLike, second: ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """mean(first) - mean(second), paired by image, with its 95% bootstrap interval."""
    a, b = _matrices(first, second)
    return _interval(a.mean() - b.mean(), [means[0] - means[1] for means in _bootstrap([a, b], resamples, seed)])


def skill(errors: ArrayLike, reference: ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """1 - mean(errors) / mean(reference), reference being the pixel median's errors: 1 is perfect, 0 is blind.

    Raises UserError where the reference makes no error at all: there is nothing to be better than.
    """
    model, blind = _matrices(errors, reference)
    if blind.mean() <= 0:
        raise UserError("skill: the reference has no error, so nothing can be compared with it")
    return _interval(
        1 - model.mean() / blind.mean(),
        [1 - means[0] / np.maximum(means[1], 1e-300) for means in _bootstrap([model, blind], resamples, seed)],
    )


def permutation_test(first: ArrayLike, second: ArrayLike, permutations: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p of the paired sign-flip test on the images' differences (each averaged over its seeds).

    Exact over all 2^N signs where they are no more than `permutations`; else random signs, the observed ones counted
    in, so that p is never 0 and never too small (Phipson and Smyth 2010).
    """
    a, b = _matrices(first, second)
    differences = a.mean(axis=0) - b.mean(axis=0)
    number = len(differences)
    # Equal sums come out unequal by rounding: what is within it counts as at least as extreme.
    observed = abs(differences.sum()) - 1e-12 * np.abs(differences).sum()
    if number < 60 and 2**number <= permutations:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=number)))
        return float((np.abs(signs @ differences) >= observed).mean())
    generator = np.random.default_rng(seed)
    extreme = 0
    for size in _blocks(permutations):
        signs = generator.integers(0, 2, (size, number), dtype=np.int8) * 2.0 - 1
        extreme += int((np.abs(signs @ differences) >= observed).sum())
    return (extreme + 1) / (permutations + 1)


def crossed_test(first: ArrayLike, second: ArrayLike) -> float:
    """Two-sided p of the families' difference, where both images and seeds are draws; needs two seeds of each.

    The mean difference over its standard error against Student's t. The error adds up the variance over images (of the
    differences, averaged over seeds) and over each family's seeds; the degrees of freedom are Satterthwaite's (1946).
    """
    a, b = _matrices(first, second)
    images = a.mean(axis=0) - b.mean(axis=0)
    parts = [(np.var(draws, ddof=1) / len(draws), len(draws) - 1) for draws in (images, a.mean(axis=1), b.mean(axis=1))]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return float(images.mean() == 0)
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    return student_tails(abs(images.mean()) / math.sqrt(variance), freedom)


def student_tails(t: float, freedom: float) -> float:
    """P(|T| >= t) of Student's t: with T = sqrt(freedom) tan(u), the density of u is cos(u)^(freedom - 1)."""
    start = math.atan(t / math.sqrt(freedom))
    tail, whole = (np.linspace(begin, math.pi / 2, 20_001) for begin in (start, 0.0))
    areas = [np.trapezoid(np.cos(u).clip(0) ** (freedom - 1), u) for u in (tail, whole)]
    return float(areas[0] / areas[1])


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjusted p-values, in the order given: reject those below alpha, whatever the number."""
    count = len(p_values)
    adjusted = [0.0] * count
    largest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def compare(errors: Mapping[str, ArrayLike], resamples: int = RESAMPLES, seed: int = 0) -> list[Comparison]:
    """Every pair of models, in the order given, with Holm's correction over all of them.

    p is of the crossed test where both have two seeds or more; else of the sign-flip test, which speaks of the trained
    networks alone.
    """
    pairs = list(itertools.combinations(errors, 2))
    seeds = {name: len(np.atleast_2d(np.asarray(values))) for name, values in errors.items()}
    fewest = [min(seeds[a], seeds[b]) for a, b in pairs]
    adjusted = holm(
        [
            crossed_test(errors[a], errors[b]) if few > 1 else permutation_test(errors[a], errors[b], resamples, seed)
            for (a, b), few in zip(pairs, fewest, strict=True)
        ]
    )
    return [
        Comparison(a, b, difference_interval(errors[a], errors[b], resamples, seed), p, few)
        for (a, b), p, few in zip(pairs, adjusted, fewest, strict=True)
    ]


def compare_with_blind(
    errors: Mapping[str, ArrayLike], blind: Mapping[str, ArrayLike], resamples: int = RESAMPLES, seed: int = 0
) -> list[Comparison]:
    """Each model against each predictor that ignores the image, with Holm's correction over all of them.

    A blind predictor is not trained, so it has no seeds that could vary: its errors (N each) are taken off those of
    each seed, and what is left is compared with nothing at all.
    """
    left = {(a, b): np.atleast_2d(np.asarray(errors[a])) - np.asarray(blind[b]) for a in errors for b in blind}
    nothing = {pair: np.zeros_like(values) for pair, values in left.items()}
    adjusted = holm(
        [
            crossed_test(values, nothing[pair]) if len(values) > 1
            else permutation_test(values, nothing[pair], resamples, seed)
            for pair, values in left.items()
        ]
    )  # fmt: skip
    return [
        Comparison(*pair, difference_interval(values, nothing[pair], resamples, seed), p, len(values))
        for (pair, values), p in zip(left.items(), adjusted, strict=True)
    ]


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


def _bootstrap(matrices: Sequence[Array], resamples: int, seed: int) -> Iterator[list[Array]]:
    """Blocks of resampled means, one array per matrix: images drawn once for all matrices, seeds for each."""
    generator = np.random.default_rng(seed)
    images = matrices[0].shape[1]
    for size in _blocks(resamples):
        image_weights = _drawn(generator, size, images) / images
        yield [((_seed_weights(generator, size, len(m)) @ m) * image_weights).sum(axis=1) for m in matrices]


def _seed_weights(generator: np.random.Generator, size: int, seeds: int) -> Array:
    """Weights of mean 1/S whose spread is widened by sqrt(S / (S - 1)).

    A plain bootstrap of S values shows (S - 1) / S of their variance: nothing over many images, half of it for two
    seeds.
    """
    if seeds == 1:
        return np.ones((size, 1))
    return (1 + (_drawn(generator, size, seeds) - 1) * np.sqrt(seeds / (seeds - 1))) / seeds


def _drawn(generator: np.random.Generator, size: int, number: int) -> Array:
    """size x number: how often each is drawn when `number` are drawn with replacement."""
    drawn = generator.integers(0, number, (size, number)) + np.arange(size)[:, None] * number
    return np.bincount(drawn.ravel(), minlength=size * number).reshape(size, number).astype(np.float64)


def _blocks(total: int) -> Iterator[int]:
    return (min(_BLOCK, total - start) for start in range(0, total, _BLOCK))


def _interval(value: float, blocks: Sequence[Array]) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(blocks), [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))
