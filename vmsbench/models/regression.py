"""Regression: one network, lowered towards the map itself. With L1 it learns the median, with MSE the mean."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

from vmsbench.errors import ConfigurationError
from vmsbench.models.model import Losses, MakesNetwork, Model

DISTANCES = {"l1": functional.l1_loss, "mse": functional.mse_loss}


class Regression(Model):
    """The thesis's first experiment: image in, map out, `loss` l1 or mse over all pixels and predicted channels."""

    def __init__(self, network: MakesNetwork, channels: int, size: int, loss: Literal["l1", "mse"] = "l1") -> None:
        super().__init__()
        if loss not in DISTANCES:
            raise ConfigurationError(f"model.loss={loss} is none of {', '.join(DISTANCES)}")
        self.network = network(3, channels, size)
        self.loss = loss

    def losses(self, image: Tensor, target: Tensor) -> Losses:
        yield "network", {self.loss: DISTANCES[self.loss](self.network(image), target)}

    def sample(self, image: Tensor, count: int = 1, quick: bool = False) -> Tensor:
        return self.network(image).clamp(-1, 1)[:, None].expand(-1, count, -1, -1, -1)
