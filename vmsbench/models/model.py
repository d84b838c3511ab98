"""The interface of every model: players that minimise their losses in turn, and samples of the map given an image."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Protocol

from torch import Tensor, nn

from vmsbench.models.target import Target

Losses = Iterator[tuple[str, dict[str, Tensor]]]


class MakesNetwork(Protocol):
    """A network without the arguments that the model sets, such as `partial(UNet, width=32)`."""

    def __call__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> nn.Module: ...


class Model(nn.Module, ABC):
    """A model of maps given images, both in [-1, 1].

    network   the player that predicts, in every model; its weights may be averaged (EMA) for prediction
    random    whether the samples of one image differ
    target    what the network is trained on: the map, or its mean with the image
    flip_tta  whether predictions for the image and its mirror image are averaged; doubles the time of prediction
    """

    network: nn.Module
    random = False

    def __init__(self, target: Target, flip_tta: bool) -> None:
        super().__init__()
        self.target, self.flip_tta = target, flip_tta

    def players(self) -> dict[str, nn.Module]:
        """The networks that are trained, by name; each has an optimiser of its own."""
        return {"network": self.network}

    def prepare(self, image: Tensor, label: Tensor) -> None:
        """Take statistics, once before training, of the training images (N x 3 x S x S) and maps (N x C x S x S)."""
        self.fit_statistics(self.target.code(image, label))

    def losses(self, image: Tensor, label: Tensor) -> Losses:
        """Yield (player, {term: loss}) for B x 3 x S x S images and B x C x S x S maps.

        The caller updates that player with the sum of its terms before it takes the next; in validation no player is
        updated. Random draws come from torch's default generator of the images' device. The same batch may be passed
        several times, in parts; `on_step_end` is called once, after the last.
        """
        return self._losses(image, self.target.code(image, label))

    def sample(self, image: Tensor, count: int = 1, quick: bool = False) -> Tensor:
        """`count` maps drawn for each image: B x count x C x S x S in [-1, 1]. Deterministic models repeat theirs.

        `quick` samples may be worse and must be cheaper: they are for validation during training.
        """
        coded = self._sample(image, count, quick)
        images = image[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1)
        return self.target.label(images, coded.flatten(0, 1)).unflatten(0, (-1, count))

    def on_step_end(self) -> None:
        """Called after each training step."""

    def observations(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Further values for the history, derived from an epoch's mean losses (by `player/term`)."""
        return {}

    def diagnostics(self, losses: Mapping[str, float]) -> list[str]:
        """Warnings about a training that fails, derived from the same losses."""
        return []

    def config_warnings(self) -> list[str]:
        """Warnings about settings that are valid but unwise, each with a value that works."""
        return []

    def info(self) -> dict[str, int]:
        """Facts that follow from the settings, for log and results."""
        return {}

    def fit_statistics(self, coded: Tensor) -> None:
        """Take statistics of the targets, N x C x S x S, once before training."""

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
        """What the network predicts; with `flip_tta` the mean of its predictions for the stack and for its mirror
        image."""
        seen = self.network(stack, *time)
        return (seen + self.network(stack.flip(-1), *time).flip(-1)) / 2 if self.flip_tta else seen
