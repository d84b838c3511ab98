"""Which blind predictor a score is held against, skill under every score, and how well people agree."""

import math

import numpy as np
import pytest
import torch

from vmsbench.errors import UserError
from vmsbench.metrics.catalog import sign
from vmsbench.metrics.references import (
    PUBLISHED,
    ceiling,
    of_one_answer,
    perfect,
    reference,
    skill_under,
    split_half,
    track,
    value,
)
from vmsbench.metrics.scores import Scores, score, tunable

torch.set_num_threads(1)

TABLE = {
    "black": {"l1": 0.15, "mse": 0.12, "crps": 0.15, "cc_true": 0.0},
    "pixel_mean": {"l1": 0.16, "mse": 0.096, "crps": 0.16, "cc_true": 0.49},
    "pixel_median": {"l1": 0.133, "mse": 0.11, "crps": 0.133, "cc_true": 0.46},
    "climatology": {"l1": 0.2, "l1_median": 0.133, "mse": 0.2, "mse_mean": 0.096, "crps": 0.100, "energy": 0.208},
}
BY_CATEGORY = {
    "category_mean": {"l1": 0.16, "mse": 0.094, "cc_true": 0.48},
    "category_median": {"l1": 0.130, "mse": 0.11},
    "category_climatology": {"crps": 0.096, "energy": 0.2},
}


@pytest.mark.parametrize(
    ("name", "blind", "with_categories"),
    [
        ("l1", "pixel_median", "category_median"),
        ("l1_median", "pixel_median", "category_median"),
        ("mse", "pixel_mean", "category_mean"),
        ("mse_mean", "pixel_mean", "category_mean"),
        ("cc_true", "pixel_mean", "pixel_mean"),
        ("cc_true_mean", "pixel_mean", "pixel_mean"),
        ("crps", "climatology", "category_climatology"),
        ("energy", "climatology", "category_climatology"),
    ],
)
def test_each_score_has_the_best_blind_predictor_under_it(name, blind, with_categories):
    assert reference(name, TABLE) == blind
    assert reference(name, TABLE | BY_CATEGORY) == with_categories


def test_under_ssim_a_mean_of_maps_is_no_reference_for_black_and_the_median_are_better():
    table = {"black": {"ssim": 0.47}, "pixel_mean": {"ssim": 0.18}, "pixel_median": {"ssim": 0.46}}
    assert reference("ssim", table) == "black"
    assert reference("ssim_median", {name: table[name] for name in ("pixel_mean", "pixel_median")}) == "pixel_median"


def test_a_score_without_a_reference_and_a_table_without_it_are_named():
    with pytest.raises(UserError, match="coverage_50 has no blind reference; l1, crps, crps_dressed, mse, cc_true"):
        reference("coverage_50", TABLE)
    with pytest.raises(
        UserError, match="crps needs the reference climatology or category_climatology, and none with its crps is amo"
    ):
        reference("crps", {"pixel_median": TABLE["pixel_median"]})


def test_every_error_that_a_search_may_lower_has_a_track_and_a_reference():
    names = [name for name in tunable() if sign(name) > 0]
    assert {"l1", "mse", "crps", "energy", "l1_median", "mse_mean", "l1_rg_median"} <= set(names)
    assert not any(name.startswith(("cc_", "coverage", "spread")) for name in names)
    assert {name for name in names if track(name) == "distribution"} == {"crps", "crps_dressed", "energy"}
    assert "l1_rg" not in tunable(grey=True)
    assert "l1_median" in tunable(grey=True)


def test_one_answers_scores_are_those_of_the_median_and_the_mean():
    found = {of_one_answer(name) for name in ("l1", "l1_rg", "mse_unit", "cc_true", "kld_true", "crps", "l1_median")}
    expected = {"l1_median", "l1_rg_median", "mse_mean_unit", "cc_true_mean", "kld_true_mean", "crps"}
    assert found == expected
    generator = torch.Generator().manual_seed(0)
    samples, truth = torch.rand(3, 4, 3, 24, 24, generator=generator), torch.rand(3, 3, 24, 24, generator=generator)
    many, one = score(samples, truth), score(samples[:, 0], truth)
    for name in [name for name in one if not name.endswith("_n") and name != "n"]:
        assert of_one_answer(name) in many
        assert value(one, of_one_answer(name)) == one[name]
    assert value(many, "l1_median") == many["l1_median"] != many["l1"]


