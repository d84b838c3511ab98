"""Wasserstein GANs: a critic whose difference between true and generated maps estimates the distance of their
distributions.

L_D = mean D(image, fake) - mean D(image, real)  [+ penalty E (|grad_x D(image, x)|_2 - 1)^2]
L_G = - mean D(image, G(image)) + lambda_l1 mean |G(image) - real|

The critic has to be 1-Lipschitz in the map: by clipping its weights (Arjovsky et al. 2017, algorithm 1) or by the
gradient penalty on maps x drawn uniformly between a true and a generated one (Gulrajani et al. 2017, equation 3).
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from vmsbench.data.augmentation import DiffAugment
from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError
from vmsbench.models.model import Losses, MakesNetwork
from vmsbench.models.pix2pix import Adversarial, newly_initialised
from vmsbench.models.sight import Sight
from vmsbench.models.target import Label, Target


class Wasserstein(Adversarial):
    """The thesis's Wasserstein variant; the critic is the player `discriminator`, its value the mean of its patches.

    critic_steps   batches on which the critic alone is trained for each one on which the generator is too: 5 in the
    papers clip           largest absolute weight of the critic (0.01 in the paper); 0: no clipping
    penalty        weight of the gradient penalty (10 in the paper); 0: none
    One of `clip` and `penalty` must hold the critic; under a penalty it may have no batch norm, which ties the
    gradients of a batch to each other.
    """

    def __init__(
        self,
        network: MakesNetwork,
        discriminator: Callable[..., nn.Module],
        channels: int,
        size: int,
        lambda_l1: float = 100.0,
        init_std: float = 0.02,
        critic_steps: int = 5,
        clip: float = 0.0,
        penalty: float = 10.0,
        augmentation: DiffAugment = DiffAugment(),
        target: Target = Label(),
        flip_tta: bool = False,
        sight: Sight = Sight(),
    ) -> None:
        super().__init__(
            network,
            discriminator,
            channels,
            size,
            lambda_l1,
            init_std,
            augmentation=augmentation,
            target=target,
            flip_tta=flip_tta,
            sight=sight,
        )
        if critic_steps < 1:
            raise ConfigurationError(f"model.critic_steps={critic_steps}: at least 1; the papers have 5")
        if (clip > 0) == (penalty > 0):
            raise ConfigurationError(
                f"model.clip={clip:g} and model.penalty={penalty:g}: one of them above 0; clip=0.01 or penalty=10 works"
            )
        critic = newly_initialised(self.discriminator)
        if penalty and any(isinstance(module, nn.BatchNorm2d) for module in critic.modules()):
            raise ConfigurationError(
                "model.penalty and batch norm do not go together; model.discriminator.norm=instance works"
            )
        self.critic_steps, self.clip, self.penalty = critic_steps, clip, penalty
        self.batches = 0

    def _losses(self, image: Tensor, coded: Tensor, features: Features) -> Losses:
        generates = not self.training or (self.batches + 1) % self.critic_steps == 0
        with torch.set_grad_enabled(generates and torch.is_grad_enabled()):
            fake = self.generate(image, features)
        made = fake.detach()
        terms = {
            "fake": self.discriminate(image, made, features).mean(),
            "real": -self.discriminate(image, coded, features).mean(),
        }
        if self.penalty:
            terms["penalty"] = self.penalty * self.steepness(image, made, coded, features)
        yield "discriminator", terms
        if self.training and self.clip:
            clamp(newly_initialised(self.discriminator), self.clip)
        if generates:
            yield (
                "network",
                {"adversarial": -self.discriminate(image, fake, features).mean(), "l1": self.l1(fake, coded)},
            )

    def on_step_end(self) -> None:
        self.batches += 1

    def steepness(self, image: Tensor, made: Tensor, real: Tensor, features: Features) -> Tensor:
        """E (|grad| - 1)^2 of the critic's value by the map, on random points between generated and real maps."""
        with torch.enable_grad():
            share = torch.rand(len(image), 1, 1, 1, device=image.device)
            between = (share * real + (1 - share) * made).requires_grad_()
            value = self.discriminate(image, between, features).mean(dim=(1, 2, 3)).sum()
            (gradient,) = torch.autograd.grad(value, between, create_graph=True)
            return (gradient.flatten(1).norm(dim=1) - 1).square().mean()

    def observations(self, losses: Mapping[str, float]) -> dict[str, float]:
        """The critic's estimate of the Wasserstein distance: mean D(real) - mean D(fake)."""
        return {"wasserstein": -losses["discriminator/real"] - losses["discriminator/fake"]}

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.batches)

    def set_extra_state(self, state: Tensor) -> None:
        self.batches = int(state)


@torch.no_grad()
def clamp(module: nn.Module, most: float) -> None:
    for parameter in module.parameters():
        parameter.clamp_(-most, most)
