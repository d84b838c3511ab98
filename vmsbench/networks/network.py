"""The interface of every network: images in, images of the same height and width out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from vmsbench.networks.conditions import NoiseFeatures, condition
from vmsbench.networks.layers import TimeFeatures


class Network(nn.Module, ABC):
    """An image-to-image map.

    Constructed as Network(inputs, outputs, size, timed=..., features=..., noise=..., **own settings): channels in and
    out, the side of the square images in pixels, whether it also takes a time, the channels of an encoder's maps at
    each stride, and how many numbers of noise. The model decides these six and gives the last three only where there
    are such inputs; the configuration decides the rest, so every network works in every model.
    """

    time: TimeFeatures | None
    noise: NoiseFeatures | None

    def condition_on(self, numbers: int, timed: bool, noise: int) -> int:
        """Make `time` and `noise`, what turns either into `numbers` numbers; returns how many numbers
        layers are conditioned on: 0 for neither."""
        self.time = TimeFeatures(numbers) if timed else None
        self.noise = NoiseFeatures(noise, numbers) if noise else None
        return numbers if timed or noise else 0

    def condition(self, time: Tensor | None, noise: Tensor | None) -> Tensor | None:
        """Those numbers for each image: B x `numbers`; None where there is neither time nor noise."""
        return condition(time, noise, self.time, self.noise)

    @abstractmethod
    def forward(
        self, image: Tensor, time: Tensor | None = None, features: Sequence[Tensor] = (), noise: Tensor | None = None
    ) -> Tensor:
        """B x inputs x S x S to B x outputs x S x S, unbounded.

        time       B times in [0, 1], for a timed network
        features   the encoder's maps, B x C x H x W for each stride; of B / k pictures where each stands for k images
                   in a row (`Maps` takes both)
        noise      B x `noise` standard normal numbers
        """
