"""A model family of one's own: a network that predicts the mean and the deviation of every pixel."""

import torch
from torch import Tensor

from vmsbench.data.encoded.features import Features
from vmsbench.models.model import Losses, MakesNetwork, Model
from vmsbench.models.sight import Sight
from vmsbench.models.target import Label, Target


class Gaussian(Model):
    """A normal law at each pixel, independent of its neighbours', trained on its likelihood.

    least   smallest standard deviation, of maps in [-1, 1]
    """

    random = True

    def __init__(
        self,
        network: MakesNetwork,
        channels: int,
        size: int,
        least: float = 0.05,
        target: Target = Label(),
        flip_tta: bool = False,
        sight: Sight = Sight(),
    ) -> None:
        super().__init__(channels, size, target, flip_tta, sight)
        self.network = self.makes(network, 3, 2 * channels)
        self.least = least

    def _losses(self, image: Tensor, coded: Tensor, features: Features) -> Losses:
        mean, deviation = self.law(self.ask(image, features))
        yield "network", {"likelihood": (deviation.log() + ((coded - mean) / deviation).square() / 2).mean()}

    def _sample(self, image: Tensor, count: int, quick: bool, features: Features) -> Tensor:
        mean, deviation = (part[:, None] for part in self.law(self._predict(image, features)))
        noise = torch.randn(len(image), count, *mean.shape[2:], device=image.device)
        return (mean + deviation * noise).clamp(-1, 1)

    def law(self, predicted: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the standard deviation of B x C x S x S pixels, of a network's B x 2C x S x S."""
        mean, deviation = predicted.chunk(2, dim=1)
        return mean, self.least + torch.nn.functional.softplus(deviation)
