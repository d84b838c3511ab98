"""Models that give a law: engression and quantiles, against laws that are known; and what distances are made of."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vmsbench.data.encoded.features import Features
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.metrics.scores import score
from vmsbench.models.diffusion import Diffusion
from vmsbench.models.engression import Engression
from vmsbench.models.losses import APART, DISTANCES, correlation, divergence, proper_score
from vmsbench.models.noise_schedules import CosineSchedule
from vmsbench.models.pix2pix import NoisyPix2Pix
from vmsbench.models.prediction import MapPrediction
from vmsbench.models.quantile import Quantile, at, pinball
from vmsbench.models.regression import Regression
from vmsbench.models.sight import Sight
from vmsbench.networks.conditions import Maps
from vmsbench.networks.encoder import Encoder

SIZE = 8


@pytest.mark.parametrize("count", [2, 3, 8])
def test_with_fairness_1_the_crps_of_draws_is_that_of_the_metrics(count: int) -> None:
    torch.manual_seed(0)
    drawn, true = torch.rand(5, count, 1, SIZE, SIZE), torch.rand(5, 1, SIZE, SIZE)
    ours = proper_score(drawn, true, APART["crps"], fairness=1.0)
    assert float(ours) == pytest.approx(float(score(drawn, true)["crps_unit"] or 0), rel=1e-5)


def test_the_energy_score_of_draws_by_hand() -> None:
    """Two draws 3 and 4 from a truth of 0, maps of equal pixels: (3 + 4) / 2 - 1 / 2."""
    drawn = torch.stack([torch.full((1, 2, SIZE, SIZE), 3.0), torch.full((1, 2, SIZE, SIZE), 4.0)], dim=1)
    value = proper_score(drawn, torch.zeros(1, 2, SIZE, SIZE), APART["energy"], fairness=1.0)
    assert float(value) == pytest.approx(3.0)


@pytest.mark.parametrize("name", APART)
def test_the_true_law_has_a_lower_score_than_too_wide_too_narrow_or_shifted_ones(name: str) -> None:
    torch.manual_seed(0)
    true = torch.randn(4000, 1, 2, 2)
    draws = torch.randn(4000, 4, 1, 2, 2)

    def of(law: Tensor) -> float:
        return float(proper_score(law, true, APART[name], fairness=1.0))

    assert of(draws) < min(of(1.5 * draws), of(0.6 * draws), of(draws + 0.4), of(0 * draws))


class Affine(nn.Module):
    """A network whose map is the same at every pixel: a weight times the first number of noise, plus a bias."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False, noise: int = 0) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.tensor(0.1)), nn.Parameter(torch.tensor(0.5))
        self.outputs = outputs

    def forward(self, image: Tensor, time: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
        assert noise is not None
        value = self.weight * noise[:, :1, None, None] + self.bias
        return value.expand(-1, self.outputs, *image.shape[2:])


@pytest.mark.parametrize("name", APART)
def test_engression_learns_the_law_of_the_maps(name: Any) -> None:
    """Maps of one value drawn from N(-0.2, 0.3): the draws end with that mean and that deviation."""
    torch.manual_seed(0)
    model = Engression(Affine, 1, SIZE, score=name, draws=4, fairness=1.0)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for step in range(600):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / 600)
        label = (0.3 * torch.randn(64, 1, 1, 1) - 0.2).expand(-1, 1, SIZE, SIZE)
        ((_, terms),) = model.losses(torch.zeros(64, 3, SIZE, SIZE), label)
        optimizer.zero_grad()
        terms[name].backward()
        optimizer.step()
    assert float(model.network.bias) == pytest.approx(-0.2, abs=0.03)
    assert abs(float(model.network.weight)) == pytest.approx(0.3, abs=0.03)


def judge(inputs: int, size: int) -> nn.Module:
    return nn.Conv2d(inputs, 1, 1)


