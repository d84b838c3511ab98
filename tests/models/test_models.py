"""Models: a contract that every pair of model and network keeps, and each model's formulas by hand."""

from functools import partial
from statistics import fmean
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vmsbench.data.augmentation import DiffAugment
from vmsbench.errors import ConfigurationError
from vmsbench.models.diffusion import Diffusion
from vmsbench.models.engression import Engression
from vmsbench.models.losses import absolute, proper_score
from vmsbench.models.model import Model
from vmsbench.models.noise_schedules import BetasSchedule, CosineSchedule, ZeroTerminalSchedule
from vmsbench.models.pix2pix import NoisyPix2Pix, Pix2Pix
from vmsbench.models.prediction import MapPrediction, NoisePrediction
from vmsbench.models.quantile import Quantile
from vmsbench.models.regression import Regression
from vmsbench.models.sight import Sight
from vmsbench.models.target import Sum
from vmsbench.models.wasserstein import Wasserstein
from vmsbench.networks.encoder import NoEncoder
from vmsbench.networks.patch_discriminator import PatchDiscriminator
from vmsbench.networks.residual import ResidualUNet
from vmsbench.networks.unet import UNet
from vmsbench.testing import model_contract

NETWORKS = {"unet": partial(UNet, width=8), "residual": partial(ResidualUNet, width=8, multipliers=(1, 2))}
CRITIC = partial(PatchDiscriminator, width=8, norm="instance")
MODELS: dict[str, Any] = {
    "regression": Regression,
    "regression mse of the sum": partial(Regression, loss="mse", target=Sum(), flip_tta=True),
    "pix2pix": partial(Pix2Pix, discriminator=partial(PatchDiscriminator, width=8)),
    "pix2pix diffaugment": partial(
        Pix2Pix,
        discriminator=partial(PatchDiscriminator, width=8, spectral=True),
        augmentation=DiffAugment(0.9, 0.9),
    ),
    "pix2pix with noise": partial(
        NoisyPix2Pix, discriminator=partial(PatchDiscriminator, width=8), draws=3, flip_tta=True
    ),
    "wasserstein clipped": partial(Wasserstein, discriminator=CRITIC, critic_steps=2, clip=0.01, penalty=0.0),
    "wasserstein penalty": partial(Wasserstein, discriminator=CRITIC, critic_steps=1, target=Sum()),
    "regression of shape": partial(Regression, loss="l1_cc", sight=Sight(blind=True, resolution=16)),
    "quantile": partial(Quantile, levels=4, flip_tta=True),
    "engression": partial(Engression, flip_tta=True),
    "engression of whole maps": partial(Engression, score="energy", draws=3, sight=Sight(blind=True, resolution=16)),
    "diffusion": partial(Diffusion, noise_schedule=CosineSchedule(), sampling_steps=4),
    "diffusion noise": partial(
        Diffusion, noise_schedule=BetasSchedule(), prediction=NoisePrediction(), sampling_steps=4, eta=1.0, target=Sum()
    ),
    "diffusion map": partial(
        Diffusion,
        noise_schedule=ZeroTerminalSchedule(BetasSchedule()),
        prediction=MapPrediction(),
        sampling_steps=4,
        p_uncond=0.1,
        guidance=2.0,
        flip_tta=True,
    ),
}
SIZE = 32


def batch(count: int = 4, channels: int = 2) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(count, 3, SIZE, SIZE) * 2 - 1, torch.rand(count, channels, SIZE, SIZE) * 2 - 1


def step(model: Model, optimizers: dict[str, torch.optim.Optimizer], image: Tensor, target: Tensor) -> dict[str, float]:
    seen = {}
    for player, terms in model.losses(image, target):
        optimizers[player].zero_grad()
        sum(terms.values()).backward(inputs=list(model.players()[player].parameters()))
        optimizers[player].step()
        seen |= {f"{player}/{term}": value.item() for term, value in terms.items()}
    model.on_step_end()
    return seen


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_model_keeps_the_contract(model: Any, network: Any) -> None:
    model_contract(lambda channels, size: model(network=network, channels=channels, size=size), SIZE)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_pair_of_model_and_network_learns_one_batch(model: Any, network: Any) -> None:
    """What is lowered towards the maps falls to near zero on one batch; the noise loss, which falls slower, by 70 %."""
    torch.manual_seed(0)
    made = model(network=network, channels=2, size=16)
    image = torch.rand(2, 3, 16, 16) * 2 - 1
    target = (image[:, :2] > 0) * 1.6 - 0.8
    made.prepare(image, target)
    optimizers = {name: torch.optim.Adam(player.parameters(), 3e-3) for name, player in made.players().items()}
    goals = {
        "network/l1",
        "network/mse",
        "network/pinball",
        "network/crps",
        "network/energy",
        "network/velocity",
        "network/noise",
        "network/map",
    }
    losses: list[float] = []
    most = 0.3 if isinstance(made, Diffusion) else 0.1
    while len(losses) < 320 and (len(losses) < 41 or fmean(losses[-40:]) >= most * losses[0]):
        seen = step(made, optimizers, image.repeat(3, 1, 1, 1), target.repeat(3, 1, 1, 1))
        losses += [value for name, value in seen.items() if name in goals]
    assert fmean(losses[-40:]) < most * losses[0]


