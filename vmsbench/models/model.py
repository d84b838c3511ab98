"""The interface of every model: players that minimise their losses in turn, and samples of the map given an image."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vmsbench.config.instantiate import accepted
from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.models.sight import COORDINATES, Sight
from vmsbench.models.target import Sum, Target
from vmsbench.networks.conditions import Maps, Moments, resized
from vmsbench.networks.encoder_training import SeeingNetwork

Losses = Iterator[tuple[str, dict[str, Tensor]]]


class MakesNetwork(Protocol):
    """A network without the arguments that the model sets, such as `partial(UNet, width=32)`."""

    def __call__(
        self, inputs: int, outputs: int, size: int, timed: bool = False, features: Sequence[int] = (), noise: int = 0
    ) -> nn.Module: ...


class Model(nn.Module, ABC):
    """A model of maps given images, both in [-1, 1].

    network   the player that predicts, in every model; its weights may be averaged (EMA) for prediction
    random    whether the samples of one image differ
    target    what the network is trained on: the map, or its mean with the image
    flip_tta  whether predictions for the image and its mirror image are averaged; doubles the time of prediction
    sight     what networks see besides the image, and at which resolution they work
    size      of images and maps in pixels; `side`, of those that networks see

    sampling_steps  steps in which a sample is made, which may be set to 1..most_steps; None where it is one pass
    """

    network: nn.Module
    random = False
    sampling_steps: int | None = None
    most_steps: int | None = None

    def __init__(self, channels: int, size: int, target: Target, flip_tta: bool, sight: Sight) -> None:
        super().__init__()
        self.target, self.flip_tta, self.sight = target, flip_tta, sight
        self.size, self.side = size, sight.side(size)
        if self.side < size and isinstance(target, Sum):
            raise ConfigurationError(
                f"model.sight.resolution={self.side} and target=sum do not go together: the map is read back by taking "
                "the image off, details and all; target=label works"
            )
        self.known: Tensor
        self.register_buffer("known", sight.known(channels, self.side), persistent=sight.blind)

    def players(self) -> dict[str, nn.Module]:
        """The networks that are trained, by name; each has an optimiser of its own."""
        return {"network": self.network}

    def prepare(self, image: Tensor, label: Tensor, moments: Moments = ()) -> None:
        """Take statistics, once before training, of the training images (N x 3 x S x S) and maps (N x C x S x S).

        moments   of the encoder's maps of them, where there is an encoder
        """
        coded = resized(self.target.code(image, label), self.side)
        if self.sight.blind:
            blind = torch.cat([coded.mean(dim=0), coded.median(dim=0).values])
            self.known[0, COORDINATES:].copy_(blind)
        for module in self.modules():
            if isinstance(module, Maps):
                module.learn(moments)
        self.fit_statistics(coded)

    def losses(self, image: Tensor, label: Tensor, features: Features = Features()) -> Losses:
        """Yield (player, {term: loss}) for B x 3 x S x S images and B x C x S x S maps.

        features   what the encoder sees in the images; needed where there is one

        The caller updates that player with the sum of its terms before it takes the next; in validation no player is
        updated. Random draws come from torch's default generator of the images' device. The same batch may be passed
        several times, in parts; `on_step_end` is called once, after the last.
        """
        self.check(features)
        coded = self.target.code(image, label)
        return self._losses(resized(image, self.side), resized(coded, self.side), features)

    def sample(self, image: Tensor, count: int = 1, quick: bool = False, features: Features = Features()) -> Tensor:
        """`count` maps drawn for each image: B x count x C x S x S in [-1, 1]. Deterministic models repeat theirs.

        `quick` samples may be worse and must be cheaper: they are for validation during training.
        """
        self.check(features)
        coded = self._sample(resized(image, self.side), count, quick, self.encoded(features))
        images = image[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1)
        return self.target.label(images, resized(coded.flatten(0, 1), self.size)).unflatten(0, (-1, count))

    def encoded(self, features: Features) -> Features:
        """The encoder's maps, where it is trained and pictures are kept in their place; of mirror images where the
        prediction is of both."""
        if not isinstance(self.network, SeeingNetwork):
            return features
        return (features if self.flip_tta else Features(features.maps)).through(self.network.encoded)

    def check(self, features: Features) -> None:
        if len(features.maps) != len(self.sight.encoder.kept.channels):
            raise UserError(
                "this model sees pictures through an encoder too, and was given no features of them"
                if self.sight.encoder.channels
                else "this model has no encoder, and was given an encoder's features"
            )

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

    def info(self) -> dict[str, Any]:
        """Facts that follow from the settings, for log and results."""
        return dict(self.sight.encoder.info())

    def fit_statistics(self, coded: Tensor) -> None:
        """Take statistics of the targets, N x C x side x side, once before training."""

    @abstractmethod
    def _losses(self, image: Tensor, coded: Tensor, features: Features) -> Losses:
        """The losses, as `losses` promises them, towards coded maps, all of `side` pixels."""

    @abstractmethod
    def _sample(self, image: Tensor, count: int, quick: bool, features: Features) -> Tensor:
        """Coded maps, B x count x C x side x side."""

    def transform(self, image: Tensor, noise: Tensor, features: Features = Features()) -> Tensor:
        """A coded map, B x C x S x S, for each of B images, made of standard normal noise of that shape where the model
        is random."""
        return resized(self._sample(resized(image, self.side), 1, False, features)[:, 0], self.size)

    def makes(self, network: MakesNetwork, inputs: int, outputs: int, **given: Any) -> nn.Module:
        """A predicting network of `inputs` channels, and what `sight` adds.

        Raises ConfigurationError for one that does not take what the model gives it.
        """
        given |= self.seen()
        made_by: Any = getattr(network, "func", network)  # of a partial
        takes = accepted(made_by)
        if lacking := [name for name in given if not {name, "**"} & set(takes)]:
            known_as = getattr(made_by, "__name__", "the network")
            raise ConfigurationError(
                f"model.network: {known_as} takes no {' and no '.join(lacking)}, needed here; the unet and residual do"
            )
        return self.sees(network(inputs + self.known.shape[1], outputs, self.side, **given))

    def sees(self, network: nn.Module) -> nn.Module:
        """A network that takes an encoder's maps, together with the encoder where that is trained."""
        return SeeingNetwork(network, self.sight.encoder) if self.sight.encoder.train else network

    def seen(self) -> dict[str, Any]:
        """Further arguments of a network's constructor where there is an encoder."""
        return {"features": self.sight.encoder.channels} if self.sight.encoder.channels else {}

    def ask(self, stack: Tensor, features: Features, *time: Tensor, **conditions: Tensor) -> Tensor:
        """The network's prediction for a stack of channels, B x C x side x side."""
        if self.sight.blind:
            stack = torch.cat([stack, self.known.expand(len(stack), -1, -1, -1)], dim=1)
        return self.network(stack, *time, **through(features), **conditions)

    def _predict(self, stack: Tensor, features: Features, *time: Tensor) -> Tensor:
        """What the network predicts; with `flip_tta` the mean of its predictions for the stack and for its mirror
        image."""
        seen = self.ask(stack, features, *time)
        return (seen + self.ask(stack.flip(-1), features.flip(), *time).flip(-1)) / 2 if self.flip_tta else seen


def through(features: Features) -> dict[str, Any]:
    """Further arguments of a network's call where there is an encoder."""
    return {"features": features.maps} if features.maps else {}
