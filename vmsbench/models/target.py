"""What a network is trained on: the map itself, or its mean with the image, from which the map is decoded."""

from abc import ABC, abstractmethod

from torch import Tensor


class Target(ABC):
    """A coding of a map, given its image, and its decoding; all in [-1, 1]."""

    @abstractmethod
    def code(self, image: Tensor, label: Tensor) -> Tensor:
        """The coded map for B x 3 x S x S images and B x C x S x S maps: B x C x S x S."""

    @abstractmethod
    def label(self, image: Tensor, coded: Tensor) -> Tensor:
        """The map decoded from the network's output, in [-1, 1]."""


class Label(Target):
    """The map itself."""

    def code(self, image: Tensor, label: Tensor) -> Tensor:
        return label

    def label(self, image: Tensor, coded: Tensor) -> Tensor:
        return coded.clamp(-1, 1)


class Sum(Target):
    """The thesis's image + label, halved so that it stays in [-1, 1]: S = (I + L) / 2, decoded as L = 2 S - I.

    I are the image's own red and green for two-channel maps, all three channels for three, their mean for grey maps.
    """

    def code(self, image: Tensor, label: Tensor) -> Tensor:
        return (self.channels_of(image, label.shape[1]) + label) / 2

    def label(self, image: Tensor, coded: Tensor) -> Tensor:
        return (2 * coded - self.channels_of(image, coded.shape[1])).clamp(-1, 1)

    def channels_of(self, image: Tensor, channels: int) -> Tensor:
        return image.mean(dim=1, keepdim=True) if channels == 1 else image[:, :channels]