def per_image(samples: torch.Tensor, truth: torch.Tensor) -> dict[str, torch.Tensor]:
    scores = Scores()
    scores.update(samples, truth)
    return scores.per_image()


def test_skill_is_the_part_of_the_way_from_blind_to_perfect_whichever_way_is_up():
    random = np.random.default_rng(0)
    lower = {"crps": random.random(50)}
    assert skill_under("crps", {"crps": 0.75 * lower["crps"]}, lower).value == pytest.approx(0.25)
    blind, mine = random.random(50) * 0.5, random.random(50) * 0.5 + 0.3
    found = skill_under("cc_true_mean", {"cc_true_mean": mine}, {"cc_true": blind})
    assert found.value == pytest.approx((mine.mean() - blind.mean()) / (1 - blind.mean()))
    assert found.low < found.value < found.high
    assert (perfect("cc_true"), perfect("sim_true_mean"), perfect("kld_true"), perfect("crps")) == (1, 1, 0, 0)


def test_images_without_the_score_are_left_out_for_both():
    mine, blind = np.array([0.5, np.nan, 0.7, 0.9]), np.array([0.1, 0.2, 0.3, np.nan])
    found = skill_under("cc_false", {"cc_false": mine}, {"cc_false": blind})
    assert found.value == pytest.approx((0.6 - 0.2) / 0.8)
    assert skill_under("cc_false", {"cc_false": mine * np.nan}, {"cc_false": blind}) is None
    assert skill_under("l1", {"l1": [0.0, 0.0]}, {"l1": [0.0, 0.0]}) is None


def test_the_ceiling_of_the_published_halves_is_the_published_ceiling():
    assert [round(ceiling(PUBLISHED[which]), 3) for which in ("combined", "true", "false")] == [0.907, 0.896, 0.782]
    assert (ceiling(0), ceiling(1)) == (0, 1)
    with pytest.raises(UserError, match=r"correlation of -0.2 has no ceiling"):
        ceiling(-0.2)


def test_the_ceiling_is_what_a_perfect_predictor_reaches_with_simulated_people():
    """Each half is the truth plus independent noise; the whole group's map is the mean of both halves."""
    random = np.random.default_rng(1)
    truth = random.standard_normal(40_000)
    halves = truth + 1.2 * random.standard_normal((2, 40_000))
    r = np.corrcoef(*halves)[0, 1]
    assert ceiling(r) == pytest.approx(np.corrcoef(truth, halves.mean(axis=0))[0, 1], abs=0.01)


def test_halves_are_compared_at_20_x_20_over_images_with_a_shape_in_both():
    generator = torch.Generator().manual_seed(2)
    first, second = (torch.rand(4, 3, 40, 40, generator=generator) for _ in range(2))
    second = 0.5 * first + 0.5 * second
    first[0, 0], second[1, 0] = 0.0, 0.0
    coarse = [half.view(4, 3, 20, 2, 20, 2).mean(dim=(3, 5)).double().numpy() for half in (first, second)]
    r = {
        "true": [np.corrcoef(a[1].ravel(), b[1].ravel())[0, 1] for a, b in zip(*coarse, strict=True)],
        "false": [np.corrcoef(coarse[0][i, 0].ravel(), coarse[1][i, 0].ravel())[0, 1] for i in (2, 3)],
        "combined": [
            np.corrcoef(a[:2].sum(0).ravel(), b[:2].sum(0).ravel())[0, 1] for a, b in zip(*coarse, strict=True)
        ],
    }
    found = split_half(first, second)
    assert found == {which: pytest.approx(np.mean(values), abs=1e-5) for which, values in r.items()}
    assert found == pytest.approx(split_half(second, first))
    assert list(split_half(first[:, :1], second[:, :1])) == ["combined"]
    assert split_half(0 * first, second)["true"] is None
    assert math.isclose(split_half(first, first)["true"], 1, abs_tol=1e-5)
