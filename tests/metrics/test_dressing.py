"""Dressing against the min-max formula of isotonic distributional regression, closed forms and a law that is known."""

import numpy as np
import pytest
import torch

from tests.support.data.known_law import drawn, true_laws
from vmsbench.data.pairs import Pairs, unit
from vmsbench.errors import DataError, UserError
from vmsbench.metrics.baselines import Black, ConstantMap, Given, evaluate
from vmsbench.metrics.calibration import calibration
from vmsbench.metrics.dressing import Dressed, antitonic, counts, fit, isotonic_laws
from vmsbench.metrics.predictors import ByteLaws, Predictor
from vmsbench.metrics.scores import score

torch.set_num_threads(1)


def pairs(number: int, seed: int, channels: int = 3, size: int = 12) -> Pairs:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randint(0, 256, (number, channels, size, size), generator=generator).byte()
    return Pairs(tuple(f"{seed}_{i}" for i in range(number)), torch.zeros(number, 3, size, size).byte(), maps)


def noisy(truth: Pairs, seed: int = 9, spread: float = 0.3) -> Given:
    """Predictions that know something of the truth."""
    noise = torch.randn(truth.maps.shape, generator=torch.Generator().manual_seed(seed))
    return Given(truth.names, (unit(truth.maps) + spread * noise).clamp(0, 1))


def naive(x: np.ndarray, y: np.ndarray, at: float, threshold: int) -> float:
    """F(threshold | at) by the min-max formula, from single pixels: the greatest over a <= at of the least over b >= at
    would be isotonic; for a falling F it is the least over a <= at of the greatest over b >= at."""
    values = np.unique(x)
    return min(max((y[(x >= a) & (x <= b)] <= threshold).mean() for b in values if b >= at) for a in values if a <= at)


