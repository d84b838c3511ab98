"""The metric function against naive rewrites, closed forms and scipy."""

import numpy as np
import pytest
import torch
from scipy import stats

from vmsbench.errors import UserError
from vmsbench.metrics.scores import CONSTANT_TRUTH, Scores, resize_by_area, score

torch.set_num_threads(1)


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


PREDICTED, TRUTH = maps(11, 3, 32, 32, seed=1), maps(11, 3, 32, 32, seed=2)


def test_errors_are_the_plain_means_in_both_scales():
    result = score(PREDICTED, TRUTH)
    x, y = 2 * PREDICTED.numpy() - 1, 2 * TRUTH.numpy() - 1
    assert result["n"] == 11
    assert result["l1"] == pytest.approx(np.abs(x - y).mean(), rel=1e-5)
    assert result["l1_unit"] == pytest.approx(np.abs(x - y).mean() / 2, rel=1e-5)
    assert result["mse"] == pytest.approx(((x - y) ** 2).mean(), rel=1e-5)
    assert result["mse_unit"] == pytest.approx(((x - y) ** 2).mean() / 4, rel=1e-5)
    assert result["l1_rg"] == pytest.approx(np.abs(x - y)[:, :2].mean(), rel=1e-5)
    assert result["l1_rg_unit"] == pytest.approx(np.abs(x - y)[:, :2].mean() / 2, rel=1e-5)
    assert result["mse_rg"] == pytest.approx(((x - y) ** 2)[:, :2].mean(), rel=1e-5)
    for channel, name in enumerate(("red", "green", "blue")):
        assert result[f"l1_{name}"] == pytest.approx(np.abs(x - y)[:, channel].mean(), rel=1e-5)


def test_two_channels_are_scored_over_the_whole_file_with_blue_as_zero():
    padded = torch.cat([PREDICTED[:, :2], torch.zeros(11, 1, 32, 32)], dim=1)
    assert score(PREDICTED[:, :2], TRUTH) == score(padded, TRUTH)


@pytest.mark.parametrize(("name", "channels"), [("true", [1]), ("false", [0]), ("combined", [0, 1])])
def test_correlation_is_scipys_pearson(name, channels):
    expected = [
        stats.pearsonr(x[channels].sum(0).ravel(), y[channels].sum(0).ravel()).statistic
        for x, y in zip(PREDICTED.double().numpy(), TRUTH.double().numpy(), strict=True)
    ]
    assert score(PREDICTED, TRUTH)[f"cc_{name}"] == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.parametrize(("name", "channels"), [("true", [1]), ("false", [0]), ("combined", [0, 1])])
def test_similarity_and_divergence_follow_their_definitions(name, channels):
    similarities, divergences = [], []
    for x, y in zip(PREDICTED.double().numpy(), TRUTH.double().numpy(), strict=True):
        p, q = x[channels].sum(0).ravel(), y[channels].sum(0).ravel()
        p, q = p / p.sum(), q / q.sum()
        similarities.append(sum(min(a, b) for a, b in zip(p, q, strict=True)))
        divergences.append(stats.entropy(q, p))
    result = score(PREDICTED, TRUTH)
    assert result[f"sim_{name}"] == pytest.approx(np.mean(similarities), rel=1e-4)
    assert result[f"kld_{name}"] == pytest.approx(np.mean(divergences), rel=1e-4)


