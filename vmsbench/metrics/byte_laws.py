"""Distributions on the bytes 0..255 as tables: what a step function says of a true byte, looked up in closed form."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from vmsbench.metrics.calibration import CLASS

BYTES = 256


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
