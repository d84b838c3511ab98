"""What a model's networks are given to see besides the image, and at which resolution they work."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vmsbench.errors import ConfigurationError
from vmsbench.networks.encoder import Encoder, NoEncoder

COORDINATES = 3  # distance from the middle column, height, squared distance from the centre


@dataclass(frozen=True)
class Sight:
    """The defaults are the image alone, as large as it is.

    encoder      whose features of the image every network sees
    blind        whether the predicting network sees what is known without looking: where a pixel is, and the training
                 maps' pixelwise mean and median
    resolution   px at which image and map are worked on; answers are enlarged bilinearly. None: the data's own
    """

    encoder: Encoder = NoEncoder()
    blind: bool = False
    resolution: int | None = None

    def side(self, size: int) -> int:
        """px at which networks work on data of `size` px."""
        if self.resolution is None:
            return size
        if not 8 <= self.resolution <= size or size % self.resolution:
            halves = ", ".join(str(size // part) for part in (1, 2, 4) if size // part >= 8)
            raise ConfigurationError(f"model.sight.resolution={self.resolution}: {halves} go into {size} px")
        return self.resolution

    def known(self, channels: int, side: int) -> Tensor:
        """Room for what is known without looking, 1 x K x side x side, the coordinates filled in; K = 0 for nothing."""
        if not self.blind:
            return torch.zeros(1, 0, side, side)
        line = torch.linspace(-1, 1, side)
        down, across = torch.meshgrid(line, line, indexing="ij")
        where = torch.stack([across.abs(), down, across.square() + down.square()])
        return torch.cat([where, torch.zeros(2 * channels, side, side)])[None]