def test_a_gan_with_noise_learns_the_law_of_the_maps_by_their_crps() -> None:
    """Maps tanh(z), z from N(-0.2, 0.3): with L1 in place of CRPS the draws would end as one, the median."""
    torch.manual_seed(0)
    model = NoisyPix2Pix(Affine, judge, 1, SIZE, lambda_l1=1000.0, draws=4, fairness=1.0)
    optimizers = {name: torch.optim.Adam(player.parameters(), 0.02) for name, player in model.players().items()}
    for step in range(600):
        label = (0.3 * torch.randn(64, 1, 1, 1) - 0.2).tanh().expand(-1, 1, SIZE, SIZE)
        for player, terms in model.losses(torch.zeros(64, 3, SIZE, SIZE), label):
            optimizers[player].param_groups[0]["lr"] = 0.02 * (1 - step / 600)
            optimizers[player].zero_grad()
            torch.stack(list(terms.values())).sum().backward()
            optimizers[player].step()
    assert float(model.network.bias) == pytest.approx(-0.2, abs=0.03)
    assert abs(float(model.network.weight)) == pytest.approx(0.3, abs=0.03)
    assert float(model.sample(torch.zeros(1, 3, SIZE, SIZE), 200).std()) == pytest.approx(0.28, abs=0.05)


