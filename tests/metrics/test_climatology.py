"""Climatology and the laws on bytes against double sums, numpy and the samples they describe."""

import numpy as np
import pytest
import torch

from vmsbench.data.pairs import Pairs, unit
from vmsbench.errors import DataError
from vmsbench.metrics.baselines import CategoryMean, PixelMean, PixelMedian, evaluate
from vmsbench.metrics.climatology import CategoryClimatology, Climatology, RandomTrain, distances
from vmsbench.metrics.predictors import ByteLaws
from vmsbench.metrics.scores import score

torch.set_num_threads(1)


def pairs(number: int, seed: int = 0, categories: str = "", channels: int = 3, size: int = 12) -> Pairs:
    """Maps of few levels, so that many pixels tie; `categories` are dealt out in turn."""
    generator = torch.Generator().manual_seed(seed)
    made = torch.randint(0, 9, (number, channels, size, size), generator=generator) * 31
    labels = tuple(categories[i % len(categories)] for i in range(number)) if categories else ()
    return Pairs(
        tuple(f"{seed}_{i}" for i in range(number)), torch.zeros(number, 3, size, size).byte(), made.byte(), labels
    )


def as_samples(train: Pairs, asked: Pairs) -> torch.Tensor:
    """All training maps as the samples of every image."""
    return unit(train.maps).expand(len(asked), *train.maps.shape)


def laws_of(values: np.ndarray) -> ByteLaws:
    """One law for each row of bytes."""
    rows = torch.arange(len(values)).repeat_interleave(values.shape[1])
    return ByteLaws.counted(rows, torch.from_numpy(values).long().flatten(), len(values), values.shape[1])


VALUES = np.random.default_rng(0).choice([0, 0, 0, 7, 16, 17, 120, 254, 255], (6, 11))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("number", [2, 9, 20])
def test_every_score_of_climatology_is_that_of_all_training_maps_given_as_samples(number, channels):
    train, asked = pairs(number, channels=channels), pairs(5, 1, channels=channels)
    found = evaluate(Climatology(train), asked).result()
    expected = score(as_samples(train, asked), unit(asked.maps))
    names = [name for name in expected if name.endswith(("_mean", "_median"))]
    for name in ["crps", "crps_unit", "energy", "spread", "spread_skill", *names]:
        assert found[name] == pytest.approx(expected[name], rel=2e-4, abs=1e-6), name
    for name in ("coverage_50", "coverage_90"):
        if name in expected:
            assert found[name] == pytest.approx(expected[name], rel=1e-4), name


def test_its_one_answers_are_the_pixel_median_and_the_pixel_mean():
    train, asked = pairs(8), pairs(5, 1)
    found = evaluate(Climatology(train), asked).result()
    assert found["l1_median"] == pytest.approx(evaluate(PixelMedian(train), asked).result()["l1"], rel=1e-5)
    mean = evaluate(PixelMean(train), asked).result()
    assert found["mse_mean"] == pytest.approx(mean["mse"], rel=1e-5)
    assert found["cc_true_mean"] == pytest.approx(mean["cc_true"], abs=1e-5)


def test_a_random_draw_of_training_maps_has_the_crps_of_climatology_on_average():
    train, asked = pairs(30), pairs(60, 1)
    drawn = [evaluate(RandomTrain(train, seed, samples=4), asked, light=True).result() for seed in range(8)]
    exact = evaluate(Climatology(train), asked, light=True).result()
    assert np.mean([one["crps"] for one in drawn]) == pytest.approx(exact["crps"], rel=0.005)
    assert np.mean([one["energy"] for one in drawn]) == pytest.approx(exact["energy"], rel=0.005)


def test_more_samples_than_training_maps_are_drawn_with_repeats():
    assert RandomTrain(pairs(3), samples=16).predict(pairs(2, 1)).shape == (2, 16, 3, 12, 12)


def test_each_image_has_the_climatology_of_its_category_and_the_unknown_that_of_all():
    train = pairs(20, categories="ab")
    asked = pairs(6, 1, categories="bza")
    found = evaluate(CategoryClimatology(train), asked, light=True).per_image()
    for start, alone in ((0, train.subset(range(1, 20, 2))), (1, train), (2, train.subset(range(0, 20, 2)))):
        mine = asked.subset(range(start, 6, 3))
        expected = evaluate(Climatology(alone), mine, light=True).per_image()
        for name in ("crps", "energy", "l1_median", "l1"):
            torch.testing.assert_close(found[name][start::3], expected[name])
    nameless = Pairs(asked.names, asked.images, asked.maps)
    one = evaluate(CategoryClimatology(train), nameless, light=True).result()
    assert one == pytest.approx(evaluate(Climatology(train), nameless, light=True).result())


