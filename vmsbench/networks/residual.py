"""A residual UNet with attention (Ho et al. 2020, Dhariwal and Nichol 2021): the usual backbone of diffusion, for
every model."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vmsbench.errors import ConfigurationError
from vmsbench.networks.conditions import MAPS, Maps
from vmsbench.networks.layers import Modulation, normalisation
from vmsbench.networks.network import Network


def silent(convolution: nn.Conv2d) -> nn.Conv2d:
    """A convolution initialised to give 0, so that a residual block starts as the identity (not in a GAN, which
    initialises all weights itself)."""
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution


class Residual(nn.Module):
    """x + two normalised 3 x 3 convolutions; time and noise scale and shift between them."""

    def __init__(self, inputs: int, outputs: int, side: int, kind: str, dropout: float, condition: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(
            normalisation(kind, inputs, side), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.middle = normalisation(kind, outputs, side)
        self.modulation = Modulation(condition, outputs) if condition else None
        self.leave = nn.Sequential(nn.SiLU(), nn.Dropout(dropout), silent(nn.Conv2d(outputs, outputs, 3, padding=1)))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        inner = self.middle(self.enter(x))
        if self.modulation is not None and condition is not None:
            inner = self.modulation(inner, condition)
        return self.skip(x) + self.leave(inner)


class Attention(nn.Module):
    """x + self-attention over all pixels of a map, in heads of 32 channels or fewer."""

    def __init__(self, channels: int, side: int, kind: str) -> None:
        super().__init__()
        self.heads = max(1, channels // 32)
        if channels % self.heads:
            self.heads = 1
        self.norm = normalisation(kind, channels, side)
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.out = silent(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        shape = (batch, height * width, 3, self.heads, channels // self.heads)
        query, key, value = self.project(self.norm(x)).permute(0, 2, 3, 1).reshape(shape).transpose(1, 3).unbind(2)
        seen = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        return x + self.out(seen.reshape(batch, height, width, channels).permute(0, 3, 1, 2))


MOST_BLOCKS = 64  # per resolution; diffusion's largest UNets have four


class ResidualUNet(Network):
    """Residual blocks at each resolution, attention where the map is small.

    width         channels at full resolution
    multipliers   of the width, one per resolution, each half the one before
    blocks        residual blocks per resolution going down (one more going up)
    attention     sides in pixels at which maps attend to themselves, where there are such maps; the innermost always do
    norm, dropout as in the UNet; dropout in every block
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        timed: bool = False,
        features: Sequence[int] = (),
        noise: int = 0,
        width: int = 64,
        multipliers: Sequence[int] = (1, 2, 4, 4),
        blocks: int = 1,
        attention: Sequence[int] = (16,),
        norm: str = "group",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width < 1 or not 1 <= blocks <= MOST_BLOCKS or not multipliers or min(multipliers) < 1:
            raise ConfigurationError(
                f"width={width}, blocks={blocks}, multipliers={list(multipliers)}: each at least 1, one multiplier or "
                f"more, {MOST_BLOCKS} blocks at most; 64, 1 and [1, 2, 4, 4] work"
            )
        halvings = len(multipliers) - 1
        if size % 2**halvings:
            raise ConfigurationError(f"multipliers={list(multipliers)}: {size} px cannot be halved {halvings} times")
        sides = [size // 2**level for level in range(size.bit_length())]
        if not set(attention) <= set(sides):
            raise ConfigurationError(f"attention={list(attention)}: sides of maps are {sides}; attention=[] is none")
        condition = self.condition_on(4 * width, timed, noise)
        self.maps = Maps(features, MAPS)
        self.first = nn.Conv2d(inputs + self.maps.channels, width, 3, padding=1)
        channels, skips, side = width, [width], size
        self.down = nn.ModuleList()
        for level, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                self.down.append(Stage(channels, width * multiplier, side, norm, dropout, condition, side in attention))
                channels = width * multiplier
                skips.append(channels)
            if level < halvings:
                self.down.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1))
                side //= 2
                skips.append(channels)
        self.middle = nn.ModuleList(
            [
                Stage(channels, channels, side, norm, dropout, condition, attends=True),
                Stage(channels, channels, side, norm, dropout, condition, attends=False),
            ]
        )
        self.up = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(multipliers))):
            for _ in range(blocks + 1):
                after = width * multiplier
                attends = side in attention
                self.up.append(Stage(channels + skips.pop(), after, side, norm, dropout, condition, attends))
                channels = after
            if level > 0:
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels, 3, padding=1)))
                side *= 2
        self.last = nn.Sequential(
            normalisation(norm, channels, side), nn.SiLU(), nn.Conv2d(channels, outputs, 3, padding=1)
        )

    def forward(
        self, image: Tensor, time: Tensor | None = None, features: Sequence[Tensor] = (), noise: Tensor | None = None
    ) -> Tensor:
        condition = self.condition(time, noise)
        x = self.first(self.maps.joined(image, features))
        skips = [x]
        for part in self.down:
            x = part(x, condition) if isinstance(part, Stage) else part(x)
            skips.append(x)
        for part in self.middle:
            x = part(x, condition)
        for part in self.up:
            x = part(torch.cat([x, skips.pop()], dim=1), condition) if isinstance(part, Stage) else part(x)
        return self.last(x)


class Stage(nn.Module):
    """A residual block, and attention after it where wanted."""

    def __init__(
        self, inputs: int, outputs: int, side: int, kind: str, dropout: float, condition: int, attends: bool
    ) -> None:
        super().__init__()
        self.residual = Residual(inputs, outputs, side, kind, dropout, condition)
        self.attention = Attention(outputs, side, kind) if attends else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.attention(self.residual(x, condition))
