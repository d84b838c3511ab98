"""Noise schedules: gamma(t), the share of signal variance left at time t in [0, 1], falling from 1 to about 0.

x_t = sqrt(gamma(t)) x_0 + sqrt(1 - gamma(t)) epsilon     (Chen 2023, On the importance of noise scheduling)
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

LEAST = 1e-9


class Schedule(ABC):
    """A noise schedule."""

    @abstractmethod
    def gamma(self, time: Tensor) -> Tensor:
        """The share of signal at times in [0, 1]: same shape, in [1e-9, 1], not rising."""


class Linear(Schedule):
    """gamma(t) = 1 - t."""

    def gamma(self, time: Tensor) -> Tensor:
        return (1 - time).clamp(LEAST, 1)


class Cosine(Schedule):
    """gamma from cos((t (end - start) + start) pi / 2)^(2 tau), run from 1 to 0 (Nichol and Dhariwal 2021)."""

    def __init__(self, start: float = 0.0, end: float = 1.0, tau: float = 1.0) -> None:
        self.start, self.end, self.tau = start, end, tau

    def gamma(self, time: Tensor) -> Tensor:
        def wave(t: Tensor) -> Tensor:
            return ((t * (self.end - self.start) + self.start) * math.pi / 2).cos().clamp(min=0) ** (2 * self.tau)

        return rescaled(wave, time)


class Sigmoid(Schedule):
    """gamma from the logistic function of (t (end - start) + start) / tau, rescaled (Jabri et al. 2022)."""

    def __init__(self, start: float = -3.0, end: float = 3.0, tau: float = 1.0) -> None:
        self.start, self.end, self.tau = start, end, tau

    def gamma(self, time: Tensor) -> Tensor:
        return rescaled(lambda t: torch.sigmoid((t * (self.end - self.start) + self.start) / self.tau), time)


def rescaled(curve: Callable[[Tensor], Tensor], time: Tensor) -> Tensor:
    """(f(1) - f(t)) / (f(1) - f(0)): any monotone curve, made to run from 1 to 0."""
    zero, one = curve(torch.zeros_like(time)), curve(torch.ones_like(time))
    return ((one - curve(time)) / (one - zero)).clamp(LEAST, 1)
