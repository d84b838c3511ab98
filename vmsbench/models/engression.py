"""Engression (Shen and Meinshausen 2024): a network with noise at its input, taught by a proper score of its draws.

Of M draws x_i for an image whose map is y, the loss is the fair score (Gneiting and Raftery 2007; Ferro 2014)

    mean_i d(x_i, y) - fairness / 2 mean_(i < j) d(x_i, x_j)

with d = |.| at each pixel (CRPS) or the root mean square over the whole map (the energy score). Its least value is at
the true law, so the draws are as far apart as the truth is uncertain; one pass through the network is one draw.
"""

from collections.abc import Callable
from itertools import combinations
from typing import Annotated, Literal

import torch
from torch import Tensor

from vmsbench.config.schema import Range
from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError
from vmsbench.models.model import Losses, MakesNetwork, Model
from vmsbench.models.sight import Sight
from vmsbench.models.target import Label, Target
from vmsbench.networks.conditions import resized

STYLE = 16  # numbers of noise that scale and shift the channels of layers
TEXTURES, COARSE = 4, 4  # noise maps at the input, and their side in pixels


class Engression(Model):
    """A sampler taught by its score.

    network    takes image and noise maps on top of each other, and numbers of noise
    score      crps, pixel by pixel, or energy, of whole maps
    draws      M, in training; more make the loss less noisy, and cost as much more time
    fairness   weight of the distance between draws: 1 is the fair score, under which two draws may part for nothing
               where they lie on either side of the truth; a little less holds them (Lang et al. 2024)
    With `flip_tta` every second draw is made from the mirror image: draws are not averaged, they would lie too close.
    """

    random = True

    def __init__(
        self,
        network: MakesNetwork,
        channels: int,
        size: int,
        score: Literal["crps", "energy"] = "crps",
        draws: Annotated[int, Range(least=2, most=1000)] = 2,
        fairness: Annotated[float, Range(above=0, most=1)] = 0.95,
        target: Target = Label(),
        flip_tta: bool = False,
        sight: Sight = Sight(),
    ) -> None:
        super().__init__(channels, size, target, flip_tta, sight)
        if score not in APART:
            raise ConfigurationError(f"model.score={score} is none of {', '.join(APART)}")
        if draws < 2 or not 0 < fairness <= 1:
            raise ConfigurationError(
                f"model.draws={draws}, model.fairness={fairness:g}: at least 2, and above 0 up to 1; 2 and 0.95 work"
            )
        self.network = self.makes(network, 3 + TEXTURES, channels, noise=STYLE)
        self.score, self.draws, self.fairness = score, draws, fairness

    def _losses(self, image: Tensor, coded: Tensor, features: Features) -> Losses:
        drawn = self.drawn(image, self.draws, features)
        yield "network", {self.score: proper_score(drawn, coded, APART[self.score], self.fairness)}

    def _sample(self, image: Tensor, count: int, quick: bool, features: Features) -> Tensor:
        mirrored = count // 2 if self.flip_tta else 0
        maps = [self.drawn(image, count - mirrored, features)]
        if mirrored:
            maps.append(self.drawn(image.flip(-1), mirrored, features.flip()).flip(-1))
        return torch.cat(maps, dim=1).clamp(-1, 1)

    def transform(self, image: Tensor, noise: Tensor, features: Features = Features()) -> Tensor:
        """Of the noise, as many numbers are used as a draw needs."""
        numbers = noise.flatten(1)[:, : STYLE + TEXTURES * COARSE**2]
        return resized(self.made(resized(image, self.side), numbers, features), self.size).clamp(-1, 1)

    def drawn(self, image: Tensor, count: int, features: Features) -> Tensor:
        """Maps of fresh noise, B x count x C x side x side."""
        numbers = torch.randn(len(image) * count, STYLE + TEXTURES * COARSE**2, device=image.device)
        made = self.made(image.repeat_interleave(count, dim=0), numbers, features)
        return made.unflatten(0, (len(image), count))

    def made(self, image: Tensor, numbers: Tensor, features: Features) -> Tensor:
        """One map for each of B images and rows of standard normal numbers."""
        style, texture = numbers[:, :STYLE], numbers[:, STYLE:].unflatten(1, (TEXTURES, COARSE, COARSE))
        return self.ask(torch.cat([image, resized(texture, self.side)], dim=1), features, noise=style)


def absolute(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).abs().mean()


def root_mean_square(x: Tensor, y: Tensor) -> Tensor:
    """Of each map over its channels and pixels; the mean of B maps."""
    return ((x - y).square().flatten(1).mean(dim=1) + 1e-8).sqrt().mean()


APART: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"crps": absolute, "energy": root_mean_square}


def proper_score(drawn: Tensor, true: Tensor, apart: Callable[[Tensor, Tensor], Tensor], fairness: float) -> Tensor:
    """The fair score of M draws, B x M x C x S x S, of maps, B x C x S x S."""
    draws = drawn.unbind(1)
    error = torch.stack([apart(draw, true) for draw in draws]).mean()
    spread = torch.stack([apart(one, other) for one, other in combinations(draws, 2)]).mean()
    return error - fairness * spread / 2
