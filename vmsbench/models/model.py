"""What every model is: players that lower their losses in turn, and samples of the map an image may have."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn

Losses = Iterator[tuple[str, dict[str, Tensor]]]


class MakesNetwork(Protocol):
    """A network but for what the model decides, such as `partial(UNet, width=32)`."""

    def __call__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> nn.Module: ...


class Model(nn.Module, ABC):
    """A model of maps given images, both in [-1, 1].

    network   the player that predicts, in every model; its weights may be averaged (EMA) for prediction
    """

    network: nn.Module

    def players(self) -> dict[str, nn.Module]:
        """Who has weights to train, by name; each has an optimiser of its own."""
        return {"network": self.network}

    def prepare(self, target: Tensor) -> None:
        """Look once, before training, at the training maps (N x C x S x S)."""

    @abstractmethod
    def losses(self, image: Tensor, target: Tensor) -> Losses:
        """Yield (player, {term: loss}) for B x 3 x S x S images and B x C x S x S maps.

        Whoever asks updates that player with the sum of its terms before asking for the next; in validation nobody
        is updated. Random draws come from torch's default generator of the images' device.
        """

    @abstractmethod
    def sample(self, image: Tensor, count: int = 1, quick: bool = False) -> Tensor:
        """`count` maps drawn for each image: B x count x C x S x S in [-1, 1]. Deterministic models repeat theirs.

        `quick` samples may be worse and must be cheaper: they are for a look during training.
        """
