"""pix2pix (Isola et al. 2017) with least squares (Mao et al. 2017): a generator, and a judge of image and map.

L_D = 1/2 (mean (D(image, fake) - 0)^2 + mean (D(image, real) - 1)^2)
L_G = mean (D(image, G(image)) - 1)^2 + lambda_l1 mean |G(image) - real|
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vmsbench.models.model import Losses, MakesNetwork, Model


class Pix2Pix(Model):
    """The thesis's second experiment.

    network         the generator; its output goes through tanh
    discriminator   makes the judge of image and map on top of each other, such as `partial(PatchDiscriminator, ...)`
    lambda_l1       weight of the L1 term: 100 in the paper
    spread          standard deviation of the first weights: 0.02 in the paper
    """

    def __init__(
        self,
        network: MakesNetwork,
        discriminator: Callable[..., nn.Module],
        channels: int,
        size: int,
        lambda_l1: float = 100.0,
        spread: float = 0.02,
    ) -> None:
        super().__init__()
        self.network = network(3, channels, size)
        self.discriminator = discriminator(inputs=3 + channels, size=size)
        self.lambda_l1 = lambda_l1
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0.0, spread)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def players(self) -> dict[str, nn.Module]:
        return {"network": self.network, "discriminator": self.discriminator}

    def judge(self, image: Tensor, candidate: Tensor) -> Tensor:
        return self.discriminator(torch.cat([image, candidate], dim=1))

    def losses(self, image: Tensor, target: Tensor) -> Losses:
        fake = self.network(image).tanh()
        yield (
            "discriminator",
            {
                "fake": self.judge(image, fake.detach()).square().mean() / 2,
                "real": (self.judge(image, target) - 1).square().mean() / 2,
            },
        )
        yield (
            "network",
            {
                "adversarial": (self.judge(image, fake) - 1).square().mean(),
                "l1": self.lambda_l1 * (fake - target).abs().mean(),
            },
        )

    def sample(self, image: Tensor, count: int = 1, quick: bool = False) -> Tensor:
        return self.network(image).tanh()[:, None].expand(-1, count, -1, -1, -1)