def test_the_fit_is_the_min_max_formula_of_isotonic_distributional_regression():
    random = np.random.default_rng(0)
    x = random.choice([0, 3, 40, 90, 200, 255], 60, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
    y = np.clip(x + random.normal(0, 60, 60), 0, 255).astype(int)
    counted = np.zeros((256, 256))
    np.add.at(counted, (x, y), 1)
    laws = isotonic_laws(counted)
    for at in np.unique(x):
        for threshold in (0, 5, 50, 100, 180, 254, 255):
            assert laws[at, threshold] == pytest.approx(naive(x, y, at, threshold), abs=1e-12)


def test_pooling_is_the_weighted_least_squares_fit():
    """Against projected coordinate steps: no falling sequence nearby is closer."""
    random = np.random.default_rng(1)
    values, weights = random.random(30), random.integers(1, 9, 30).astype(float)
    found = antitonic(values, weights)
    assert (np.diff(found) <= 1e-12).all()
    least = (weights * (values - found) ** 2).sum()
    for _ in range(500):
        other = np.sort(found + 0.05 * random.standard_normal(30))[::-1]
        assert (weights * (values - other) ** 2).sum() >= least
    assert antitonic(np.array([3.0, 2, 1]), np.ones(3)).tolist() == [3, 2, 1]
    assert antitonic(np.array([0.0, 3]), np.array([2.0, 1])).tolist() == [1, 1]


def test_laws_grow_with_the_prediction_and_are_laws():
    truth = pairs(20, 1)
    laws = fit(counts(noisy(truth), truth))
    assert laws.shape == (3, 256, 256)
    assert (laws.diff(dim=2) >= 0).all()
    assert (laws.diff(dim=1) <= 1e-12).all()
    assert (laws[:, :, -1] == 1).all()
    assert (laws >= 0).all()


def test_what_did_not_occur_is_interpolated():
    counted = np.zeros((256, 256))
    counted[100, 10] = counted[200, 250] = 5
    laws = isotonic_laws(counted)
    assert laws[[0, 100, 125, 150, 200, 255], 10] == pytest.approx([1, 1, 0.75, 0.5, 0, 0])


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_a_constant_answer_becomes_the_climatology_of_all_pixels(value):
    seen, asked = pairs(6, 1), pairs(4, 2)
    dressed = Dressed(ConstantMap(torch.full((3, 12, 12), value)), seen)
    found = evaluate(dressed, asked, light=True).result()
    expected = 0.0
    for channel in range(3):
        pixels = seen.maps[:, channel].flatten()
        law = ByteLaws.counted(torch.zeros_like(pixels).long(), pixels.long(), 1, len(pixels))
        own = ByteLaws(law.below)  # the law itself, not an ensemble
        expected += own.crps[0, asked.maps[:, channel].flatten().long()].mean().item() / 3
    assert found["crps_unit"] == pytest.approx(expected, rel=1e-5)


def test_a_perfect_answer_stays_perfect():
    truth = pairs(5, 1)
    found = evaluate(Dressed(Given(truth.names, unit(truth.maps)), truth), truth).result()
    assert found["crps"] == found["l1_median"] == 0
    assert found["spread"] == pytest.approx(0, abs=1e-12)
    assert found["mse_mean"] == pytest.approx(0, abs=1e-12)


def test_on_its_own_pairs_a_dress_never_loses_to_the_answer_nor_to_climatology():
    truth = pairs(20, 1)
    single = noisy(truth, spread=0.5)
    dressed = evaluate(Dressed(single, truth), truth, light=True).result()["crps"]
    assert dressed <= evaluate(single, truth, light=True).result()["l1"]
    blind = Dressed(ConstantMap(torch.zeros(3, 12, 12)), truth)
    assert dressed <= evaluate(blind, truth, light=True).result()["crps"]


class Signal(Predictor):
    """Tells a signal s per pixel, of which the truth is a known law: uniform on 0..s, rounded to bytes."""

    def __init__(self, *known: tuple[Pairs, torch.Tensor]) -> None:
        self.known = {name: map_ for some, maps in known for name, map_ in zip(some.names, maps, strict=True)}

    def predict(self, pairs: Pairs) -> torch.Tensor:
        return torch.stack([self.known[name] for name in pairs.names]).float() / 255


def test_dressed_never_beats_the_true_law_and_comes_near_it():
    test, signal = drawn(60, 0)
    best = true_laws().crps[signal.flatten(), test.maps.flatten().long()].mean().item()
    for number, within in ((4, 1.06), (40, 1.01)):
        seen, theirs = drawn(number, number)
        dressed = Dressed(Signal((seen, theirs), (test, signal)), seen)
        found = evaluate(dressed, test, light=True).result()["crps_unit"]
        assert best <= found < within * best


def test_its_intervals_hold_what_they_say_on_new_pairs():
    (seen, theirs), (test, signal) = drawn(60, 1), drawn(60, 2)
    dressed = Dressed(Signal((seen, theirs), (test, signal)), seen)
    found = calibration(evaluate(dressed, test, light=True).per_image())
    assert found.verdict.startswith("calibrated")
    assert [found.coverage[level].value for level in (50, 90)] == pytest.approx([0.5, 0.9], abs=0.02)
    assert found.spread_skill.value == pytest.approx(1, abs=0.02)
    low, high = dressed.quantile(test, 0.05), dressed.quantile(test, 0.95)
    assert ((unit(test.maps) >= low) & (unit(test.maps) <= high)).float().mean() > 0.9
    assert dressed.rank_histogram(test, 10).mean(dim=0).numpy() == pytest.approx(0.1, abs=0.015)


def test_its_samples_follow_its_laws_and_do_not_depend_on_batches():
    (seen, theirs), (test, signal) = drawn(40, 1), drawn(30, 2)
    dressed = Dressed(Signal((seen, theirs), (test, signal)), seen, samples=32)
    samples = dressed.predict(test)
    assert samples.shape == (30, 32, 1, 16, 16)
    closed = evaluate(dressed, test, light=True).result()
    estimated = score(samples, unit(test.maps), light=True)
    assert estimated["crps"] == pytest.approx(closed["crps"], rel=0.03)
    assert estimated["spread_skill"] == pytest.approx(closed["spread_skill"], rel=0.1)
    assert torch.equal(dressed.predict(test.subset([7, 3])), samples[[7, 3]])


def test_two_channels_are_dressed_with_the_blue_of_the_file():
    truth = pairs(6, 1)
    red_and_green = Given(truth.names, unit(truth.maps)[:, :2])
    found = evaluate(Dressed(red_and_green, truth), truth, light=True).result()
    assert found["l1_rg_median"] == 0
    assert found["l1_blue_median"] > 0


def test_all_black_maps_are_dressed_for_nothing():
    black = Pairs(("a", "b"), torch.zeros(2, 3, 12, 12).byte(), torch.zeros(2, 1, 12, 12).byte())
    found = evaluate(Dressed(Black(black), black), black).result()
    assert found["crps"] == found["energy"] == 0


def test_what_cannot_be_dressed_is_named():
    truth = pairs(4, 1)
    with pytest.raises(DataError, match=r"no tuning validation pairs .*data.validation_fraction=0.12"):
        Dressed(noisy(truth), truth.subset([]))
    samples = Given(truth.names, unit(truth.maps)[:, None].expand(-1, 3, -1, -1, -1))
    with pytest.raises(UserError, match="one answer for each image, and here are 3 samples"):
        Dressed(samples, truth)
    with pytest.raises(UserError, match="12 x 6 pixels"):
        Dressed(Given(truth.names, unit(truth.maps)[:, :, :6]), truth)
