"""Models with noise at their network's input: one pass is one draw of the map.

Some of the numbers scale and shift the channels of layers (their style, as in StyleGAN, Karras et al. 2019); the others
are coarse maps on top of the image.
"""

from typing import Any

import torch
from torch import Tensor, nn

from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError
from vmsbench.models.model import MakesNetwork, Model
from vmsbench.networks.conditions import resized

STYLE = 16  # numbers of noise that scale and shift the channels of layers
TEXTURES, COARSE = 4, 4  # noise maps at the input, and their side in pixels
NUMBERS = STYLE + TEXTURES * COARSE**2


def check_draws(draws: int, fairness: float) -> None:
    """Raises ConfigurationError for draws in training of which no score can be made."""
    if draws < 2 or not 0 < fairness <= 1:
        raise ConfigurationError(
            f"model.draws={draws}, model.fairness={fairness:g}: at least 2, and above 0 up to 1; 2 and 0.95 work"
        )


class Noisy(Model):
    """A model whose draws of one image differ by their noise alone.

    network   takes image and noise maps on top of each other, and numbers of noise
    With `flip_tta` every second draw is made from the mirror image: draws are not averaged, they would lie too close.
    """

    random = True

    def makes(self, network: MakesNetwork, inputs: int, outputs: int, **given: Any) -> nn.Module:
        return super().makes(network, inputs + TEXTURES, outputs, noise=STYLE, **given)

    def _sample(self, image: Tensor, count: int, quick: bool, features: Features) -> Tensor:
        mirrored = count // 2 if self.flip_tta else 0
        maps = [self.drawn(image, count - mirrored, features)]
        if mirrored:
            maps.append(self.drawn(image.flip(-1), mirrored, features.flip()).flip(-1))
        return torch.cat(maps, dim=1).clamp(-1, 1)

    def transform(self, image: Tensor, noise: Tensor, features: Features = Features()) -> Tensor:
        """Of the noise, as many numbers are used as a draw needs."""
        numbers = noise.flatten(1)[:, :NUMBERS]
        return resized(self.made(resized(image, self.side), numbers, features), self.size).clamp(-1, 1)

    def drawn(self, image: Tensor, count: int, features: Features) -> Tensor:
        """Maps of fresh noise, B x count x C x side x side; the features stay those of B images."""
        numbers = torch.randn(len(image) * count, NUMBERS, device=image.device)
        return self.made(image.repeat_interleave(count, dim=0), numbers, features).unflatten(0, (len(image), count))

    def made(self, image: Tensor, numbers: Tensor, features: Features) -> Tensor:
        """One map for each of B images and rows of standard normal numbers; features of them, or of B / k."""
        style, texture = numbers[:, :STYLE], numbers[:, STYLE:].unflatten(1, (TEXTURES, COARSE, COARSE))
        return self.ask(torch.cat([image, resized(texture, self.side)], dim=1), features, noise=style)
