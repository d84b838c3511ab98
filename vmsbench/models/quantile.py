"""Quantile regression (Koenker and Bassett 1978): one network gives Q levels of every pixel's law at once.

The loss is twice the pinball loss, averaged over the levels tau_q = (q - 1/2) / Q: as Q grows, the CRPS. The levels say
nothing of how pixels go together; a draw takes the same share at every pixel of a channel.
"""

from typing import Annotated

import torch
from torch import Tensor

from vmsbench.config.schema import Range
from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError
from vmsbench.models.model import Losses, MakesNetwork, Model
from vmsbench.models.sight import Sight
from vmsbench.models.target import Label, Target
from vmsbench.networks.conditions import resized


class Quantile(Model):
    """Image in, `levels` quantiles of each pixel and channel out, sorted.

    A sample is drawn by one uniform number for each channel of a map, between the levels linearly. The single answer is
    what any sampler's is, the median or mean of the draws, so that a few draws answer with a level near the middle one.
    """

    random = True

    def __init__(
        self,
        network: MakesNetwork,
        channels: int,
        size: int,
        levels: Annotated[int, Range(least=2, most=1000)] = 16,
        target: Target = Label(),
        flip_tta: bool = False,
        sight: Sight = Sight(),
    ) -> None:
        super().__init__(channels, size, target, flip_tta, sight)
        if levels < 2:
            raise ConfigurationError(f"model.levels={levels}: at least 2; 16 work")
        self.network = self.makes(network, 3, channels * levels)
        self.levels = levels

    def _losses(self, image: Tensor, coded: Tensor, features: Features) -> Losses:
        yield "network", {"pinball": pinball(self.sorted(self.ask(image, features)), coded)}

    def _sample(self, image: Tensor, count: int, quick: bool, features: Features) -> Tensor:
        quantiles = self.sorted(self._predict(image, features)).clamp(-1, 1)
        share = torch.rand(len(image), count, quantiles.shape[1], device=image.device)
        return at(quantiles, share)

    def transform(self, image: Tensor, noise: Tensor, features: Features = Features()) -> Tensor:
        """Of the noise, one number for each channel is used."""
        share = torch.special.ndtr(noise[:, None, :, 0, 0])
        quantiles = self.sorted(self._predict(resized(image, self.side), features)).clamp(-1, 1)
        return resized(at(quantiles, share)[:, 0], self.size)

    def sorted(self, predicted: Tensor) -> Tensor:
        """B x C Q x S x S as B x C x Q x S x S, rising."""
        return predicted.unflatten(1, (-1, self.levels)).sort(dim=2).values


def pinball(quantiles: Tensor, true: Tensor) -> Tensor:
    """Twice the mean pinball loss of B x C x Q x S x S levels of B x C x S x S maps."""
    levels = quantiles.shape[2]
    tau = (torch.arange(levels, device=true.device) + 0.5)[:, None, None] / levels
    error = true[:, :, None] - quantiles
    return 2 * torch.maximum(tau * error, (tau - 1) * error).mean()


def at(quantiles: Tensor, share: Tensor) -> Tensor:
    """The levels (B x C x Q x S x S) at shares (B x K x C) in [0, 1], linearly between them: B x K x C x S x S.

    Beyond the outermost levels it is those.
    """
    levels = quantiles.shape[2]
    place = (share * levels - 0.5).clamp(0, levels - 1).transpose(1, 2)[..., None, None]  # B x C x K x 1 x 1
    below = place.floor().long().clamp(max=levels - 2)
    shape = (-1, -1, -1, *quantiles.shape[3:])
    low, high = (quantiles.gather(2, index.expand(shape)) for index in (below, below + 1))
    return torch.lerp(low, high, (place - below).expand(shape)).transpose(1, 2)
