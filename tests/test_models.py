"""Models: a contract that every pair of model and network keeps, and each model's formulas by hand."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vmsbench.errors import ConfigurationError
from vmsbench.models.diffusion import Diffusion
from vmsbench.models.model import Model
from vmsbench.models.noise import Cosine, Linear, Schedule, Sigmoid
from vmsbench.models.pix2pix import Pix2Pix
from vmsbench.models.regression import Regression
from vmsbench.networks.patch import PatchDiscriminator
from vmsbench.networks.residual import ResidualUNet
from vmsbench.networks.unet import UNet

NETWORKS = {"unet": partial(UNet, width=8), "residual": partial(ResidualUNet, width=8, multipliers=(1, 2))}
MODELS: dict[str, Any] = {
    "regression": Regression,
    "pix2pix": partial(Pix2Pix, discriminator=partial(PatchDiscriminator, width=8)),
    "diffusion": partial(Diffusion, schedule=Cosine(), steps=4),
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
    return seen


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_every_model_samples_maps_within_their_range(model: Any, network: Any, channels: int) -> None:
    made = model(network=network, channels=channels, size=SIZE).eval()
    image, target = batch(2, channels)
    made.prepare(target)
    maps = made.sample(image, 3)
    assert maps.shape == (2, 3, channels, SIZE, SIZE)
    assert maps.abs().max() <= 1


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_pair_of_model_and_network_learns_one_batch(model: Any, network: Any) -> None:
    torch.manual_seed(0)
    made = model(network=network, channels=2, size=SIZE)
    image, target = batch()
    target = (image[:, :2] > 0) * 2.0 - 1
    made.prepare(target)
    optimizers = {name: torch.optim.Adam(player.parameters(), 2e-3) for name, player in made.players().items()}
    goal = {"regression": "network/l1", "pix2pix": "network/l1", "diffusion": "network/velocity"}
    name = next(name for name, one in MODELS.items() if one is model)
    losses = [step(made, optimizers, image, target)[goal[name]] for _ in range(60)]
    assert sum(losses[-5:]) / 5 < 0.6 * losses[0]


class Recorded(nn.Module):
    """A network that answers with a fixed map and remembers what it was given."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> None:
        super().__init__()
        self.answer = nn.Parameter(torch.full((1, outputs, size, size), 0.3))

    def forward(self, image: Tensor, time: Tensor | None = None) -> Tensor:
        self.given, self.time = image, time
        return self.answer.expand(len(image), -1, -1, -1)


class Sum(nn.Module):
    """A discriminator whose logit is its weight times the mean of what it sees."""

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x.mean(dim=(1, 2, 3), keepdim=True)


def test_pix2pix_lowers_the_least_squares_losses_of_the_paper() -> None:
    model = Pix2Pix(Recorded, Sum, channels=2, size=SIZE, lambda_l1=7.0)
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


def test_the_discriminators_loss_does_not_reach_the_generator() -> None:
    model = Pix2Pix(Recorded, Sum, channels=2, size=SIZE)
    _, terms = next(model.losses(*batch()))
    sum(terms.values()).backward()
    assert model.network.answer.grad is None
    assert model.discriminator.weight.grad is not None


@pytest.mark.parametrize("schedule", [Linear(), Cosine(), Sigmoid()], ids=lambda one: type(one).__name__)
def test_schedules_fall_from_all_signal_to_none(schedule: Schedule) -> None:
    gamma = schedule.gamma(torch.linspace(0, 1, 101))
    assert gamma[0] == 1
    assert gamma[-1] <= 1e-6
    assert (gamma.diff() <= 0).all()


def test_the_cosine_schedule_is_the_squared_cosine() -> None:
    time = torch.linspace(0, 1, 11)
    torch.testing.assert_close(Cosine().gamma(time), (time * torch.pi / 2).cos().square().clamp(min=1e-9))


def test_velocity_gives_back_map_and_noise() -> None:
    model = Diffusion(Recorded, channels=2, size=SIZE, schedule=Cosine())
    clean, noise = torch.randn(4, 2, 8, 8), torch.randn(4, 2, 8, 8)
    signal, spread = model.amounts(torch.tensor([0.1, 0.4, 0.7, 0.99]))
    noisy, velocity = signal * clean + spread * noise, signal * noise - spread * clean
    torch.testing.assert_close(signal * noisy - spread * velocity, clean)
    torch.testing.assert_close(spread * noisy + signal * velocity, noise)


def test_the_denoiser_sees_image_noisy_map_and_time() -> None:
    model = Diffusion(Recorded, channels=2, size=SIZE, schedule=Cosine(), times=10, steps=5)
    image, target = batch()
    model.prepare(target)
    ((player, terms),) = model.losses(image, target)
    assert player == "network"
    assert terms["velocity"] > 0
    assert torch.equal(model.network.given[:, :3], image)
    assert model.network.given.shape[1] == 5
    assert ((model.network.time * 10) % 1).abs().max() < 1e-5
    assert model.network.time.min() > 0


def test_maps_are_standardised_so_that_noise_and_signal_weigh_alike() -> None:
    model = Diffusion(Recorded, channels=2, size=SIZE, schedule=Cosine())
    target = torch.randn(50, 2, SIZE, SIZE) * 0.3 - 0.6
    model.prepare(target)
    clean = (target - model.mean) / model.deviation
    torch.testing.assert_close(clean.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(clean.std(dim=(0, 2, 3)), torch.ones(2), atol=1e-4, rtol=0)


class Knows(nn.Module):
    """A network that knows the velocity towards one map, from the noisy map and the time alone."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> None:
        super().__init__()
        self.map = torch.linspace(-0.9, 0.9, outputs * size * size).reshape(1, outputs, size, size)
        self.schedule = Cosine()

    def forward(self, image: Tensor, time: Tensor | None = None) -> Tensor:
        assert time is not None
        gamma = self.schedule.gamma(time)[:, None, None, None]
        noise = (image[:, 3:] - gamma.sqrt() * self.map) / (1 - gamma).sqrt()
        return gamma.sqrt() * noise - (1 - gamma).sqrt() * self.map


@pytest.mark.parametrize("steps", [1, 5, 50])
def test_ddim_with_a_perfect_network_arrives_at_the_map_in_any_number_of_steps(steps: int) -> None:
    model = Diffusion(Knows, channels=2, size=SIZE, schedule=Cosine(), steps=steps)
    maps = model.sample(batch(2)[0], 2)
    torch.testing.assert_close(maps, model.network.map.expand(2, 2, 2, SIZE, SIZE), atol=1e-3, rtol=0)


def test_quick_samples_ask_the_network_less_often() -> None:
    model = Diffusion(Knows, channels=2, size=SIZE, schedule=Cosine(), steps=20, quick_steps=3)
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
        (lambda: Diffusion(Recorded, 2, SIZE, Cosine(), times=10, steps=50), "model.steps=50 must lie between 1 and"),
    ],
)
def test_impossible_models_are_refused_by_name(make: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()
