"""A single answer dressed as a distribution: EasyUQ, isotonic regression of the truth's law on the predicted value.

From pairs that the model did not learn from (the tuning validation pairs), for each channel: what were the true pixels
where the model said x? Isotonic distributional regression (Henzi, Ziegel and Gneiting 2021) finds the laws F_x that
fit best in CRPS among all that grow with x: for each threshold y, P(truth <= y | x) is the antitonic least squares fit
of 1{truth <= y}, found by pooling adjacent violators. EasyUQ (Walz, Henzi, Ziegel and Gneiting 2024) is that with the
model's own answer as x. Nothing is tuned, and climatology (of all pixels alike) is what a constant answer becomes.

Predictions are binned to the 256 bytes in which maps are kept, so all pixels of a fit are one table of counts per
channel, and millions of them fit in a second. Between the bins that occurred the laws are interpolated.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vmsbench.data.pairs import Pairs
from vmsbench.errors import DataError, UserError
from vmsbench.metrics.predictors import BYTES, SAMPLES, ByteLaws, Distribution, PixelLaws, Predictor, generator
from vmsbench.metrics.scores import CHUNK, aligned, check_unit

Table = NDArray[np.float64]


class Dressed(Distribution):
    """`single`, which gives one answer an image, with the errors it made on the `validation` pairs.

    A sample is one probability for each channel, and every pixel's quantile at it: its pixels rise and fall together.
    Raises DataError without validation pairs, UserError where `single` gives several samples.
    """

    def __init__(self, single: Predictor, validation: Pairs, seed: int = 0, samples: int = SAMPLES) -> None:
        if len(validation) == 0:
            raise DataError(
                "dressing: there are no tuning validation pairs to learn the errors of a single answer from; "
                "data.validation_fraction=0.12 keeps some"
            )
        self.single, self.seed, self.samples = single, seed, samples
        self.fitted = ByteLaws(fit(counts(single, validation)).flatten(0, 1))

    def laws(self, pairs: Pairs) -> Iterator[PixelLaws]:
        answer = answered(self.single, pairs)
        channel = torch.arange(answer.shape[1], device=answer.device)[:, None, None]
        rows = (answer + BYTES * channel).flatten(1)
        yield PixelLaws(slice(0, rows.shape[1]), rows, self._fitted_on(answer.device))

    def predict(self, pairs: Pairs) -> Tensor:
        answer, below = answered(self.single, pairs), self._fitted_on(pairs.maps.device).below
        shape = (self.samples, answer.shape[1])
        drawn = np.stack([generator(self.seed, name).random(shape) for name in pairs.names])
        chance = torch.from_numpy(drawn).to(answer.device)[..., None]  # N x K x M x 1
        laws = below.view(answer.shape[1], BYTES, BYTES)
        maps = torch.empty(len(pairs), *shape, *answer.shape[2:], device=answer.device)
        for channel, law in enumerate(laws):
            quantiles = torch.searchsorted(law, chance[:, :, channel].flatten().expand(BYTES, -1).contiguous())
            of_image = quantiles.clamp(max=BYTES - 1).T.view(len(pairs), self.samples, BYTES)
            where = answer[:, None, channel].flatten(2).expand(-1, self.samples, -1)
            maps[:, :, channel] = of_image.gather(2, where).view_as(maps[:, :, channel]) / (BYTES - 1)
        return maps

    def _fitted_on(self, device: torch.device) -> ByteLaws:
        if self.fitted.below.device != device:
            self.fitted = ByteLaws(self.fitted.below.to(device))
        return self.fitted


def answered(single: Predictor, pairs: Pairs) -> Tensor:
    """The one answer for each of `pairs` as bytes on all channels of the file: long, N x M x S x S."""
    maps = single.predict(pairs)
    if maps.ndim == 5 and maps.shape[1] > 1:
        raise UserError(f"dressing takes one answer for each image, and here are {maps.shape[1]} samples of each")
    check_unit(maps, "predictions")
    samples, _ = aligned(maps, pairs.maps)
    return (samples[:, 0] * (BYTES - 1)).round().long().clamp(0, BYTES - 1)


def counts(single: Predictor, pairs: Pairs) -> Tensor:
    """How many pixels were predicted as byte x and truly are byte y: long, M x 256 x 256, on the CPU."""
    channels = pairs.maps.shape[1]
    total = torch.zeros(channels * BYTES * BYTES, dtype=torch.long)
    for start in range(0, len(pairs), CHUNK):
        batch = pairs.subset(range(start, min(start + CHUNK, len(pairs))))
        answer = answered(single, batch)
        channel = torch.arange(channels, device=answer.device)[:, None, None]
        cell = (channel * BYTES + answer) * BYTES + batch.maps.long()
        total += torch.bincount(cell.flatten(), minlength=len(total)).cpu()
    return total.view(channels, BYTES, BYTES)


def fit(counted: Tensor) -> Tensor:
    """Isotonic distributional regression of counts, M x X x Y: P(truth <= y | x), float64, M x X x Y."""
    return torch.from_numpy(np.stack([isotonic_laws(one) for one in counted.double().numpy()]))


def isotonic_laws(counted: Table) -> Table:
    """The regression for one channel, X x Y. Values x that did not occur have laws interpolated between those that did,
    or the nearest one's. Raises DataError where nothing occurred."""
    weights = counted.sum(axis=1)
    seen = np.flatnonzero(weights)
    if not len(seen):
        raise DataError("dressing: there are no pixels to learn from")
    shares = counted[seen].cumsum(axis=1) / weights[seen, None]
    fitted = np.stack([antitonic(share, weights[seen]) for share in shares.T])
    laws = np.stack([np.interp(np.arange(len(counted)), seen, column) for column in fitted], axis=1)
    laws[:, -1] = 1
    return np.maximum.accumulate(laws, axis=1)


def antitonic(values: Table, weights: Table) -> Table:
    """The falling sequence nearest to `values` in weighted squares: neighbours that rise are pooled into their mean."""
    means: list[float] = []
    masses: list[float] = []
    sizes: list[int] = []
    for mean, mass in zip(values.tolist(), weights.tolist(), strict=True):
        size = 1
        while means and means[-1] <= mean:
            other = masses.pop()
            mean = (mean * mass + means.pop() * other) / (mass + other)
            mass, size = mass + other, size + sizes.pop()
        means.append(mean)
        masses.append(mass)
        sizes.append(size)
    return np.repeat(means, sizes)
