"""Regression: one network, trained on the map itself. With L1 it learns the median, with MSE the mean."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

from vmsbench.errors import ConfigurationError
from vmsbench.models.model import Losses, MakesNetwork, Model
from vmsbench.models.target import Label, Target

DISTANCES = {"l1": functional.l1_loss, "mse": functional.mse_loss}


class Regression(Model):
    """The thesis's first experiment: image in, map out, `loss` l1 or mse over all pixels and predicted channels."""

    def __init__(
        self,
        network: MakesNetwork,
        channels: int,
        size: int,
        loss: Literal["l1", "mse"] = "l1",
        target: Target = Label(),
        flip_tta: bool = False,
    ) -> None:
        super().__init__(target, flip_tta)
        if loss not in DISTANCES:
            raise ConfigurationError(f"model.loss={loss} is none of {', '.join(DISTANCES)}")
        self.network = network(3, channels, size)
        self.loss = loss

    def _losses(self, image: Tensor, coded: Tensor) -> Losses:
        yield "network", {self.loss: DISTANCES[self.loss](self.network(image), coded)}

    def _sample(self, image: Tensor, count: int, quick: bool) -> Tensor:
        return self._predict(image).clamp(-1, 1)[:, None].expand(-1, count, -1, -1, -1)
