"""Conditional diffusion (Ho et al. 2020; Palette, Saharia et al. 2022): a network takes noise off, given the image.

With gamma = gamma(t), signal = sqrt(gamma), spread = sqrt(1 - gamma), and maps standardised channel by channel:

    noisy    = signal * map + spread * noise
    velocity = signal * noise - spread * map                                     (Salimans and Ho 2022)
    map      = signal * noisy - spread * velocity
    noise    = spread * noisy + signal * velocity
"""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from vmsbench.errors import ConfigurationError
from vmsbench.models.model import Losses, MakesNetwork, Model
from vmsbench.models.noise import Schedule


class Diffusion(Model):
    """The thesis's third experiment.

    network        takes image and noisy map on top of each other, and the time; gives the velocity
    schedule       gamma(t)
    times          T: training draws t from (1..T) / T
    steps          of DDIM (Song et al. 2021, eta = 0) when maps are sampled; at most T
    quick_steps    the same for a look during training
    """

    def __init__(
        self,
        network: MakesNetwork,
        channels: int,
        size: int,
        schedule: Schedule,
        times: int = 1000,
        steps: int = 50,
        quick_steps: int = 10,
    ) -> None:
        super().__init__()
        if not 1 <= steps <= times:
            raise ConfigurationError(f"model.steps={steps} must lie between 1 and model.times={times}; 50 works")
        self.network = network(3 + channels, channels, size, timed=True)
        self.schedule = schedule
        self.times, self.steps, self.quick_steps = times, steps, min(steps, quick_steps)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("deviation", torch.ones(1, channels, 1, 1))

    def prepare(self, target: Tensor) -> None:
        self.mean.copy_(target.mean(dim=(0, 2, 3), keepdim=True))
        self.deviation.copy_(target.std(dim=(0, 2, 3), keepdim=True).clamp(min=0.05))

    def amounts(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """signal and spread at B times, B x 1 x 1 x 1 each."""
        gamma = self.schedule.gamma(time)[:, None, None, None]
        return gamma.sqrt(), (1 - gamma).sqrt()

    def losses(self, image: Tensor, target: Tensor) -> Losses:
        clean = (target - self.mean) / self.deviation
        draw = torch.randint(self.times, (len(image),), device=image.device)
        time = (draw + 1) / self.times
        signal, spread = self.amounts(time)
        noise = torch.randn_like(clean)
        noisy = signal * clean + spread * noise
        velocity = signal * noise - spread * clean
        guess = self.network(torch.cat([image, noisy], dim=1), time)
        yield "network", {"velocity": functional.mse_loss(guess, velocity)}

    def sample(self, image: Tensor, count: int = 1, quick: bool = False) -> Tensor:
        """DDIM: from pure noise, `steps` times guess the map, clip it to what maps can be, and go to the next time."""
        batch, _, height, width = image.shape
        channels = self.mean.shape[1]
        images = image.repeat_interleave(count, dim=0)
        noisy = torch.randn(batch * count, channels, height, width, device=image.device)
        low, high = (-1 - self.mean) / self.deviation, (1 - self.mean) / self.deviation
        clean = noisy
        steps = self.quick_steps if quick else self.steps
        moments = torch.linspace(1, 0, steps + 1, device=image.device)
        for now, later in pairwise(moments):
            time = now.expand(len(noisy))
            signal, spread = self.amounts(time)
            velocity = self.network(torch.cat([images, noisy], dim=1), time)
            clean = (signal * noisy - spread * velocity).clamp(low, high)
            noise = (noisy - signal * clean) / spread
            signal, spread = self.amounts(later.expand(len(noisy)))
            noisy = signal * clean + spread * noise
        maps = (clean * self.deviation + self.mean).clamp(-1, 1)
        return maps.reshape(batch, count, channels, height, width)
