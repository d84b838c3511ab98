"""What every model is: players that lower their losses in turn, and samples of the map an image may have."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Protocol

from torch import Tensor, nn

from vmsbench.models.target import Target

Losses = Iterator[tuple[str, dict[str, Tensor]]]


class MakesNetwork(Protocol):
    """A network but for what the model decides, such as `partial(UNet, width=32)`."""

    def __call__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> nn.Module: ...


class Model(nn.Module, ABC):
    """A model of maps given images, both in [-1, 1].

    network   the player that predicts, in every model; its weights may be averaged (EMA) for prediction
    random    whether the samples of one image differ
    target    what is taught: the map, or its mean with the image
    flip_tta  whether maps are predicted from the image and its mirror image, and averaged; doubles prediction's time
    """

    network: nn.Module
    random = False

    def __init__(self, target: Target, flip_tta: bool) -> None:
        super().__init__()
        self.target, self.flip_tta = target, flip_tta

    def players(self) -> dict[str, nn.Module]:
        """Who has weights to train, by name; each has an optimiser of its own."""
        return {"network": self.network}

    def prepare(self, image: Tensor, label: Tensor) -> None:
        """Look once, before training, at the training images (N x 3 x S x S) and maps (N x C x S x S)."""
        self.fit_statistics(self.target.code(image, label))

    def losses(self, image: Tensor, label: Tensor) -> Losses:
        """Yield (player, {term: loss}) for B x 3 x S x S images and B x C x S x S maps.

        Whoever asks updates that player with the sum of its terms before asking for the next; in validation nobody
        is updated. Random draws come from torch's default generator of the images' device. The same batch may be
        gone through several times, in parts; `on_step_end` is called once, after the last.
        """
        return self._losses(image, self.target.code(image, label))

    def sample(self, image: Tensor, count: int = 1, quick: bool = False) -> Tensor:
        """`count` maps drawn for each image: B x count x C x S x S in [-1, 1]. Deterministic models repeat theirs.

        `quick` samples may be worse and must be cheaper: they are for a look during training.
        """
        coded = self._sample(image, count, quick)
        images = image[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1)
        return self.target.label(images, coded.flatten(0, 1)).unflatten(0, (-1, count))

    def on_step_end(self) -> None:
        """A batch was learned from."""

    def observations(self, losses: Mapping[str, float]) -> dict[str, float]:
        """What an epoch's mean losses (by `player/term`) tell besides, for the history."""
        return {}

    def diagnostics(self, losses: Mapping[str, float]) -> list[str]:
        """What the same losses show to have gone wrong, in words."""
        return []

    def config_warnings(self) -> list[str]:
        """What is unwise in the settings without being impossible, in words, each with a value that would do."""
        return []

    def info(self) -> dict[str, int]:
        """What follows from the settings and is worth knowing, for log and results."""
        return {}

    def fit_statistics(self, coded: Tensor) -> None:
        """Look once at what is to be taught, N x C x S x S."""

    @abstractmethod
    def _losses(self, image: Tensor, coded: Tensor) -> Losses:
        """The losses, as `losses` promises them, towards coded maps."""

    @abstractmethod
    def _sample(self, image: Tensor, count: int, quick: bool) -> Tensor:
        """Coded maps, B x count x C x S x S."""

    def transform(self, image: Tensor, noise: Tensor) -> Tensor:
        """A coded map for each of B images, made of standard normal noise, B x C x S x S, where the model is random."""
        return self._sample(image, 1, False)[:, 0]

    def _predict(self, stack: Tensor, *time: Tensor) -> Tensor:
        """What the network predicts; with `flip_tta` the mean of what it says of the stack and of its mirror image."""
        seen = self.network(stack, *time)
        return (seen + self.network(stack.flip(-1), *time).flip(-1)) / 2 if self.flip_tta else seen
