"""The interface of every network: images in, images of the same height and width out."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Network(nn.Module, ABC):
    """An image-to-image map.

    Constructed as Network(inputs, outputs, size, timed=..., **own settings): channels in and out, the side of the
    square images in pixels, and whether it also takes a time. The model decides these four, the
    configuration the rest, so every network works in every model.
    """

    @abstractmethod
    def forward(self, image: Tensor, time: Tensor | None = None) -> Tensor:
        """B x inputs x S x S and, for a timed network, B times in [0, 1], to B x outputs x S x S, unbounded."""
