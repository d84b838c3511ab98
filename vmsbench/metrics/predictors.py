"""What predicts: one map, several samples, or the law of every pixel, all scored in the same terms.

Maps are bytes, so a law is a distribution function on 0..255: a row of a table, in which its scores are looked up.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vmsbench.data.pairs import Pairs, unit
from vmsbench.metrics.calibration import CLASS, LEVELS, coverage, histogram, ranked
from vmsbench.metrics.scores import measure, of_answers

SAMPLES = 16  # of each image, the same for every sampler
BYTES = 256


class Predictor(ABC):
    """Predicts maps for pairs; it must not look at the pairs' own maps."""

    @abstractmethod
    def predict(self, pairs: Pairs) -> Tensor:
        """Float in [0, 1], N x M x S x S, or N x K x M x S x S for K samples; on the pairs' device.

        The same for the same names, in whatever batches. The tensor may be a view of fewer maps: do not write into it.
        Raises DataError where it cannot predict them.
        """

    def score(self, pairs: Pairs, light: bool = False) -> dict[str, Tensor]:
        """Every score of every image, N values each, named as in `vmsbench.metrics.scores`."""
        return measure(self.predict(pairs), unit(pairs.maps), light, pairs.fixations)


@dataclass(frozen=True)
class ByteLaws:
    """R distributions on the bytes, by their distribution functions.

    below   float64, R x 256: P(X <= byte), the last column 1
    size    where they are ensembles, the number of their equally likely members: scores are then the fair estimators
            for the law that the members are draws of (Ferro 2014); None where they are the law itself

    Results are on the scale [0, 1].
    """

    below: Tensor
    size: int | None = None

    @staticmethod
    def counted(rows: Tensor, values: Tensor, number: int, size: int) -> "ByteLaws":
        """The laws of `size` bytes each: `values` counted into their `rows` 0..number - 1, both long and flat."""
        counts = torch.bincount(rows * BYTES + values, minlength=number * BYTES).view(number, BYTES)
        return ByteLaws(counts.cumsum(dim=1).double() / size, size)

    @cached_property
    def crps(self) -> Tensor:
        """R x 256: the integral of (P(X <= b) - 1{y <= b})^2 over b, for each true byte y."""
        under, over = self.below[:, :-1].square(), (1 - self.below[:, :-1]).square()
        zero = under.new_zeros(len(under), 1)
        to_the_left = torch.cat([zero, under.cumsum(dim=1)], dim=1)
        to_the_right = torch.cat([over.flip(1).cumsum(dim=1).flip(1), zero], dim=1)
        return (to_the_left + to_the_right - self._unfair[:, None]) / (BYTES - 1)

    @property
    def _unfair(self) -> Tensor:
        """How much more an ensemble's own CRPS is than the fair one: E|X - X'| / (2 (size - 1))."""
        if self.size is None or self.size < 2:
            return self.below.new_zeros(len(self.below))
        return (self.below * (1 - self.below)).sum(dim=1) / (self.size - 1)

    @cached_property
    def mean(self) -> Tensor:
        return (1 - self.below[:, :-1]).sum(dim=1) / (BYTES - 1)

    @cached_property
    def spread(self) -> Tensor:
        """R: the squared error that the mean has on average, if the law is right: the variance, and for an ensemble
        (size + 1) / size times the unbiased one; 0 for an ensemble of one."""
        odd = 2 * torch.arange(BYTES - 1, device=self.below.device) + 1  # X^2 is the sum of 2 b + 1 over b < X
        square = ((1 - self.below[:, :-1]) * odd).sum(dim=1) / (BYTES - 1) ** 2
        variance = (square - self.mean.square()).clamp(min=0)
        return variance if self.size is None else variance * (self.size + 1) / max(self.size - 1, 1)

    def quantile(self, level: float) -> Tensor:
        """R: the smallest value that the variable is not above with probability `level`."""
        return (self.below[:, :-1] < level).sum(dim=1) / (BYTES - 1)

    @cached_property
    def median(self) -> Tensor:
        """R: the middle of all medians; of an ensemble of even size, the mean of the middle two."""
        highest = (self.below[:, :-1] <= 0.5).sum(dim=1) / (BYTES - 1)
        return (self.quantile(0.5) + highest) / 2

    @cached_property
    def ranks(self) -> tuple[Tensor, Tensor]:
        """R x 16 each: low and high of a true byte's rank by its class, as `vmsbench.metrics.calibration` defines them;
        NaN where the law leaves no other class."""
        high = torch.cat([self.below[:, CLASS - 1 :: CLASS], self.below[:, -1:]], dim=1)  # the last class is 255 alone
        low = torch.cat([high.new_zeros(len(high), 1), high[:, :-1]], dim=1)
        low = torch.where(high - low >= 1, torch.nan, low)
        if self.size is None:
            return low, high
        return low * self.size / (self.size + 1), (high * self.size + 1) / (self.size + 1)