def test_a_perfect_prediction_has_the_best_of_every_score():
    result = score(TRUTH, TRUTH)
    assert result["l1"] == result["mse"] == result["crps"] == 0
    for name in ("true", "false", "combined"):
        assert result[f"cc_{name}"] == pytest.approx(1, abs=1e-5)
        assert result[f"sim_{name}"] == pytest.approx(1, abs=1e-5)
        assert result[f"kld_{name}"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("size", [64, 50, 20, 16])
def test_resizing_by_area_is_the_block_mean_of_the_enlarged_map(size):
    """Every pixel cut into 20 x 20, then blocks of size x size averaged: areas without fractions."""
    picture = maps(size, size, seed=3)
    blocks = np.kron(picture.double().numpy(), np.ones((20, 20))).reshape(20, size, 20, size).mean(axis=(1, 3))
    np.testing.assert_allclose(resize_by_area(picture, 20), blocks, atol=1e-5)


def test_combined_20_is_the_correlation_of_the_coarse_maps():
    x, y = (resize_by_area(m[:, :2].sum(1), 20).flatten(1).double().numpy() for m in (PREDICTED, TRUTH))
    expected = np.mean([stats.pearsonr(a, b).statistic for a, b in zip(x, y, strict=True)])
    assert score(PREDICTED, TRUTH)["cc_combined_20"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("number", [2, 3, 8])
def test_crps_is_the_fair_estimator_written_as_a_double_sum(number):
    samples = maps(5, number, 3, 8, 8, seed=4)
    x, y = samples.double().numpy(), TRUTH[:5, :, :8, :8].double().numpy()
    spread = np.mean([np.abs(x[:, i] - x[:, j]).mean() for i in range(number) for j in range(number) if i != j])
    expected = np.abs(x - y[:, None]).mean() - spread / 2
    result = score(samples, TRUTH[:5, :, :8, :8])
    assert result["crps_unit"] == pytest.approx(expected, abs=1e-6)
    assert result["crps"] == pytest.approx(2 * expected, abs=1e-6)


def test_crps_of_one_sample_or_of_equal_samples_is_l1():
    one = score(PREDICTED, TRUTH)
    equal = score(PREDICTED[:, None].expand(-1, 4, -1, -1, -1), TRUTH)
    assert one["crps"] == one["l1"]
    assert equal["crps"] == pytest.approx(one["l1"], rel=1e-6)
    assert equal["l1"] == pytest.approx(one["l1"], rel=1e-6)


@pytest.mark.parametrize("number", [4, 5])
def test_mean_and_median_of_the_samples_are_scored_too(number):
    samples = maps(6, number, 3, 8, 8, seed=5)
    x, y = 2 * samples.numpy() - 1, 2 * TRUTH[:6, :, :8, :8].numpy() - 1
    result = score(samples, TRUTH[:6, :, :8, :8])
    assert result["l1"] == pytest.approx(np.abs(x - y[:, None]).mean(), rel=1e-5)
    assert result["l1_mean"] == pytest.approx(np.abs(x.mean(1) - y).mean(), rel=1e-5)
    assert result["l1_median"] == pytest.approx(np.abs(np.median(x, axis=1) - y).mean(), rel=1e-5)
    assert result["mse_mean"] == pytest.approx(((x.mean(1) - y) ** 2).mean(), rel=1e-5)
    assert "l1_mean" not in score(samples[:, :1], TRUTH[:6, :, :8, :8])


def test_the_one_answer_of_samples_has_the_scores_of_that_map():
    samples, truth = maps(6, 5, 3, 24, 24, seed=5), TRUTH[:6, :, :24, :24]
    result = score(samples, truth)
    median, mean = score(samples.median(dim=1).values, truth), score(samples.mean(dim=1), truth)
    for name, value in median.items():
        if name.startswith("l1") and name not in ("l1_unit", "l1_rg_unit"):
            assert result[f"{name}_median"] == pytest.approx(value, rel=1e-5), name
    for name in ("mse", "mse_rg", "cc_true", "cc_combined_20", "sim_false", "kld_combined", "cc_true_n"):
        found = result[f"{name.removesuffix('_n')}_mean" + "_n" * name.endswith("_n")]
        assert found == pytest.approx(mean[name], rel=1e-4), name
    assert result["l1_median_unit"] == pytest.approx(median["l1_unit"], rel=1e-5)
    assert result["mse_mean_unit"] == pytest.approx(mean["mse_unit"], rel=1e-5)


@pytest.mark.parametrize("number", [2, 5])
def test_energy_is_the_fair_double_sum_over_whole_maps(number):
    samples, truth = maps(4, number, 3, 8, 8, seed=6), TRUTH[:4, :, :8, :8]
    x, y = 2 * samples.double().numpy() - 1, 2 * truth.double().numpy() - 1

    def distance(a, b):
        return np.sqrt(((a - b) ** 2).mean(axis=(1, 2, 3))).mean()

    error = np.mean([distance(x[:, i], y) for i in range(number)])
    between = np.mean([distance(x[:, i], x[:, j]) for i in range(number) for j in range(number) if i != j])
    assert score(samples, truth)["energy"] == pytest.approx(error - between / 2, rel=1e-5)
    assert score(samples[:, 0], truth)["energy"] == pytest.approx(distance(x[:, 0], y), rel=1e-5)


@pytest.mark.parametrize("number", [2, 16])
def test_spread_over_error_is_1_for_samples_of_the_true_law(number):
    drawn = maps(300, number + 1, 3, 20, 20, seed=7)
    result = score(drawn[:, 1:], drawn[:, 0], light=True)
    assert result["spread_skill"] == pytest.approx(1, abs=0.01)
    assert result["spread_skill"] == pytest.approx((result["spread"] / result["mse_mean"]) ** 0.5)
    assert result["spread"] == pytest.approx((number + 1) / number * 4 / 12, rel=0.01)
    assert result["coverage_50"] == pytest.approx(0.5, abs=0.005)


def test_uneven_batches_give_the_same_result_as_one():
    scores = Scores()
    for batch in (slice(0, 8), slice(8, 10), slice(10, 11)):
        scores.update(PREDICTED[batch], TRUTH[batch])
    assert scores.result() == pytest.approx(score(PREDICTED, TRUTH), rel=1e-6)


def test_per_image_scores_come_in_order_and_average_to_the_result():
    scores = Scores()
    scores.update(PREDICTED, TRUTH)
    values = scores.per_image()
    assert values["l1"].shape == (11,)
    assert values["l1"][3].item() == pytest.approx(2 * (PREDICTED[3] - TRUTH[3]).abs().mean().item(), rel=1e-5)
    assert values["l1"].mean().item() == pytest.approx(scores.result()["l1"], rel=1e-6)


def test_constant_truths_are_left_out_and_counted():
    truth = TRUTH.clone()
    truth[:4, 0] = CONSTANT_TRUTH * maps(4, 32, 32)  # no red, but for the ripple of a JPEG file
    scores = Scores()
    scores.update(PREDICTED, truth)
    result, kept = scores.result(), score(PREDICTED[4:], truth[4:])
    assert (result["n"], result["cc_true_n"], result["cc_false_n"], result["kld_false_n"]) == (11, 11, 7, 7)
    for name in ("cc_false", "sim_false", "kld_false"):
        assert result[name] == pytest.approx(kept[name], rel=1e-6)
    assert scores.per_image()["cc_false"][:4].isnan().all()


def test_a_score_without_any_image_is_none_and_not_nan():
    result = score(PREDICTED, torch.zeros_like(TRUTH))
    assert result["cc_true"] is None
    assert result["cc_true_n"] == 0


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_prediction_correlates_with_nothing_and_counts_as_uniform(value):
    result = score(torch.full_like(TRUTH, value), TRUTH)
    uniform = [stats.entropy(y[1].ravel(), np.ones(32 * 32)) for y in TRUTH.double().numpy()]
    assert result["cc_true"] == result["cc_combined"] == result["cc_combined_20"] == 0
    assert result["kld_true"] == pytest.approx(np.mean(uniform), rel=1e-3)


def test_grey_maps_have_the_scores_that_make_sense():
    result = score(PREDICTED[:, :1], TRUTH[:, :1])
    assert result["cc_combined"] == pytest.approx(score(PREDICTED, TRUTH)["cc_false"], abs=1e-6)
    assert result["l1"] == pytest.approx(score(PREDICTED, TRUTH)["l1_red"], rel=1e-6)
    assert not any("_rg" in name or "true" in name or "green" in name for name in result)


def test_light_scoring_leaves_out_only_similarity_and_divergence():
    full, light = score(PREDICTED, TRUTH), score(PREDICTED, TRUTH, light=True)
    assert light == {name: value for name, value in full.items() if not name.startswith(("sim", "kld", "ssim"))}


def test_half_precision_predictions_are_scored_in_single():
    half = score(PREDICTED.bfloat16(), TRUTH)
    assert half == pytest.approx(score(PREDICTED.bfloat16().float(), TRUTH))


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        (2 * PREDICTED - 1, r"\[-1, 1\] of the models; give \(x \+ 1\) / 2"),
        (255 * PREDICTED, r"bytes 0..255; give x / 255"),
        ((255 * PREDICTED).byte(), "divide bytes by 255"),
        (PREDICTED + 0.3, "clamp"),
        (PREDICTED * torch.nan, "NaN"),
        (PREDICTED / 0, "NaN or infinite"),
        (PREDICTED[:, :, :16], "32 x 16 pixels where the truth has 32 x 32"),
        (PREDICTED[:, :1], "1 channels where the truth has 3"),
        (PREDICTED[:4], "4 of them for 11 true maps"),
        (PREDICTED[:, 0], "shape"),
    ],
)
def test_a_wrong_prediction_is_named(predicted, message):
    with pytest.raises(UserError, match=message):
        score(predicted, TRUTH)
    with pytest.raises(UserError, match=message):
        Scores().update(predicted, TRUTH)


def test_one_nan_among_the_pixels_is_found():
    predicted = PREDICTED.clone()
    predicted[7, 1, 3, 3] = torch.nan
    with pytest.raises(UserError, match="predictions: NaN"):
        score(predicted, TRUTH)


def test_a_truth_on_the_wrong_scale_is_named_as_the_truth():
    with pytest.raises(UserError, match=r"truth: values from -0.*\[-1, 1\]"):
        score(PREDICTED, 2 * TRUTH - 1)


def test_batches_of_different_kinds_and_no_batches_are_refused():
    scores = Scores()
    with pytest.raises(UserError, match="no image"):
        scores.result()
    scores.update(PREDICTED, TRUTH)
    with pytest.raises(UserError, match="differs from the batches before"):
        scores.update(PREDICTED[:, None].expand(-1, 2, -1, -1, -1), TRUTH)
