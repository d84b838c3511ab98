"""Engression (Shen and Meinshausen 2024): a network with noise at its input, taught by a proper score of its draws.

Of M draws x_i for an image whose map is y, the loss is the fair score (Gneiting and Raftery 2007; Ferro 2014)

    mean_i d(x_i, y) - fairness / 2 mean_(i < j) d(x_i, x_j)

with d = |.| at each pixel (CRPS) or the root mean square over the whole map (the energy score). Its least value is at
the true law, so the draws are as far apart as the truth is uncertain; one pass through the network is one draw.
"""

from typing import Annotated, Literal

from torch import Tensor

from vmsbench.config.schema import Range
from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError
from vmsbench.models.losses import APART, proper_score
from vmsbench.models.model import Losses, MakesNetwork
from vmsbench.models.noisy import Noisy, check_draws
from vmsbench.models.sight import Sight
from vmsbench.models.target import Label, Target


class Engression(Noisy):
    """A sampler taught by its score.

    score      crps, pixel by pixel, or energy, of whole maps
    draws      M, in training; more make the loss less noisy, and cost as much more time
    fairness   weight of the distance between draws: 1 is the fair score, under which two draws may part for nothing
               where they lie on either side of the truth; a little less holds them (Lang et al. 2024)
    """

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
        check_draws(draws, fairness)
        self.network = self.makes(network, 3, channels)
        self.score, self.draws, self.fairness = score, draws, fairness

    def _losses(self, image: Tensor, coded: Tensor, features: Features) -> Losses:
        drawn = self.drawn(image, self.draws, features)
        yield "network", {self.score: proper_score(drawn, coded, APART[self.score], self.fairness)}
