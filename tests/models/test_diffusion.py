"""Diffusion: schedules, the three predictions and the samplers, against closed forms and against diffusers."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from vmsbench.models.diffusion import Diffusion
from vmsbench.models.noise_schedules import (
    BetasSchedule,
    CosineSchedule,
    LinearSchedule,
    NoiseSchedule,
    SigmoidSchedule,
    ZeroTerminalSchedule,
)
from vmsbench.models.prediction import MapPrediction, NoisePrediction, Prediction, VelocityPrediction
from vmsbench.networks.unet import UNet

SIZE = 8
SCHEDULES = [
    LinearSchedule(),
    CosineSchedule(),
    CosineSchedule(0.2, 1.0, 2.0),
    SigmoidSchedule(),
    SigmoidSchedule(0, 3, 0.9),
    BetasSchedule(),
    ZeroTerminalSchedule(BetasSchedule()),
]
PREDICTIONS = [VelocityPrediction(), NoisePrediction(), MapPrediction()]


def named(one: object) -> str:
    return type(one).__name__


class Zero(nn.Module):
    """A network that always answers 0, and remembers what it was asked."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> None:
        super().__init__()
        self.outputs = outputs
        self.asked: list[tuple[Tensor, Tensor]] = []

    def forward(self, image: Tensor, time: Tensor) -> Tensor:
        self.asked.append((image, time))
        return torch.zeros_like(image[:, : self.outputs])


@pytest.mark.parametrize("schedule", SCHEDULES, ids=named)
@pytest.mark.parametrize("times", [50, 1000])
def test_schedules_fall_from_all_signal_to_next_to_none(schedule: NoiseSchedule, times: int) -> None:
    gammas = schedule.gammas(times)
    assert gammas.shape == (times + 1,)
    assert gammas[0] == 1
    assert 0 <= gammas[-1] < 1e-3
    assert (gammas.diff() <= 0).all()


def test_more_steps_than_times_are_said_before_training_and_each_time_is_sampled() -> None:
    model = Diffusion(partial(UNet, width=4), 2, 32, CosineSchedule(), num_timesteps=20, sampling_steps=50)
    assert model.sampling_steps == 20
    assert model.config_warnings()[0].startswith("model.sampling_steps=50 exceeds model.num_timesteps=20")
    assert (
        Diffusion(
            partial(UNet, width=4), 2, 32, CosineSchedule(), num_timesteps=20, sampling_steps=20
        ).config_warnings()
        == []
    )


def test_the_cosine_schedule_is_the_squared_cosine() -> None:
    expected = (torch.linspace(0, 1, 11) * torch.pi / 2).cos().square().clamp(min=1e-9)
    torch.testing.assert_close(CosineSchedule().gammas(10), expected, atol=1e-6, rtol=0)


def test_chens_sigmoid_at_a_quarter_of_the_time_by_hand() -> None:
    def f(t: float) -> float:
        return 1 / (1 + math.exp(-(t * 6 - 3) / 0.7))

    expected = (f(1) - f(0.25)) / (f(1) - f(0))
    assert SigmoidSchedule(-3, 3, 0.7).gammas(4)[1].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("times", [50, 250, 1000])
def test_rescaled_betas_end_in_noise_at_any_number_of_times_and_unscaled_ones_do_not(times: int) -> None:
    assert BetasSchedule(rescale=True).gammas(times)[-1] < 1e-4
    left = {50: 0.60, 250: 0.08, 1000: 4e-5}[times]
    assert BetasSchedule(rescale=False).gammas(times)[-1].item() == pytest.approx(left, rel=0.05)


def test_a_schedule_that_keeps_signal_at_its_end_is_cautioned_against() -> None:
    (caution,) = Diffusion(
        Zero, 2, SIZE, BetasSchedule(rescale=False), num_timesteps=250, sampling_steps=50
    ).config_warnings()
    assert "T = 250" in caution
    assert "rescale=true" in caution
    assert Diffusion(Zero, 2, SIZE, BetasSchedule(), num_timesteps=250, sampling_steps=50).config_warnings() == []


