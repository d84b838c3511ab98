"""Learning-rate schedules: the share of the full rate at a point of the training, with a linear warm-up."""

import math
from abc import ABC, abstractmethod

from vmsbench.errors import ConfigurationError


class LRSchedule(ABC):
    """A factor for the learning rate, given how much of the training is over.

    warmup   the first share of the training, over which the rate rises from 0
    """

    def __init__(self, warmup: float = 0.0) -> None:
        if not 0 <= warmup < 1:
            raise ConfigurationError(f"warmup={warmup} is a share of the training: from 0 up to, not including, 1")
        self.warmup = warmup

    def factor(self, done: float) -> float:
        """The factor when the share `done` in [0, 1) of all steps is done."""
        if done < self.warmup:
            return done / self.warmup
        return self.after((done - self.warmup) / (1 - self.warmup))

    @abstractmethod
    def after(self, done: float) -> float:
        """The factor when the share `done` of the steps after the warm-up is done."""


class ConstantLR(LRSchedule):
    """The full rate throughout."""

    def after(self, done: float) -> float:
        return 1.0


class LinearDecay(LRSchedule):
    """Full until `start`, then linearly down to 0, as pix2pix does from half of the training on."""

    def __init__(self, warmup: float = 0.0, start: float = 0.5) -> None:
        super().__init__(warmup)
        if not 0 <= start < 1:
            raise ConfigurationError(f"start={start} is a share of the training: from 0 up to, not including, 1")
        self.start = start

    def after(self, done: float) -> float:
        return min(1.0, (1 - done) / (1 - self.start))


class CosineDecay(LRSchedule):
    """Half a cosine from the full rate down to `least` of it (Loshchilov and Hutter 2017)."""

    def __init__(self, warmup: float = 0.0, least: float = 0.0) -> None:
        super().__init__(warmup)
        if not 0 <= least <= 1:
            raise ConfigurationError(f"least={least} is a share of the full rate: from 0 to 1")
        self.least = least

    def after(self, done: float) -> float:
        return self.least + (1 - self.least) * (1 + math.cos(math.pi * done)) / 2