class Recorded(nn.Module):
    """A network that answers with a fixed map and remembers what it was given."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> None:
        super().__init__()
        self.answer = nn.Parameter(torch.full((1, outputs, size, size), 0.3))

    def forward(self, image: Tensor, time: Tensor | None = None) -> Tensor:
        self.given, self.time = image, time
        return self.answer.expand(len(image), -1, -1, -1)


class Coloured(nn.Module):
    """A network with noise whose map is its image's red times its first number of noise."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False, noise: int = 0) -> None:
        super().__init__()
        self.weight, self.outputs = nn.Parameter(torch.tensor(1.0)), outputs

    def forward(self, image: Tensor, time: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
        assert noise is not None
        self.answered = self.weight * image[:, :1].expand(-1, self.outputs, -1, -1) * noise[:, :1, None, None]
        return self.answered


class Sums(nn.Module):
    """A discriminator whose logit is its weight times the mean of what it sees."""

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x.mean(dim=(1, 2, 3), keepdim=True)


def test_pix2pix_lowers_the_least_squares_losses_of_the_paper() -> None:
    model = Pix2Pix(Recorded, Sums, channels=2, size=SIZE, lambda_l1=7.0)
    image, target = batch()
    turns = model.losses(image, target)
    fake = model.network(image).tanh()
    seen = {name: torch.cat([image, one], 1).mean(dim=(1, 2, 3)) for name, one in (("fake", fake), ("real", target))}
    player, terms = next(turns)
    assert player == "discriminator"
    torch.testing.assert_close(terms["fake"], ((0.5 * seen["fake"]) ** 2).mean() / 2)
    torch.testing.assert_close(terms["real"], ((0.5 * seen["real"] - 1) ** 2).mean() / 2)
    with torch.no_grad():
        model.discriminator.weight.fill_(2.0)
    player, terms = next(turns)
    assert player == "network"
    torch.testing.assert_close(terms["adversarial"], ((2.0 * seen["fake"] - 1) ** 2).mean())
    torch.testing.assert_close(terms["l1"], 7 * (fake - target).abs().mean())
    assert next(turns, None) is None


def test_a_gan_with_noise_lowers_the_same_losses_over_all_draws_with_crps_in_place_of_l1() -> None:
    """Each draw is judged together with its own image."""
    model = NoisyPix2Pix(Coloured, Sums, channels=2, size=SIZE, lambda_l1=7.0, draws=3, fairness=0.9)
    image, target = batch()
    turns = model.losses(image, target)
    _, terms = next(turns)
    drawn = model.network.answered.unflatten(0, (4, 3)).tanh()
    fake = torch.cat([image[:, None].expand(-1, 3, -1, -1, -1), drawn], dim=2).mean(dim=(2, 3, 4))
    torch.testing.assert_close(terms["fake"], ((0.5 * fake) ** 2).mean() / 2)
    real = torch.cat([image, target], 1).mean(dim=(1, 2, 3))
    torch.testing.assert_close(terms["real"], ((0.5 * real - 1) ** 2).mean() / 2)
    _, terms = next(turns)
    torch.testing.assert_close(terms["adversarial"], ((0.5 * fake - 1) ** 2).mean())
    torch.testing.assert_close(terms["crps"], 7 * proper_score(drawn, target, absolute, 0.9))
    assert next(turns, None) is None


def test_the_discriminators_loss_does_not_reach_the_generator() -> None:
    model = Pix2Pix(Recorded, Sums, channels=2, size=SIZE)
    _, terms = next(model.losses(*batch()))
    sum(terms.values()).backward()
    assert model.network.answer.grad is None
    assert model.discriminator.weight.grad is not None


def test_the_denoiser_sees_image_noisy_map_and_time() -> None:
    model = Diffusion(
        Recorded, channels=2, size=SIZE, noise_schedule=CosineSchedule(), num_timesteps=10, sampling_steps=5
    )
    image, target = batch()
    model.prepare(image, target)
    ((player, terms),) = model.losses(image, target)
    assert player == "network"
    assert terms["velocity"] > 0
    assert torch.equal(model.network.given[:, :3], image)
    assert model.network.given.shape[1] == 5
    assert ((model.network.time * 10) % 1).abs().max() < 1e-5
    assert model.network.time.min() > 0


def test_maps_are_standardised_so_that_noise_and_signal_weigh_alike() -> None:
    model = Diffusion(Recorded, channels=2, size=SIZE, noise_schedule=CosineSchedule())
    target = torch.randn(50, 2, SIZE, SIZE) * 0.3 - 0.6
    model.prepare(torch.zeros(50, 3, SIZE, SIZE), target)
    clean = (target - model.mean) / model.deviation
    torch.testing.assert_close(clean.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(clean.std(dim=(0, 2, 3)), torch.ones(2), atol=1e-4, rtol=0)


class Knows(nn.Module):
    """A network that knows the velocity towards one map, from the noisy map and the time alone."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> None:
        super().__init__()
        self.map = torch.linspace(-0.9, 0.9, outputs * size * size).reshape(1, outputs, size, size)
        self.schedule = CosineSchedule()

    def forward(self, image: Tensor, time: Tensor | None = None) -> Tensor:
        assert time is not None
        gamma = self.schedule.gamma(time).clamp(1e-9, 1)[:, None, None, None]
        noise = (image[:, 3:] - gamma.sqrt() * self.map) / (1 - gamma).sqrt()
        return gamma.sqrt() * noise - (1 - gamma).sqrt() * self.map


@pytest.mark.parametrize("steps", [1, 5, 50])
def test_ddim_with_a_perfect_network_arrives_at_the_map_in_any_number_of_steps(steps: int) -> None:
    model = Diffusion(Knows, channels=2, size=SIZE, noise_schedule=CosineSchedule(), sampling_steps=steps)
    maps = model.sample(batch(2)[0], 2)
    torch.testing.assert_close(maps, model.network.map.expand(2, 2, 2, SIZE, SIZE), atol=1e-3, rtol=0)


def test_quick_samples_ask_the_network_less_often() -> None:
    model = Diffusion(Knows, channels=2, size=SIZE, noise_schedule=CosineSchedule(), sampling_steps=20, preview_steps=3)
    calls: list[int] = []
    model.network.register_forward_hook(lambda *_: calls.append(1))
    model.sample(batch(1)[0])
    slow, calls[:] = len(calls), []
    model.sample(batch(1)[0], quick=True)
    assert (slow, len(calls)) == (20, 3)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Regression(Recorded, 2, SIZE, loss="l2"), "model.loss=l2 is none of l1, mse"),
        (
            lambda: Diffusion(Recorded, 2, SIZE, CosineSchedule(), num_timesteps=10, sampling_steps=0),
            "model.sampling_steps=0, model.num_timesteps=10: at least 1",
        ),
        (lambda: Diffusion(Recorded, 2, SIZE, CosineSchedule(), guidance=-2), "model.guidance=-2: at least 0"),
        (lambda: Diffusion(Recorded, 2, SIZE, CosineSchedule(end=1.5)), "cosine from 0 to 1.5"),
        (lambda: Pix2Pix(Recorded, Sums, 2, SIZE, lambda_l1=-5), "model.lambda_l1=-5"),
        (lambda: Diffusion(Recorded, 2, SIZE, CosineSchedule(), eta=2), "model.eta=2 must lie between 0"),
        (
            lambda: Diffusion(Recorded, 2, SIZE, CosineSchedule(), guidance=3),
            "model.guidance=3 needs .* model.p_uncond=0.1 works",
        ),
        (
            lambda: Diffusion(Recorded, 2, SIZE, ZeroTerminalSchedule(BetasSchedule()), prediction=NoisePrediction()),
            "zero terminal SNR; velocity and map work",
        ),
        (lambda: Wasserstein(Recorded, Sums, 2, SIZE, clip=0.01), "one of them above 0; clip=0.01 or penalty=10 works"),
        (
            lambda: Wasserstein(Recorded, partial(PatchDiscriminator, width=8), 2, SIZE),
            "model.discriminator.norm=instance works",
        ),
        (lambda: BetasSchedule(start=0.5, end=0.1), "betas from 0.5 to 0.1"),
    ],
)
def test_impossible_models_are_refused_by_name(make: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_wgan_gp_lowers_the_papers_losses_and_its_penalty_is_the_slope_by_the_map() -> None:
    """The critic's value is linear in the map here, so its gradient is the same everywhere: weight / (C H W)."""
    model = Wasserstein(Recorded, Sums, channels=2, size=SIZE, lambda_l1=7.0, critic_steps=1, penalty=10.0)
    image, target = batch()
    fake = model.network(image).tanh()
    value = {name: 0.5 * torch.cat([image, one], 1).mean() for name, one in (("fake", fake), ("real", target))}
    turns = model.losses(image, target)
    player, terms = next(turns)
    assert player == "discriminator"
    torch.testing.assert_close(terms["fake"], value["fake"])
    torch.testing.assert_close(terms["real"], -value["real"])
    slope = 0.5 / (5 * SIZE * SIZE) * (2 * SIZE * SIZE) ** 0.5
    torch.testing.assert_close(terms["penalty"], torch.tensor(10 * (slope - 1) ** 2))
    player, terms = next(turns)
    assert player == "network"
    torch.testing.assert_close(terms["adversarial"], -value["fake"])
    torch.testing.assert_close(terms["l1"], 7 * (fake - target).abs().mean())


def test_the_gradient_penalty_trains_the_critic_towards_slope_one() -> None:
    model = Wasserstein(Recorded, Sums, channels=2, size=SIZE, critic_steps=1, penalty=10.0)
    _, terms = next(model.losses(*batch()))
    (gradient,) = torch.autograd.grad(terms["penalty"], model.discriminator.weight)
    assert gradient < 0


def test_the_critic_learns_on_several_batches_for_each_of_the_generators() -> None:
    model = Wasserstein(Recorded, Sums, channels=2, size=SIZE, critic_steps=3)

    def turns(of: Wasserstein) -> str:
        seen = "".join(player[0] for player, _ in of.losses(*batch()))
        if of.training:
            of.on_step_end()
        return seen

    who = [turns(model) for _ in range(6)]
    assert who == ["d", "d", "dn", "d", "d", "dn"]
    again = Wasserstein(Recorded, Sums, channels=2, size=SIZE, critic_steps=3)
    turns(model)
    again.load_state_dict(model.state_dict())
    assert [turns(again) for _ in range(2)] == ["d", "dn"]
    assert turns(model.eval()) == "dn"


def test_a_clipped_critic_keeps_every_weight_within_the_clip() -> None:
    model = Wasserstein(Recorded, CRITIC, channels=2, size=SIZE, init_std=1.0, critic_steps=1, clip=0.01, penalty=0.0)
    list(model.losses(*batch()))
    assert max(weight.abs().max() for weight in model.discriminator.parameters()) <= 0.01


def test_the_wasserstein_estimate_is_the_difference_of_the_critics_means() -> None:
    model = Wasserstein(Recorded, Sums, channels=2, size=SIZE)
    losses = {"discriminator/fake": 0.25, "discriminator/real": -1.5, "discriminator/penalty": 9.0}
    assert model.observations(losses) == {"wasserstein": 1.25}


def test_a_discriminator_that_is_never_wrong_is_named() -> None:
    model = Pix2Pix(Recorded, Sums, channels=2, size=SIZE)
    assert model.diagnostics({"discriminator/fake": 0.125, "discriminator/real": 0.125}) == []
    (trouble,) = model.diagnostics({"discriminator/fake": 0.001, "discriminator/real": 0.002})
    assert "has won" in trouble


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_sum_target_stays_in_range_and_gives_back_the_map(channels: int) -> None:
    image, label = batch(4, channels)
    coded = Sum().code(image, label)
    assert coded.abs().max() <= 1
    torch.testing.assert_close(Sum().label(image, coded), label)


def test_a_model_taught_the_sum_is_scored_on_the_map() -> None:
    model = Regression(Recorded, channels=2, size=SIZE, target=Sum())
    image, _ = batch()
    torch.testing.assert_close(model.sample(image)[:, 0], (0.6 - image[:, :2]).clamp(-1, 1))


def test_mirror_averaged_predictions_of_a_mirrored_image_are_mirrored() -> None:
    torch.manual_seed(0)
    image, _ = batch()
    for network in NETWORKS.values():
        model = Regression(network, channels=2, size=SIZE, flip_tta=True).eval()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.1)
        torch.testing.assert_close(model.sample(image.flip(-1)).flip(-1), model.sample(image), atol=1e-4, rtol=1e-4)


def test_spectral_norm_holds_the_largest_singular_value_of_each_convolution_at_one() -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(5, SIZE, width=8, norm="none", spectral=True)
    for _ in range(100):
        judge(torch.randn(2, 5, SIZE, SIZE))
    for module in judge.body:
        if isinstance(module, nn.Conv2d):
            largest = torch.linalg.matrix_norm(module.weight.flatten(1), 2).item()
            assert largest == pytest.approx(1, abs=0.05)


class Seen(NoEncoder):
    """An encoder of one map."""

    channels = (4,)


@pytest.mark.parametrize("model", [Engression, partial(Regression, sight=Sight(encoder=Seen()))])
def test_a_network_that_does_not_take_what_a_model_gives_it_is_named(model: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"model.network: Recorded takes no (noise|features), needed"):
        model(network=Recorded, channels=2, size=SIZE)