def test_zero_terminal_snr_ends_at_zero_and_keeps_its_start() -> None:
    plain, bent = BetasSchedule().gammas(1000), ZeroTerminalSchedule(BetasSchedule()).gammas(1000)
    assert bent[-1] == 0
    assert bent[1].item() == pytest.approx(plain[1].item(), rel=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=named)
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_noisy_maps_have_the_mean_and_variance_of_q(schedule: NoiseSchedule, scale: float) -> None:
    """q(x_t | x_0) = N(sqrt(gamma) b x_0, 1 - gamma), and the network sees variance 1 for standard maps."""
    torch.manual_seed(0)
    model = Diffusion(Zero, 1, SIZE, schedule, num_timesteps=4, sampling_steps=1, input_scale=scale)
    label = torch.rand(20_000, 1, 1, 1).expand(-1, 1, SIZE, SIZE).clone() * 2 - 1
    model.prepare(label.expand(-1, 3, -1, -1), label)
    next(model.losses(label.expand(-1, 3, -1, -1), label))
    stack, time = model.network.asked[0]
    clean = scale * (label - label.mean()) / label.std()
    for t in range(1, 5):
        chosen = (time * 4).round() == t
        gamma = schedule.gammas(4)[t]
        seen = stack[chosen, 3:] * (gamma * scale**2 + 1 - gamma).sqrt()
        rest = seen - gamma.sqrt() * clean[chosen]
        assert rest.mean().abs() < 0.01
        assert rest.var().item() == pytest.approx(1 - gamma.item(), rel=0.02, abs=1e-6)
        assert stack[chosen, 3:].var().item() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("prediction", PREDICTIONS, ids=named)
def test_each_prediction_gives_back_the_clean_map(prediction: Prediction) -> None:
    torch.manual_seed(0)
    clean, noise = torch.randn(4, 2, SIZE, SIZE), torch.randn(4, 2, SIZE, SIZE)
    gamma = torch.tensor([0.9, 0.5, 0.1, 0.01]).reshape(4, 1, 1, 1)
    signal, spread = gamma.sqrt(), (1 - gamma).sqrt()
    goal = prediction.target(clean, noise, signal, spread)
    again = prediction.clean(goal, signal * clean + spread * noise, signal, spread)
    torch.testing.assert_close(again, clean, atol=1e-5, rtol=1e-4)


