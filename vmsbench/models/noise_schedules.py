"""Noise schedules: gamma_t (alpha-bar), the share of signal variance left at t = 0..T, falling from 1 to about 0.

x_t = sqrt(gamma_t) x_0 + sqrt(1 - gamma_t) epsilon     (Chen 2023, On the importance of noise scheduling)
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from vmsbench.errors import ConfigurationError

LEAST = 1e-9
REFERENCE = 1000


class NoiseSchedule(ABC):
    """A noise schedule."""

    @abstractmethod
    def gammas(self, num_timesteps: int) -> Tensor:
        """gamma_t for t = 0..`num_timesteps`, float32, num_timesteps + 1 of them: from 1, not rising, never below 0."""


class Continuous(NoiseSchedule):
    """A function of t / T."""

    def gammas(self, num_timesteps: int) -> Tensor:
        return self.gamma(torch.linspace(0, 1, num_timesteps + 1)).clamp(LEAST, 1)

    @abstractmethod
    def gamma(self, time: Tensor) -> Tensor:
        """gamma at times in [0, 1]."""


class LinearSchedule(Continuous):
    """gamma(t) = 1 - t."""

    def gamma(self, time: Tensor) -> Tensor:
        return 1 - time


class CosineSchedule(Continuous):
    """gamma from cos((t (end - start) + start) pi / 2)^(2 tau), run from 1 to 0 (Nichol and Dhariwal 2021)."""

    def __init__(self, start: float = 0.0, end: float = 1.0, tau: float = 1.0) -> None:
        check_ends(start, end, tau)
        if start < 0 or end > 1:
            raise ConfigurationError(f"cosine from {start:g} to {end:g}: within 0 and 1, a quarter of a wave")
        self.start, self.end, self.tau = start, end, tau

    def gamma(self, time: Tensor) -> Tensor:
        def wave(t: Tensor) -> Tensor:
            return ((t * (self.end - self.start) + self.start) * math.pi / 2).cos().clamp(min=0) ** (2 * self.tau)

        return rescaled(wave, time)


class SigmoidSchedule(Continuous):
    """gamma from the logistic function of (t (end - start) + start) / tau, rescaled (Jabri et al. 2022)."""

    def __init__(self, start: float = -3.0, end: float = 3.0, tau: float = 1.0) -> None:
        check_ends(start, end, tau)
        self.start, self.end, self.tau = start, end, tau

    def gamma(self, time: Tensor) -> Tensor:
        return rescaled(lambda t: torch.sigmoid((t * (self.end - self.start) + self.start) / self.tau), time)


class BetasSchedule(NoiseSchedule):
    """DDPM's (Ho et al. 2020): beta_t runs linearly from `start` to `end`, gamma_t = product of (1 - beta_s), s <= t.

    rescale   multiply the betas by 1000 / T, so that fewer steps end in as much noise as 1000 do
    """

    def __init__(self, start: float = 1e-4, end: float = 0.02, rescale: bool = True) -> None:
        if not 0 < start <= end < 1:
            raise ConfigurationError(f"betas from {start:g} to {end:g}: rising, between 0 and 1; 0.0001 to 0.02 works")
        self.start, self.end, self.rescale = start, end, rescale

    def gammas(self, num_timesteps: int) -> Tensor:
        betas = torch.linspace(self.start, self.end, num_timesteps, dtype=torch.float64)
        if self.rescale:
            betas = (betas * REFERENCE / num_timesteps).clamp(max=0.999)
        return torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)]).float()


class ZeroTerminalSchedule(NoiseSchedule):
    """Another schedule, changed to end in pure noise: sqrt(gamma) shifted to 0 at T, and scaled to keep its first value
    after t = 0 (Lin et al. 2024, algorithm 1)."""

    def __init__(self, schedule: NoiseSchedule) -> None:
        self.schedule = schedule

    def gammas(self, num_timesteps: int) -> Tensor:
        root = self.schedule.gammas(num_timesteps).sqrt()
        first, last = root[1], root[-1]
        return torch.cat([root[:1], (root[1:] - last) * first / (first - last)]).square()


def rescaled(curve: Callable[[Tensor], Tensor], time: Tensor) -> Tensor:
    """(f(1) - f(t)) / (f(1) - f(0)): any monotone curve, made to run from 1 to 0."""
    zero, one = curve(torch.zeros_like(time)), curve(torch.ones_like(time))
    return (one - curve(time)) / (one - zero)


def check_ends(start: float, end: float, tau: float) -> None:
    if start >= end or tau <= 0:
        raise ConfigurationError(
            f"schedule from {start:g} to {end:g}, tau {tau:g}: the end lies after the start, tau above 0"
        )