def test_the_one_answer_of_a_categorys_climatology_under_mse_is_the_categorys_mean():
    train, asked = pairs(20, categories="ab"), pairs(6, 1, categories="ab")
    mean = evaluate(CategoryMean(train), asked).result()
    assert evaluate(CategoryClimatology(train), asked).result()["mse_mean"] == pytest.approx(mean["mse"], rel=1e-5)


def test_a_category_of_a_single_map_has_no_law_of_its_own():
    train = Pairs(*(getattr(pairs(5), part) for part in ("names", "images", "maps")), ("a", "a", "a", "a", "b"))
    asked = pairs(2, 1, categories="b")
    found = evaluate(CategoryClimatology(train), asked, light=True).result()
    assert found == pytest.approx(evaluate(Climatology(train), asked, light=True).result())


def test_all_black_maps_cost_a_climatology_of_black_maps_nothing():
    black = Pairs(("a", "b", "c"), torch.zeros(3, 3, 12, 12).byte(), torch.zeros(3, 3, 12, 12).byte())
    found = evaluate(Climatology(black), black).result()
    assert found["crps"] == found["energy"] == found["spread"] == found["l1_median"] == 0
    assert found["coverage_50"] is None
    assert found["coverage_50_n"] == 0


def test_without_training_pairs_or_categories_it_says_so():
    with pytest.raises(DataError, match="no training pairs"):
        Climatology(pairs(0))
    with pytest.raises(DataError, match="category_climatology: the training pairs have no categories"):
        CategoryClimatology(pairs(3))


def test_the_crps_of_a_law_is_the_fair_double_sum():
    laws, x = laws_of(VALUES), VALUES / 255
    for truth in (0, 3, 16, 17, 200, 255):
        spread = np.abs(x[:, :, None] - x[:, None]).sum((1, 2)) / (11 * 10)
        expected = np.abs(x - truth / 255).mean(1) - spread / 2
        np.testing.assert_allclose(laws.crps[:, truth], expected, atol=1e-9)


def test_the_crps_of_a_law_that_is_no_ensemble_is_the_integral():
    """P(X <= b) = (b + 1) / 256, the uniform law on bytes: E|X - y| - E|X - X'| / 2 by its closed form at y = 0."""
    laws = ByteLaws((torch.arange(256).double() + 1)[None] / 256)
    between = (256**2 - 1) / (3 * 256)
    assert laws.crps[0, 0].item() == pytest.approx((127.5 - between / 2) / 255)
    assert laws.mean.item() == pytest.approx(0.5)
    assert laws.spread.item() == pytest.approx((256**2 - 1) / 12 / 255**2)


def test_mean_median_variance_and_quantiles_of_a_law_are_numpys():
    laws = laws_of(VALUES)
    np.testing.assert_allclose(laws.mean, VALUES.mean(1) / 255, atol=1e-12)
    np.testing.assert_allclose(laws.median, np.median(VALUES, axis=1) / 255, atol=1e-12)
    np.testing.assert_allclose(laws_of(VALUES[:, :10]).median, np.median(VALUES[:, :10], axis=1) / 255, atol=1e-12)
    np.testing.assert_allclose(laws.spread, VALUES.var(axis=1, ddof=1) * 12 / 11 / 255**2, atol=1e-12)
    for level in (0.05, 0.25, 0.7):
        expected = np.quantile(VALUES, level, axis=1, method="inverted_cdf") / 255
        np.testing.assert_allclose(laws.quantile(level), expected, atol=1e-12)


def test_distances_between_maps_are_the_roots_of_their_mean_squares():
    a, b = pairs(4, 2).maps, pairs(3, 3).maps
    expected = [[np.sqrt(((x / 255 - y / 255) ** 2).mean()) for y in b.double().numpy()] for x in a.double().numpy()]
    np.testing.assert_allclose(distances(a, b), expected, atol=1e-6)


@pytest.mark.parametrize("categories", ["aaaab", "baaaa"])
@pytest.mark.parametrize("number", [25, 700])
def test_small_and_large_categories_have_the_same_scores(categories: str, number: int) -> None:
    """A law of few maps is compared with each truth, one of many, or of too few for an interval, counted."""
    train, asked = pairs(number, 1, categories, size=4), pairs(5, 2, categories, size=4)
    found = CategoryClimatology(train).exact(asked)
    assert {"crps", "energy", "spread", "coverage_50", "coverage_90"} <= set(found)
    assert all(len(values) == len(asked) for values in found.values())


@pytest.mark.parametrize("number", [10, 128, 129])
def test_an_ensemble_compared_and_one_counted_have_the_same_scores(number: int) -> None:
    one, asked = Climatology(pairs(number, 1, size=4)), pairs(3, 2, size=4)
    counted = one.closed_form(asked, light=True) | one.energy(asked)
    for name, values in one.exact(asked).items():
        torch.testing.assert_close(values.double(), counted[name].double(), atol=1e-5, rtol=1e-4)
