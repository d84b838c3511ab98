"""Layers that several networks share: normalisation by name, and the time as a scale and a shift."""

import math

import torch
from torch import Tensor, nn

from vmsbench.errors import ConfigurationError, did_you_mean

GROUPS = 8
NORMS = ("batch", "instance", "group", "none")


def normalisation(kind: str, channels: int, side: int) -> nn.Module:
    """The normalisation called `kind` for maps of `side` x `side` pixels.

    Under 16 pixels there is too little to normalise over (at 1 x 1 the result would be 0): none is used there.
    Raises ConfigurationError for an unknown kind, or channels that do not divide into groups.
    """
    if kind not in NORMS:
        raise ConfigurationError(f"norm={kind} is none of {', '.join(NORMS)}{did_you_mean(kind, NORMS)}")
    if kind == "none" or side * side < 16:
        return nn.Identity()
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if channels % GROUPS:
        valid = max(GROUPS, channels - channels % GROUPS)
        raise ConfigurationError(f"norm=group needs channels in {GROUPS} groups, not {channels}; width={valid} works")
    return nn.GroupNorm(GROUPS, channels)


def depth(size: int, smallest: int = 4) -> int:
    """How many times `size` is halved until it is `smallest` pixels: log2(size / smallest).

    Raises ConfigurationError where that is no whole number.
    """
    halvings = math.log2(size / smallest)
    if size < smallest or halvings != int(halvings):
        raise ConfigurationError(f"data.size={size} cannot be halved down to {smallest} px; 32, 64, 128 and 256 can")
    return int(halvings)


class TimeFeatures(nn.Module):
    """B times in [0, 1] as B x `features` numbers: sines and cosines of 1000 t (Vaswani et al. 2017), then an MLP."""

    def __init__(self, features: int) -> None:
        super().__init__()
        half = features // 2
        self.frequencies: Tensor
        self.register_buffer("frequencies", 1000 * torch.exp(-math.log(10_000) * torch.arange(half) / half))
        self.mlp = nn.Sequential(nn.Linear(2 * half, features), nn.SiLU(), nn.Linear(features, features))

    def forward(self, time: Tensor) -> Tensor:
        angles = time[:, None] * self.frequencies
        return self.mlp(torch.cat([angles.sin(), angles.cos()], dim=1))


class Modulation(nn.Module):
    """Scale and shift channels by the time (FiLM, Perez et al. 2018); starts as the identity."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.linear(time)[:, :, None, None].chunk(2, dim=1)
        return x * (1 + scale) + shift
