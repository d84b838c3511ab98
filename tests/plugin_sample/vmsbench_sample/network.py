"""Three convolutions: the smallest network that can be wrong about a picture."""

import torch
from torch import Tensor, nn

from vmsbench.networks.network import Network


class Plain(Network):
    """B x inputs x S x S to B x outputs x S x S; a time is a further channel."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs + timed, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, outputs, 3, padding=1),
        )

    def forward(self, image: Tensor, time: Tensor | None = None) -> Tensor:
        if time is not None:
            image = torch.cat([image, time[:, None, None, None].expand(-1, 1, *image.shape[2:])], dim=1)
        return self.layers(image)