def test_velocity_is_the_derivative_of_the_noisy_map_by_the_angle() -> None:
    """With signal = cos(a) and spread = sin(a), v = d noisy / d a (Salimans and Ho 2022)."""
    clean, noise = torch.randn(8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    angle = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    derivative = torch.autograd.functional.jacobian(lambda a: a.cos() * clean + a.sin() * noise, angle)
    goal = VelocityPrediction().target(clean, noise, angle.cos(), angle.sin())
    torch.testing.assert_close(goal, derivative)


def test_eta_one_on_neighbouring_steps_is_ddpms_posterior() -> None:
    """q(x_{t-1} | x_t, x_0) of Ho et al. 2020, equations 6 and 7, by its mean and variance."""
    torch.manual_seed(0)
    model = Diffusion(
        Zero, 1, SIZE, BetasSchedule(), prediction=MapPrediction(), num_timesteps=10, sampling_steps=10, eta=1.0
    )
    model.network.forward = lambda stack, time: torch.full_like(stack[:, :1], 0.3)
    count, t = 20_000, 4
    noisy = torch.full((count, 1, 1, 1), 0.8)
    now, later = torch.full((count,), t), torch.full((count,), t - 1)
    _, after = model.eval().step(torch.zeros(count, 3, 1, 1), noisy, now, later, eta=1.0)
    gammas = BetasSchedule().gammas(10).double()
    beta = 1 - gammas[t] / gammas[t - 1]
    mean = (
        gammas[t - 1].sqrt() * beta / (1 - gammas[t]) * 0.3
        + (1 - beta).sqrt() * (1 - gammas[t - 1]) / (1 - gammas[t]) * 0.8
    )
    variance = (1 - gammas[t - 1]) / (1 - gammas[t]) * beta
    assert after.mean().item() == pytest.approx(mean.item(), abs=0.01)
    assert after.var().item() == pytest.approx(variance.item(), rel=0.03)


@pytest.mark.parametrize(
    ("prediction", "theirs"),
    [(NoisePrediction(), "epsilon"), (VelocityPrediction(), "v_prediction"), (MapPrediction(), "sample")],
)
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_step_is_that_of_diffusers(prediction: Prediction, theirs: str, eta: float) -> None:
    from diffusers import DDIMScheduler

    peer = DDIMScheduler(
        beta_schedule="linear", prediction_type=theirs, clip_sample=True, set_alpha_to_one=True, steps_offset=0
    )
    peer.set_timesteps(1000)
    peer.alphas_cumprod = BetasSchedule().gammas(1000)[1:]  # theirs is the same product in single precision
    torch.manual_seed(0)
    model = Diffusion(Zero, 2, SIZE, BetasSchedule(), prediction=prediction, eta=eta).eval()
    noisy, guess = torch.randn(2, 3, 2, SIZE, SIZE)
    model.network.forward = lambda stack, time: guess
    for t in (1000, 700, 2):
        now, later = torch.full((3,), t), torch.full((3,), t - 1)
        torch.manual_seed(1)
        _, ours = model.step(torch.zeros(3, 3, SIZE, SIZE), noisy, now, later, eta)
        torch.manual_seed(1)
        fresh = torch.randn_like(noisy)
        expected = peer.step(
            guess, t - 1, noisy, eta=eta, use_clipped_model_output=True, variance_noise=fresh if eta else None
        ).prev_sample
        torch.testing.assert_close(ours, expected, atol=1e-3, rtol=1e-3)


def test_guidance_goes_beyond_the_conditional_answer_by_its_weight() -> None:
    model = Diffusion(Zero, 2, SIZE, CosineSchedule(), p_uncond=0.1, guidance=3.0).eval()
    model.network.forward = lambda stack, time: stack[:, :2] + 1
    image = torch.full((1, 3, SIZE, SIZE), 0.5)
    guess = model.guided_prediction(image, torch.zeros(1, 2, SIZE, SIZE), torch.tensor([500]))
    torch.testing.assert_close(guess, torch.full_like(guess, 1 + 3 * 0.5))


def test_forgotten_images_are_grey_and_as_many_as_said() -> None:
    torch.manual_seed(0)
    model = Diffusion(Zero, 2, SIZE, CosineSchedule(), p_uncond=0.25)
    next(model.losses(torch.ones(4000, 3, SIZE, SIZE), torch.zeros(4000, 2, SIZE, SIZE)))
    stack, _ = model.network.asked[0]
    assert (stack[:, 0, 0, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("prediction", PREDICTIONS, ids=named)
@pytest.mark.parametrize("make", [partial(Diffusion, eta=0.0), partial(Diffusion, eta=1.0)], ids=["ddim", "ddpm"])
def test_samplers_draw_from_a_known_law(prediction: Prediction, make: partial[Diffusion]) -> None:
    """For standard normal pixels the best guess is known: E clean = signal noisy. Samples then are standard normal."""
    torch.manual_seed(0)
    model = make(Zero, 1, SIZE, CosineSchedule(), prediction=prediction, num_timesteps=200, sampling_steps=200).eval()
    model.deviation.fill_(0.2)

    def best(stack: Tensor, time: Tensor) -> Tensor:
        gamma = model.gammas[(time * 200).round().long()].reshape(-1, 1, 1, 1)
        signal, spread, noisy = gamma.sqrt(), (1 - gamma).sqrt(), stack[:, 3:]
        clean = signal * noisy
        return prediction.target(clean, (noisy - signal * clean) / spread, signal, spread)

    model.network.forward = best
    maps = model.sample(torch.zeros(400, 3, SIZE, SIZE))
    assert maps.mean().abs() < 0.01
    assert maps.std().item() == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("prediction", PREDICTIONS, ids=lambda prediction: prediction.name)
def test_min_snr_weighs_every_prediction_as_the_same_error_of_the_clean_map(
    prediction: Prediction, scale: float
) -> None:
    """A wrong prediction, turned into the clean map that it amounts to: min(SNR, 5) times the standard map's error."""
    torch.manual_seed(0)
    model = Diffusion(Zero, 2, SIZE, CosineSchedule(), prediction=prediction, min_snr=5.0, input_scale=scale)
    t = torch.tensor([100, 300, 500, 700, 900])
    signal, spread = model.amounts(t)
    standard, noise, wrong = torch.randn(3, 5, 2, SIZE, SIZE)
    clean = scale * standard
    noisy = signal * clean + spread * noise
    target = prediction.target(clean, noise, signal, spread)
    guess = target + 0.1 * wrong
    error = (prediction.clean(guess, noisy, signal, spread) / scale - standard).square().mean(dim=(1, 2, 3))
    snr = (scale * signal / spread).square().flatten()
    weighted = model.weights(t) * (guess - target).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(weighted, snr.clamp(max=5) * error, rtol=1e-3, atol=1e-6)


def test_without_min_snr_every_time_weighs_as_much() -> None:
    assert Diffusion(Zero, 2, SIZE, CosineSchedule()).weights(torch.arange(1, 1001)).unique().tolist() == [1.0]


def test_logit_normal_times_are_those_of_the_law_and_stay_within_1_and_t() -> None:
    torch.manual_seed(0)
    model = Diffusion(Zero, 2, SIZE, CosineSchedule(), time_sampling="logit_normal")
    t = model.times(100_000, torch.device("cpu"))
    assert 1 <= t.min() <= t.max() <= 1000
    quarter = torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(0.25).logit())
    assert (t <= 250).float().mean() == pytest.approx(float(quarter), abs=0.01)
