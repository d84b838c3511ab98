"""Regression: one network, trained on the map itself. With L1 it learns the median, with MSE the mean."""

from typing import Literal

from torch import Tensor

from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError, did_you_mean
from vmsbench.models.losses import DISTANCES
from vmsbench.models.model import Losses, MakesNetwork, Model
from vmsbench.models.sight import Sight
from vmsbench.models.target import Label, Target


class Regression(Model):
    """The thesis's first experiment: image in, map out.

    loss     l1 or mse over all pixels and predicted channels, alone or with what else scores look at; see losses.py
    weight   of that other term, next to L1
    """

    def __init__(
        self,
        network: MakesNetwork,
        channels: int,
        size: int,
        loss: Literal["l1", "mse", "l1_cc", "l1_kld"] = "l1",
        weight: float = 0.1,
        target: Target = Label(),
        flip_tta: bool = False,
        sight: Sight = Sight(),
    ) -> None:
        super().__init__(channels, size, target, flip_tta, sight)
        if loss not in DISTANCES:
            raise ConfigurationError(
                f"model.loss={loss} is none of {', '.join(DISTANCES)}{did_you_mean(loss, DISTANCES)}"
            )
        if weight < 0:
            raise ConfigurationError(f"model.weight={weight:g}: at least 0; 0.1 works")
        self.network = self.makes(network, 3, channels)
        self.loss, self.weight = loss, weight

    def _losses(self, image: Tensor, coded: Tensor, features: Features) -> Losses:
        yield "network", DISTANCES[self.loss](self.ask(image, features), coded, self.weight)

    def _sample(self, image: Tensor, count: int, quick: bool, features: Features) -> Tensor:
        return self._predict(image, features).clamp(-1, 1)[:, None].expand(-1, count, -1, -1, -1)