@dataclass(frozen=True)
class PixelLaws:
    """The laws of some of the pixels of a batch.

    pixels  which of the M * S * S
    rows    which law each pixel has: long, P where that is so for every image, or N x P
    """

    pixels: slice
    rows: Tensor
    laws: ByteLaws


class Distribution(Predictor):
    """Knows the law of every pixel. `predict` draws K samples of whole maps.

    What the laws say in closed form (crps, spread, coverage, and the scores of the one answer: the median's under L1,
    else the mean's) is scored so; the scores of one sample and the energy score are those of the K samples.
    """

    @abstractmethod
    def laws(self, pairs: Pairs) -> Iterator[PixelLaws]:
        """The laws of all pixels, a part at a time."""

    def score(self, pairs: Pairs, light: bool = False) -> dict[str, Tensor]:
        return super().score(pairs, light) | self.closed_form(pairs, light)

    def closed_form(self, pairs: Pairs, light: bool = False) -> dict[str, Tensor]:
        truth, held = pairs.maps.flatten(1).long(), (pairs.maps // CLASS).flatten(1).long()
        crps, spread, mean, median, low, high = (torch.empty(truth.shape, device=truth.device) for _ in range(6))
        for part in self.laws(pairs):
            at = slice(None), part.pixels
            crps[at] = part.laws.crps.float()[part.rows, truth[at]]
            for kept, law in ((spread, part.laws.spread), (mean, part.laws.mean), (median, part.laws.median)):
                kept[at] = law.float()[part.rows]
            for kept, table in zip((low, high), part.laws.ranks, strict=True):
                kept[at] = table.float()[part.rows, held[at]]
        crps, spread = crps.mean(dim=1), spread.mean(dim=1)
        scores = {"crps": 2 * crps, "crps_unit": crps, "spread": 4 * spread, "spread_unit": spread}
        low, high = (ranked(one.view(pairs.maps.shape)) for one in (low, high))
        scores |= {f"coverage_{level}": coverage(low, high, level) for level in LEVELS}
        shape = pairs.maps.shape
        return scores | dict(of_answers(mean.view(shape), median.view(shape), unit(pairs.maps), light))

    def ranks(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Where each true pixel lies in its law: low and high, N x 2 x S x S (red and green), or N x 1 x S x S."""
        held = (pairs.maps // CLASS).flatten(1).long()
        low, high = (torch.empty(held.shape, device=held.device) for _ in range(2))
        for part in self.laws(pairs):
            at = slice(None), part.pixels
            for kept, table in zip((low, high), part.laws.ranks, strict=True):
                kept[at] = table.float()[part.rows, held[at]]
        return ranked(low.view(pairs.maps.shape)), ranked(high.view(pairs.maps.shape))

    def rank_histogram(self, pairs: Pairs, bins: int = SAMPLES + 1) -> Tensor:
        """The rank of the truth in its law in `bins` equal parts, image by image: N x bins, flat where it is right."""
        return histogram(*self.ranks(pairs), bins)

    def quantile(self, pairs: Pairs, level: float) -> Tensor:
        """The quantile of every pixel at `level` in (0, 1): float in [0, 1], N x M x S x S."""
        maps = torch.empty(pairs.maps.flatten(1).shape, device=pairs.maps.device)
        for part in self.laws(pairs):
            maps[:, part.pixels] = part.laws.quantile(level).float()[part.rows]
        return maps.view(pairs.maps.shape)


def generator(seed: int, name: str) -> np.random.Generator:
    """Random draws for one image, by its name, so that neither batches nor their order change what is drawn."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
