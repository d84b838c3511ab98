"""pix2pix (Isola et al. 2017) with least squares (Mao et al. 2017): a generator, and a discriminator of image and map.

L_D = 1/2 (mean (D(image, fake) - 0)^2 + mean (D(image, real) - 1)^2)
L_G = mean (D(image, G(image)) - 1)^2 + lambda_l1 mean |G(image) - real|

With noise at the generator's input the L1 term would teach it the median, whatever the noise; the fair CRPS of several
draws, L1 less half of their mean distance, is least at the true law.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from vmsbench.config.schema import Range
from vmsbench.data.augmentation import DiffAugment
from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError
from vmsbench.models.losses import absolute, proper_score
from vmsbench.models.model import Losses, MakesNetwork, Model, through
from vmsbench.models.noisy import Noisy, check_draws
from vmsbench.models.sight import Sight
from vmsbench.models.target import Label, Target
from vmsbench.networks.encoder_training import SeeingNetwork

WON = 0.01


class Adversarial(Model):
    """What least-squares and Wasserstein GANs share: a generator with tanh, and a discriminator of image and map.

    network         the generator
    discriminator   makes the discriminator of the concatenated image and map, such as
                    `partial(PatchDiscriminator, width=64)`
    lambda_l1       weight of the distance from the true map in the generator's loss
    init_std        standard deviation of the initial weights: 0.02 in pix2pix
    augmentation    of what the discriminator sees, real and fake alike (DiffAugment, Zhao et al. 2020); an encoder's
                    features stay as they are
    """

    def __init__(
        self,
        network: MakesNetwork,
        discriminator: Callable[..., nn.Module],
        channels: int,
        size: int,
        lambda_l1: float = 100.0,
        init_std: float = 0.02,
        augmentation: DiffAugment = DiffAugment(),
        target: Target = Label(),
        flip_tta: bool = False,
        sight: Sight = Sight(),
    ) -> None:
        super().__init__(channels, size, target, flip_tta, sight)
        if lambda_l1 < 0 or init_std <= 0:
            raise ConfigurationError(
                f"model.lambda_l1={lambda_l1:g}, model.init_std={init_std:g}: at least 0, and above 0; "
                "100 and 0.02 work"
            )
        self.network = self.makes(network, 3, channels)
        self.discriminator = self.sees(discriminator(inputs=3 + channels, size=self.side, **self.seen()))
        self.lambda_l1, self.augmentation = lambda_l1, augmentation
        for player in (self.network, self.discriminator):
            for module in newly_initialised(player).modules():
                begin(module, init_std)

    def players(self) -> dict[str, nn.Module]:
        return {"network": self.network, "discriminator": self.discriminator}

    def info(self) -> dict[str, Any]:
        """The receptive field of one logit of the discriminator, in pixels; None where it does not define one."""
        field = getattr(self.discriminator, "receptive_field", None)
        return super().info() | ({} if field is None else {"discriminator_receptive_field": field})

    def generate(self, image: Tensor, features: Features) -> Tensor:
        return self.ask(image, features).tanh()

    def discriminate(self, image: Tensor, candidate: Tensor, features: Features) -> Tensor:
        return self.discriminator(self.augmentation(torch.cat([image, candidate], dim=1)), **through(features))

    def l1(self, fake: Tensor, real: Tensor) -> Tensor:
        return self.lambda_l1 * (fake - real).abs().mean()

    def _sample(self, image: Tensor, count: int, quick: bool, features: Features) -> Tensor:
        return self._predict(image, features).tanh()[:, None].expand(-1, count, -1, -1, -1)


class LeastSquares(Adversarial):
    """The losses of least squares, of a generator that answers with one map or several."""

    @abstractmethod
    def fakes(self, image: Tensor, features: Features) -> Tensor:
        """k maps for each image, one after the other: B k x C x side x side."""

    @abstractmethod
    def distance(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        """How far they are from the B true maps, with its weight."""

    def _losses(self, image: Tensor, coded: Tensor, features: Features) -> Losses:
        fake = self.fakes(image, features)
        images = image.repeat_interleave(len(fake) // len(image), dim=0)
        yield (
            "discriminator",
            {
                "fake": self.discriminate(images, fake.detach(), features).square().mean() / 2,
                "real": (self.discriminate(image, coded, features) - 1).square().mean() / 2,
            },
        )
        adversarial = (self.discriminate(images, fake, features) - 1).square().mean()
        yield "network", {"adversarial": adversarial} | self.distance(fake, coded)

    def diagnostics(self, losses: Mapping[str, float]) -> list[str]:
        """A discriminator that always predicts 1/2 has 0.125 in either term; one that is never wrong has 0."""
        if max(losses["discriminator/fake"], losses["discriminator/real"]) < WON:
            return ["the discriminator has won: it separates all predicted maps from true ones"]
        return []


class Pix2Pix(LeastSquares):
    """The thesis's second experiment; lambda_l1 is 100 in the paper."""

    def fakes(self, image: Tensor, features: Features) -> Tensor:
        return self.generate(image, features)

    def distance(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        return {"l1": self.l1(fake, real)}


class NoisyPix2Pix(Noisy, LeastSquares):
    """pix2pix that samples: noise at the generator's input, and the CRPS of `draws` maps in place of their L1.

    lambda_l1  weight of that CRPS
    draws      of each image in training; the discriminator judges them all
    fairness   weight of the distance between draws, as in `vmsbench.models.engression`
    """

    def __init__(
        self,
        network: MakesNetwork,
        discriminator: Callable[..., nn.Module],
        channels: int,
        size: int,
        lambda_l1: float = 100.0,
        init_std: float = 0.02,
        draws: Annotated[int, Range(least=2, most=1000)] = 2,
        fairness: Annotated[float, Range(above=0, most=1)] = 0.95,
        augmentation: DiffAugment = DiffAugment(),
        target: Target = Label(),
        flip_tta: bool = False,
        sight: Sight = Sight(),
    ) -> None:
        super().__init__(
            network, discriminator, channels, size, lambda_l1, init_std, augmentation, target, flip_tta, sight
        )
        check_draws(draws, fairness)
        self.draws, self.fairness = draws, fairness

    def made(self, image: Tensor, numbers: Tensor, features: Features) -> Tensor:
        return super().made(image, numbers, features).tanh()

    def fakes(self, image: Tensor, features: Features) -> Tensor:
        return self.drawn(image, self.draws, features).flatten(0, 1)

    def distance(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        drawn = fake.unflatten(0, (len(real), self.draws))
        return {"crps": self.lambda_l1 * proper_score(drawn, real, absolute, self.fairness)}


def newly_initialised(player: nn.Module) -> nn.Module:
    """The player without the encoder that it sees through, whose weights stay."""
    return player.network if isinstance(player, SeeingNetwork) else player


def begin(module: nn.Module, init_std: float) -> None:
    """pix2pix's initial weights: convolutions N(0, init_std), batch norms N(1, init_std), no biases."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        for parameter in module.parameters():
            if parameter.ndim == 4:
                nn.init.normal_(parameter, 0.0, init_std)
            else:
                nn.init.zeros_(parameter)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, init_std)
        nn.init.zeros_(module.bias)
