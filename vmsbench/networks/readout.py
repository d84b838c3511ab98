"""A readout of an encoder's maps (DeepGaze II, Kümmerer et al. 2016): small, coarse, taught in a minute."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vmsbench.errors import ConfigurationError
from vmsbench.networks.conditions import Maps, resized
from vmsbench.networks.layers import Modulation, normalisation
from vmsbench.networks.network import Network


class Bend(nn.Module):
    """x + a 3 x 3 convolution of x, normalised and modulated by the condition."""

    def __init__(self, width: int, side: int, kind: str, condition: int) -> None:
        super().__init__()
        self.norm = normalisation(kind, width, side)
        self.modulation = Modulation(condition, width) if condition else None
        self.convolution = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        inner = self.norm(x)
        if self.modulation is not None and condition is not None:
            inner = self.modulation(inner, condition)
        return x + self.convolution(functional.gelu(inner))


class Readout(Network):
    """The encoder's maps and the coarse image, mixed pixel by pixel, twice bent, and enlarged.

    Without an encoder it has the coarse image alone, and little to say.

    width     channels
    grid      px of the maps it works on; the answer is enlarged from them
    norm      batch, instance, group or none
    dropout   share of the encoder's channels dropped in training
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
        grid: int = 16,
        norm: str = "group",
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if width < 1 or grid < 1:
            raise ConfigurationError(f"width={width}, grid={grid}: at least 1; 64 and 16 work")
        if not 0 <= dropout < 1:
            raise ConfigurationError(f"dropout={dropout}: a share from 0 up to, not including, 1; 0.2 works")
        self.grid = min(grid, size)
        condition = self.condition_on(4 * width, timed, noise)
        self.maps = Maps(features, width, dropout)
        self.mix = nn.Conv2d(self.maps.channels + inputs, width, 1)
        self.bends = nn.ModuleList(Bend(width, self.grid, norm, condition) for _ in range(2))
        self.last = nn.Sequential(normalisation(norm, width, self.grid), nn.GELU(), nn.Conv2d(width, outputs, 1))
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(
        self, image: Tensor, time: Tensor | None = None, features: Sequence[Tensor] = (), noise: Tensor | None = None
    ) -> Tensor:
        condition, coarse = self.condition(time, noise), resized(image, self.grid)
        seen = [self.maps(features, self.grid, len(image))] if self.maps.channels else []
        x = self.mix(torch.cat([*seen, coarse], dim=1))
        for bend in self.bends:
            x = bend(x, condition)
        return resized(self.last(x) + self.skip(coarse), image.shape[-1])
