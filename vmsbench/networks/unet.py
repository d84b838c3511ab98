"""The thesis's UNet (Ronneberger et al. 2015): widths c, 2c, 4c, ... going down, the same back up, joined by skips."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vmsbench.errors import ConfigurationError
from vmsbench.networks.conditions import MAPS, Maps
from vmsbench.networks.layers import Modulation, depth, normalisation
from vmsbench.networks.network import Network


class Block(nn.Module):
    """Twice a 3 x 3 convolution, normalised, ReLU; time and noise enter between the two."""

    def __init__(self, inputs: int, outputs: int, side: int, kind: str, dropout: float, condition: int) -> None:
        super().__init__()
        norms = normalisation(kind, outputs, side), normalisation(kind, outputs, side)
        bias = isinstance(norms[0], nn.Identity)
        self.first = nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias), norms[0])
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=bias), norms[1])
        self.modulation = Modulation(condition, outputs) if condition else None
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        x = self.first(x)
        if self.modulation is not None and condition is not None:
            x = self.modulation(x, condition)
        return self.second(self.dropout(x.relu())).relu()


class UNet(Network):
    """A UNet of `layers` + 1 levels.

    width     channels c of the first level; level i has c 2^i, as the thesis has it: (3, c, 2c, 4c, 8c, 16c) at 64 px
    layers    how many times the image is halved; None: until it is 4 x 4, so 4 at 64 px
    norm      batch, instance, group or none
    dropout   share of channels dropped in the two innermost levels
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
        layers: int | None = None,
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width < 1:
            raise ConfigurationError(f"width={width}: a network needs at least 1 channel; the thesis has 32 to 100")
        layers = depth(size) if layers is None else layers
        if layers < 1 or size % 2**layers or size < 2**layers:
            raise ConfigurationError(
                f"layers={layers}: {size} px cannot be halved as often; layers={depth(size)} works"
            )
        widths = [width * 2**level for level in range(layers + 1)]
        sides = [size // 2**level for level in range(layers + 1)]
        inner = [dropout if level >= layers - 1 else 0.0 for level in range(layers + 1)]
        condition = self.condition_on(4 * width, timed, noise)
        self.maps = Maps(features, MAPS)
        self.down = nn.ModuleList(
            Block(before, after, side, norm, drop, condition)
            for before, after, side, drop in zip(
                [inputs + self.maps.channels, *widths], widths, sides, inner, strict=False
            )
        )
        self.narrow = nn.ModuleList(nn.Conv2d(widths[level + 1], widths[level], 1) for level in reversed(range(layers)))
        self.up = nn.ModuleList(
            Block(2 * widths[level], widths[level], sides[level], norm, inner[level], condition)
            for level in reversed(range(layers))
        )
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(
        self, image: Tensor, time: Tensor | None = None, features: Sequence[Tensor] = (), noise: Tensor | None = None
    ) -> Tensor:
        condition = self.condition(time, noise)
        x, skips = self.maps.joined(image, features), []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else nn.functional.max_pool2d(x, 2), condition)
            skips.append(x)
        skips.pop()
        for narrow, block in zip(self.narrow, self.up, strict=True):
            x = nn.functional.interpolate(narrow(x), scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skips.pop()], dim=1), condition)
        return self.last(x)
