"""Conditional diffusion (Ho et al. 2020; Palette, Saharia et al. 2022): a network removes noise, given the image.

Maps are standardised channel by channel and scaled by b; then, with gamma = gamma_t, signal = sqrt(gamma),
spread = sqrt(1 - gamma):

    noisy = signal * clean + spread * noise                                             (Ho et al. 2020, equation 4)

and the network sees noisy / sqrt(gamma b^2 + 1 - gamma), whose variance is 1 (Chen 2023, section 3.2).
"""

from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor

from vmsbench.config.schema import Range
from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError
from vmsbench.models.model import Losses, MakesNetwork, Model
from vmsbench.models.noise_schedules import NoiseSchedule
from vmsbench.models.prediction import NoisePrediction, Prediction, VelocityPrediction
from vmsbench.models.sight import Sight
from vmsbench.models.target import Label, Target
from vmsbench.networks.conditions import resized

NOISE_ENOUGH, TOO_LITTLE, LEAST = 1e-3, 1e-6, 1e-8


class Diffusion(Model):
    """The thesis's third experiment.

    network        takes image and noisy map concatenated, and the time t / T
    noise_schedule gamma_t, the share of signal left at t = 0..T
    prediction     what the network predicts: velocity, noise or the map
    num_timesteps  T; training draws t from 1..T
    input_scale    b: below 1 there is more noise at every t; it shifts log(signal^2 / spread^2) by 2 log b
    sampling_steps steps of the sampler, at most T
    eta            0: DDIM (Song et al. 2021), deterministic after the first noise; 1: DDPM's own posterior on the
                   same steps, which with sampling_steps = T is the sampler of Ho et al. 2020
    preview_steps  steps of DDIM for validation during training
    time_sampling  how training draws t: uniform, or logit_normal, which draws few at either end
    min_snr        the limit of min-SNR weighting (Hang et al. 2023; 5 in the paper); None: every t weighs as much
    p_uncond       share of training images replaced by mid-grey, so that guidance has an unconditional prediction
    guidance       w of classifier-free guidance (Ho and Salimans 2022): unconditional + w (conditional -
                   unconditional); 1 is off
    """

    random = True

    def __init__(
        self,
        network: MakesNetwork,
        channels: int,
        size: int,
        noise_schedule: NoiseSchedule,
        prediction: Prediction = VelocityPrediction(),
        num_timesteps: int = 1000,
        input_scale: float = 1.0,
        sampling_steps: int = 50,
        eta: float = 0.0,
        preview_steps: int = 10,
        time_sampling: Literal["uniform", "logit_normal"] = "uniform",
        min_snr: Annotated[float, Range(above=0)] | None = None,
        p_uncond: float = 0.0,
        guidance: float = 1.0,
        target: Target = Label(),
        flip_tta: bool = False,
        sight: Sight = Sight(),
    ) -> None:
        super().__init__(channels, size, target, flip_tta, sight)
        if min(sampling_steps, num_timesteps) < 1:
            raise ConfigurationError(
                f"model.sampling_steps={sampling_steps}, model.num_timesteps={num_timesteps}: at least 1; "
                "50 of 1000 work"
            )
        if preview_steps < 1:
            raise ConfigurationError(f"model.preview_steps={preview_steps}: at least 1; 10 are enough for validation")
        if not 0 <= eta <= 1:
            raise ConfigurationError(f"model.eta={eta:g} must lie between 0 (DDIM) and 1 (DDPM)")
        if input_scale <= 0:
            raise ConfigurationError(f"model.input_scale={input_scale:g} must be above 0; 1 is no scaling")
        if not 0 <= p_uncond < 1:
            raise ConfigurationError(
                f"model.p_uncond={p_uncond:g} is a share of the images: from 0 up to, not including, 1"
            )
        if guidance < 0:
            raise ConfigurationError(f"model.guidance={guidance:g}: at least 0; 1 is off")
        if guidance != 1 and not p_uncond:
            raise ConfigurationError(
                f"model.guidance={guidance:g} needs unconditional training; model.p_uncond=0.1 works"
            )
        self.network = self.makes(network, 3 + channels, channels, timed=True)
        self.prediction, self.num_timesteps, self.input_scale = prediction, num_timesteps, input_scale
        self.asked, self.most_steps = sampling_steps, num_timesteps
        self.sampling_steps: int = min(sampling_steps, num_timesteps)
        self.eta, self.preview_steps = eta, min(self.sampling_steps, preview_steps)
        self.time_sampling, self.min_snr = time_sampling, min_snr
        self.p_uncond, self.guidance = p_uncond, guidance
        with torch.device("cpu"):
            gammas = noise_schedule.gammas(num_timesteps)
        self.noise_left = float(gammas[-1])
        if self.noise_left == 0 and isinstance(prediction, NoisePrediction):
            raise ConfigurationError("model.prediction=noise is undefined at zero terminal SNR; velocity and map work")
        self.gammas: Tensor
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("gammas", gammas)
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("deviation", torch.ones(1, channels, 1, 1))

    def fit_statistics(self, coded: Tensor) -> None:
        self.mean.copy_(coded.mean(dim=(0, 2, 3), keepdim=True))
        self.deviation.copy_(coded.std(dim=(0, 2, 3), keepdim=True).clamp(min=0.05))

    def config_warnings(self) -> list[str]:
        many = (
            f"model.sampling_steps={self.asked} exceeds model.num_timesteps={self.num_timesteps}: "
            "model.sampling_steps=50 is usual"
        )
        return ([many] if self.asked > self.num_timesteps else []) + self.about_the_end()

    def about_the_end(self) -> list[str]:
        if self.noise_left < TOO_LITTLE and isinstance(self.prediction, NoisePrediction):
            return [
                f"at t = T the noisy maps hold only {self.noise_left:.2g} of the signal's variance: noise predicted "
                "there hardly determines the map; model.prediction=velocity, or a schedule that ends earlier, works "
                "better"
            ]
        if self.noise_left <= NOISE_ENOUGH:
            return []
        return [
            f"at t = T = {self.num_timesteps} the noisy maps still hold {self.noise_left:.2g} of the signal's variance "
            f"(at most {NOISE_ENOUGH:g} is usual), but sampling starts from pure noise; scale the betas by 1000 / T "
            "(model.noise_schedule.rescale=true), or raise model.num_timesteps"
        ]

    def amounts(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """signal and spread at B whole times 0..T, B x 1 x 1 x 1 each."""
        gamma = self.gammas[t][:, None, None, None]
        return gamma.sqrt(), (1 - gamma).sqrt()

    def standard(self, coded: Tensor) -> Tensor:
        """Maps with mean 0 and deviation b in each channel."""
        return self.input_scale * (coded - self.mean) / self.deviation

    def denoise(self, image: Tensor, noisy: Tensor, t: Tensor, features: Features = Features()) -> Tensor:
        """The network's prediction for B images, noisy maps and whole times."""
        signal, spread = self.amounts(t)
        seen = noisy / (signal.square() * self.input_scale**2 + spread.square()).sqrt()
        stack, time = torch.cat([image, seen], dim=1), t / self.num_timesteps
        return self.ask(stack, features, time) if self.training else self._predict(stack, features, time)

    def _losses(self, image: Tensor, coded: Tensor, features: Features) -> Losses:
        clean = self.standard(coded)
        t = self.times(len(image), image.device)
        signal, spread = self.amounts(t)
        noise = torch.randn_like(clean)
        if self.p_uncond and self.training:
            forgotten = torch.rand(len(image), 1, 1, 1, device=image.device) < self.p_uncond
            image, features = torch.where(forgotten, 0.0, image), self.encoded(features).without(forgotten)
        prediction = self.denoise(image, signal * clean + spread * noise, t, features)
        target = self.prediction.target(clean, noise, signal, spread)
        error = (prediction - target).square().mean(dim=(1, 2, 3))
        yield "network", {self.prediction.name: (self.weights(t) * error).mean()}

    def times(self, count: int, device: torch.device) -> Tensor:
        """Whole times 1..T to learn from: evenly, or most of them in the middle (Esser et al. 2024, section 3.1)."""
        if self.time_sampling == "uniform":
            return 1 + torch.randint(self.num_timesteps, (count,), device=device)
        share = torch.randn(count, device=device).sigmoid()
        return (1 + share * self.num_timesteps).long().clamp(max=self.num_timesteps)

    def weights(self, t: Tensor) -> Tensor:
        """Of the squared error at B times: 1, or those by which the clean map's, free of b, weighs min(SNR, limit)."""
        if self.min_snr is None:
            return torch.ones_like(t, dtype=torch.float32)
        gamma, scale = self.gammas[t], self.input_scale**2
        ratio = (gamma / (1 - gamma).clamp(min=LEAST)).clamp(min=LEAST)
        return (scale * ratio).clamp(max=self.min_snr) / scale / self.prediction.magnified(ratio)

    def _sample(self, image: Tensor, count: int, quick: bool, features: Features) -> Tensor:
        """From pure noise: predict the map, clip it to the range of maps, go to the next of the chosen times."""
        images = image.repeat_interleave(count, dim=0)
        noise = torch.randn(len(images), self.mean.shape[1], *image.shape[2:], device=image.device)
        sampling_steps, eta = (self.preview_steps, 0.0) if quick else (self.sampling_steps, self.eta)
        return self.walk(images, noise, sampling_steps, eta, features).unflatten(0, (len(image), count))

    def transform(self, image: Tensor, noise: Tensor, features: Features = Features()) -> Tensor:
        """Where the model works at a lower resolution, of every so many pixels of noise one is used."""
        apart = self.size // self.side
        noise = noise[..., ::apart, ::apart]
        coded = self.walk(resized(image, self.side), noise, self.sampling_steps, self.eta, features)
        return resized(coded, self.size)

    def walk(
        self, image: Tensor, noisy: Tensor, sampling_steps: int, eta: float, features: Features = Features()
    ) -> Tensor:
        """Coded maps from noise, both B x C x S x S, in `sampling_steps` steps."""
        moments = torch.linspace(self.num_timesteps, 0, sampling_steps + 1, device=image.device).round().long()
        count = image.shape[0]
        for now, later in pairwise(moments):
            clean, noisy = self.step(image, noisy, now.expand(count), later.expand(count), eta, features)
        return clean / self.input_scale * self.deviation + self.mean

    def step(
        self, image: Tensor, noisy: Tensor, now: Tensor, later: Tensor, eta: float, features: Features = Features()
    ) -> tuple[Tensor, Tensor]:
        """The clean map as predicted at the times `now`, and the noisy one at the times `later` (B each).

        later = signal' clean + sqrt(spread'^2 - s^2) noise + s fresh,  s = eta spread'/spread sqrt(1 - gamma/gamma')
        (Song et al. 2021, equations 12 and 16; ' is at `later`)
        """
        signal, spread = self.amounts(now)
        clean = self.prediction.clean(self.guided_prediction(image, noisy, now, features), noisy, signal, spread)
        clean = clean.clamp(self.standard(-torch.ones_like(self.mean)), self.standard(torch.ones_like(self.mean)))
        noise = (noisy - signal * clean) / spread
        signal_later, spread_later = self.amounts(later)
        fresh = eta * spread_later / spread * (1 - (signal / signal_later).square()).clamp(min=0).sqrt()
        kept = (spread_later.square() - fresh.square()).clamp(min=0).sqrt()
        after = signal_later * clean + kept * noise
        return clean, after + fresh * torch.randn_like(noisy) if eta else after

    def guided_prediction(self, image: Tensor, noisy: Tensor, t: Tensor, features: Features = Features()) -> Tensor:
        """The network's prediction, with guidance where it is on."""
        prediction = self.denoise(image, noisy, t, features)
        if self.guidance == 1:
            return prediction
        free = self.denoise(torch.zeros_like(image), noisy, t, features.nothing())
        return free + self.guidance * (prediction - free)