def test_every_second_draw_is_made_from_the_mirror_image_where_asked() -> None:
    class Copies(Affine):
        def forward(self, image: Tensor, time: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
            return image[:, :1] + (torch.linspace(0, 0.5, SIZE) + 0 * self.bias)

    image = torch.zeros(2, 3, SIZE, SIZE)
    maps = Engression(Copies, 1, SIZE, flip_tta=True).sample(image, 4)
    slope = torch.linspace(0, 0.5, SIZE)
    assert [torch.allclose(maps[0, draw, 0, 0], slope) for draw in range(4)] == [True, True, False, False]
    torch.testing.assert_close(maps[0, 2, 0, 0], slope.flip(0))


class Levels(nn.Module):
    """A network that answers with given levels, unsorted."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> None:
        super().__init__()
        self.levels = nn.Parameter(torch.linspace(0.6, -0.6, outputs))

    def forward(self, image: Tensor) -> Tensor:
        return self.levels[:, None, None].expand(len(image), -1, *image.shape[2:])


def test_levels_learn_the_quantiles_of_the_maps() -> None:
    torch.manual_seed(0)
    model = Quantile(Levels, 1, SIZE, levels=4)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for step in range(800):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / 800)
        label = (torch.rand(16, 1, SIZE, SIZE) ** 2) - 0.5
        ((_, terms),) = model.losses(torch.zeros(16, 3, SIZE, SIZE), label)
        optimizer.zero_grad()
        terms["pinball"].backward()
        optimizer.step()
    learned = model.sorted(model.network(torch.zeros(1, 3, SIZE, SIZE)))[0, 0, :, 0, 0]
    expected = torch.tensor([1, 3, 5, 7]).div(8).square() - 0.5
    torch.testing.assert_close(learned.detach(), expected, atol=0.03, rtol=0)


def test_the_pinball_loss_of_many_levels_is_the_crps_of_the_law() -> None:
    """Levels of a uniform law on [0, 1] and a truth of y: CRPS = y^2 - y + 1/3."""
    levels = ((torch.arange(1000) + 0.5) / 1000).reshape(1, 1, 1000, 1, 1)
    for y in (0.0, 0.3, 1.0):
        loss = pinball(levels, torch.full((1, 1, 1, 1), y))
        assert float(loss) == pytest.approx(y * y - y + 1 / 3, abs=1e-3)


def test_a_draw_lies_between_the_levels_at_its_share_the_same_at_every_pixel() -> None:
    levels = torch.tensor([0.0, 1.0, 3.0, 4.0]).reshape(1, 1, 4, 1, 1).expand(1, 2, 4, 3, 3)
    share = torch.tensor([[0.125, 0.375], [0.5, 0.0], [0.75, 1.0]])[None]  # K = 3, C = 2
    drawn = at(levels, share)
    assert drawn.shape == (1, 3, 2, 3, 3)
    assert drawn[0, :, :, 0, 0].tolist() == [[0.0, 1.0], [2.0, 0.0], [3.5, 4.0]]
    assert (drawn == drawn[..., :1, :1]).all()


def test_the_median_of_many_draws_is_the_middle_of_the_levels() -> None:
    torch.manual_seed(0)
    model = Quantile(Levels, 1, SIZE, levels=16).eval()
    with torch.no_grad():
        maps = model.sample(torch.zeros(1, 3, SIZE, SIZE), 1001)
    assert float(maps.median(dim=1).values[0, 0, 0, 0]) == pytest.approx(0.0, abs=0.05)


def maps(count: int = 3) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(count, 2, SIZE, SIZE) * 2 - 1, torch.rand(count, 2, SIZE, SIZE) * 2 - 1


def test_correlation_and_divergence_are_those_of_the_metrics() -> None:
    guess, true = maps()
    whole = score(((guess + 1) / 2)[:, None], torch.cat([(true + 1) / 2, torch.zeros(3, 1, SIZE, SIZE)], 1))
    assert float(correlation(guess, true)[:, 1].mean()) == pytest.approx(float(whole["cc_true"] or 0), abs=1e-4)
    assert float(divergence(guess, true)[:, 0].mean()) == pytest.approx(float(whole["kld_false"] or 0), abs=0.01)


@pytest.mark.parametrize("name", DISTANCES)
def test_no_distance_is_shorter_than_that_of_the_map_itself(name: str) -> None:
    guess, true = maps()

    def of(map_: Tensor) -> float:
        return float(sum(DISTANCES[name](map_, true, 0.5).values()))

    assert of(true) == pytest.approx(0, abs=1e-3)
    assert of(guess) > of(0.5 * guess + 0.5 * true) > of(true)


@pytest.mark.parametrize("name", DISTANCES)
def test_the_distance_of_a_batch_is_the_weighted_mean_of_its_parts(name: str) -> None:
    """Maps without a red channel, and without any, among others: trainer.micro_batch changes nothing."""
    torch.manual_seed(0)
    guess, true = torch.rand(6, 2, 8, 8) * 2 - 1, torch.rand(6, 2, 8, 8) * 2 - 1
    true[1:4, 0], true[2, 1] = -1.0, -1.0
    whole = DISTANCES[name](guess, true, 0.5)
    for size in (1, 4):
        parts = [DISTANCES[name](*part, 0.5) for part in zip(guess.split(size), true.split(size), strict=True)]
        counts = [len(part) for part in guess.split(size)]
        for term, value in whole.items():
            mean = sum(count * part[term] for count, part in zip(counts, parts, strict=True)) / len(guess)
            torch.testing.assert_close(value, mean)


def test_a_map_without_shape_asks_nothing_of_the_correlation() -> None:
    guess, true = maps()
    flat = torch.full_like(true, -1.0)
    assert float(DISTANCES["l1_cc"](guess, flat, 1.0)["cc"]) == 0.0
    half = torch.cat([true[:, :1], flat[:, 1:]], dim=1)
    expected = 1 - correlation(guess, half)[:, 0].mean()
    torch.testing.assert_close(DISTANCES["l1_cc"](guess, half, 1.0)["cc"], expected)


class Sees(nn.Module):
    """A network that remembers what it was given."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False, features: Any = ()) -> None:
        super().__init__()
        self.inputs, self.size, self.channels = inputs, size, features
        self.answer = nn.Parameter(torch.zeros(1, outputs, size, size))

    def forward(self, image: Tensor, time: Tensor | None = None, features: Any = ()) -> Tensor:
        self.given, self.features = image, features
        return self.answer.expand(len(image), -1, -1, -1) + 0 * image.mean()


def test_blind_knowledge_is_the_mean_and_the_median_of_the_training_maps_and_where_a_pixel_is() -> None:
    model = Regression(Sees, 2, SIZE, sight=Sight(blind=True))
    label = torch.rand(7, 2, SIZE, SIZE) * 2 - 1
    image = torch.rand(7, 3, SIZE, SIZE)
    model.prepare(image, label)
    model.sample(image)
    seen = model.network.given
    assert seen.shape == (7, 3 + 3 + 4, SIZE, SIZE)
    assert torch.equal(seen[:, :3], image)
    torch.testing.assert_close(seen[3, 6:8], label.mean(dim=0))
    torch.testing.assert_close(seen[3, 8:10], label.median(dim=0).values)
    assert seen[0, 3, 0].tolist() == seen[0, 3, 0].flip(0).tolist()
    assert "known" in model.state_dict()
    assert "known" not in Regression(Sees, 2, SIZE).state_dict()


def test_a_model_of_a_lower_resolution_sees_small_images_and_answers_large_maps() -> None:
    model = Regression(Sees, 2, 32, sight=Sight(resolution=8))
    image, label = torch.rand(2, 3, 32, 32), torch.rand(2, 2, 32, 32)
    model.prepare(image, label)
    ((_, terms),) = model.losses(image, label)
    assert model.network.given.shape == (2, 3, 8, 8)
    small = label.reshape(2, 2, 8, 4, 8, 4).mean(dim=(3, 5))
    torch.testing.assert_close(terms["l1"], small.abs().mean())
    assert model.sample(image, 2).shape == (2, 2, 2, 32, 32)


class Two(Encoder):
    channels, fingerprint = (2,), "two"

    def __init__(self) -> None:
        self.size, self.warps = 64, 0

    def info(self) -> dict[str, str]:
        return {"encoder": "two"}

    def maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return (pictures[:, :2],)


def test_features_reach_the_network_mirrored_with_the_mirror_image_and_none_is_an_error() -> None:
    model = Regression(Sees, 2, SIZE, flip_tta=True, sight=Sight(encoder=Two())).eval()
    assert model.network.channels == (2,)
    assert model.info() == {"encoder": "two"}
    image, own, other = torch.rand(1, 3, SIZE, SIZE), torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 4)
    model.sample(image, features=Features((own,), (other,)))
    assert torch.equal(model.network.given, image.flip(-1))
    assert torch.equal(model.network.features[0], other)
    with pytest.raises(UserError, match="was given no features"):
        model.sample(image)
    with pytest.raises(UserError, match="has no encoder"):
        Regression(Sees, 2, SIZE).sample(image, features=Features((own,), (other,)))


