"""What predicts: one map, several samples, or a whole distribution of every pixel, all scored in the same terms."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vmsbench.data.pairs import Pairs, unit
from vmsbench.metrics.byte_laws import ByteLaws
from vmsbench.metrics.calibration import CLASS, LEVELS, coverage, histogram
from vmsbench.metrics.scores import measure, of_answers

SAMPLES = 16  # of each image, the same for every sampler


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
        return measure(self.predict(pairs), unit(pairs.maps), light)


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
        truth = pairs.maps.flatten(1).long()
        crps, spread, mean, median = (torch.empty(truth.shape, device=truth.device) for _ in range(4))
        for part in self.laws(pairs):
            at = slice(None), part.pixels
            crps[at] = part.laws.crps[part.rows, truth[at]].float()
            for kept, law in ((spread, part.laws.spread), (mean, part.laws.mean), (median, part.laws.median)):
                kept[at] = law.float()[part.rows]
        crps, spread = crps.mean(dim=1), spread.mean(dim=1)
        scores = {"crps": 2 * crps, "crps_unit": crps, "spread": 4 * spread}
        low, high = self.ranks(pairs)
        scores |= {f"coverage_{level}": coverage(low, high, level) for level in LEVELS}
        shape = pairs.maps.shape
        return scores | dict(of_answers(mean.view(shape), median.view(shape), unit(pairs.maps), light))

    def ranks(self, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Where each true pixel lies in its law: low and high, N x 2 x S x S (red and green), or N x 1 x S x S."""
        truth = (pairs.maps // CLASS).flatten(1).long()
        low, high = (torch.empty(truth.shape, device=truth.device) for _ in range(2))
        for part in self.laws(pairs):
            at = slice(None), part.pixels
            for kept, table in zip((low, high), part.laws.ranks, strict=True):
                kept[at] = table.float()[part.rows, truth[at]]
        shape, ranked = pairs.maps.shape, 2 if pairs.maps.shape[1] == 3 else 1
        return low.view(shape)[:, :ranked], high.view(shape)[:, :ranked]

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