def judge_of_seen(inputs: int, size: int, features: Any = ()) -> nn.Module:
    return nn.Conv2d(inputs, 1, 1)


class ShowsFeatures(nn.Module):
    """A network whose map is the mean of what the encoder saw of its picture, in every draw of it."""

    def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False, features: Any = (), noise: int = 0):
        super().__init__()
        self.maps, self.outputs = Maps(features, 1, dropout=0.0), outputs

    def forward(
        self, image: Tensor, time: Tensor | None = None, features: Any = (), noise: Tensor | None = None
    ) -> Tensor:
        return self.maps(features, image.shape[-1], len(image)).expand(-1, self.outputs, -1, -1)


SIGHT = Sight(encoder=Two())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Engression(ShowsFeatures, 1, SIZE, sight=SIGHT, flip_tta=True),
        lambda: NoisyPix2Pix(ShowsFeatures, judge_of_seen, 1, SIZE, sight=SIGHT, flip_tta=True),
        lambda: Diffusion(
            ShowsFeatures, 1, SIZE, CosineSchedule(), MapPrediction(), num_timesteps=10, sampling_steps=2, sight=SIGHT
        ),
    ],
    ids=["engression", "gan with noise", "diffusion"],
)
def test_every_draw_of_an_image_is_made_of_what_was_seen_in_that_image(make: Any) -> None:
    """Pictures of which -0.5, 0 and 0.5 was seen, and the negative in their mirror images."""
    seen = torch.tensor([-0.5, 0.0, 0.5]).reshape(3, 1, 1, 1).expand(-1, 2, 4, 4) / 2
    model = make().eval()
    nn.init.ones_(model.network.maps.projections[0].weight)
    nn.init.zeros_(model.network.maps.projections[0].bias)
    drawn = model.sample(torch.zeros(3, 3, SIZE, SIZE), 4, features=Features((seen,), (-seen,))).mean(dim=(2, 3, 4))
    once = torch.tensor([-0.5, 0.0, 0.5])
    once = once.tanh() if isinstance(model, NoisyPix2Pix) else once
    mirrored = -once if model.flip_tta else once
    torch.testing.assert_close(drawn, torch.stack([once, once, mirrored, mirrored], dim=1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Engression(Affine, 1, SIZE, score="cprs"), "model.score=cprs is none of crps, energy"),
        (lambda: Engression(Affine, 1, SIZE, draws=1), "model.draws=1"),
        (lambda: NoisyPix2Pix(Affine, judge, 1, SIZE, draws=1), "model.draws=1"),
        (lambda: NoisyPix2Pix(Affine, judge, 1, SIZE, fairness=7.0), "model.fairness=7"),
        (lambda: Quantile(Levels, 1, SIZE, levels=1), "model.levels=1: at least 2"),
        (lambda: Regression(Sees, 1, SIZE, weight=-1.0), "model.weight=-1"),
    ],
)
def test_impossible_laws_are_refused_by_name(make: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()
