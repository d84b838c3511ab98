"""Ways to be fooled by a score, each made here on purpose: none may pass.

The maps are drawn from a law that is known: each image has a place, its map is a blot there of random strength, and
half of the maps have no red. So the best sampler, the best mean and the best median can be computed.
"""

import pytest
import torch
from torch import Tensor

from vmsbench.data.pairs import Pairs, unit
from vmsbench.errors import UserError
from vmsbench.metrics.baselines import PixelMedian, evaluate
from vmsbench.metrics.scores import Scores, score
from vmsbench.metrics.significance import skill
from vmsbench.metrics.verdicts import verdict

torch.set_num_threads(1)
SIZE, LEVELS = 20, (0.2, 0.5, 1.0)


def places(number: int, seed: int) -> Tensor:
    """What an image says of its map: where the blot is, N x SIZE x SIZE in {0, 1}."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.randint(0, SIZE - 8, (number, 2), generator=generator)
    where = torch.zeros(number, SIZE, SIZE)
    for place, (row, column) in zip(where, corners.tolist(), strict=True):
        place[row : row + 8, column : column + 8] = 1
    return where


def draw(where: Tensor, samples: int, seed: int) -> Tensor:
    """True maps by the law: N x K x 3 x SIZE x SIZE."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(where), samples, 1, 1)
    green = torch.tensor(LEVELS)[torch.randint(0, 3, shape, generator=generator)]
    red = torch.randint(0, 2, shape, generator=generator) * 0.6
    blots = torch.stack([red * where[:, None], green * where[:, None]], dim=2)
    return torch.cat([blots, torch.zeros_like(blots[:, :, :1])], dim=2)


WHERE = places(400, seed=1)
TRUTH = draw(WHERE, 1, seed=2)[:, 0]
TRAIN = Pairs(
    tuple(map(str, range(400))),
    torch.zeros(400, 3, SIZE, SIZE).byte(),
    (draw(places(400, seed=3), 1, seed=4)[:, 0] * 255).round().byte(),
)
TEST = Pairs(tuple(f"t{i}" for i in range(400)), TRAIN.images, (TRUTH * 255).round().byte())
MEAN = torch.stack([0.3 * WHERE, sum(LEVELS) / 3 * WHERE], dim=1)
MEDIAN = torch.stack([torch.zeros_like(WHERE), 0.5 * WHERE], dim=1)


def per_image(predicted: Tensor) -> Tensor:
    scores = Scores(light=True)
    scores.update(predicted, unit(TEST.maps))
    return scores.per_image()["l1"]


def judged(predicted: Tensor) -> str:
    blind = evaluate(PixelMedian(TRAIN), TEST, light=True).per_image()["l1"]
    return verdict(skill(per_image(predicted), blind), blind.mean().item())


def test_l1_punishes_a_perfect_sampler_and_crps_does_not():
    sampler = score(draw(WHERE, 16, seed=5), TRUTH, light=True)
    median, mean = score(MEDIAN, TRUTH, light=True), score(MEAN, TRUTH, light=True)
    assert sampler["l1"] > median["l1"]
    assert sampler["crps"] < median["crps"] < mean["crps"]


def test_crps_does_not_depend_on_the_number_of_samples_but_l1_of_their_mean_does():
    few, many = (score(draw(WHERE, k, seed=6), TRUTH, light=True) for k in (2, 16))
    assert few["crps"] == pytest.approx(many["crps"], rel=0.05)
    assert few["mse_mean"] > 1.2 * many["mse_mean"]


@pytest.mark.parametrize("number", [2, 4, 16])
def test_the_mean_of_k_perfect_samples_has_1_plus_1_over_k_of_the_best_error(number):
    best = score(MEAN, TRUTH, light=True)["mse"]
    sampled = score(draw(WHERE, number, seed=7), TRUTH, light=True)["mse_mean"]
    assert sampled == pytest.approx(best * (1 + 1 / number), rel=0.06)


def test_overconfident_and_too_wide_samplers_lose_to_the_perfect_one():
    samples = draw(WHERE, 16, seed=8)
    crps = score(samples, TRUTH, light=True)["crps"]
    collapsed = samples[:, :1].expand(-1, 16, -1, -1, -1)
    assert crps < score(collapsed, TRUTH, light=True)["crps"]
    noisy = (samples + 0.5 * torch.rand(samples.shape, generator=torch.Generator().manual_seed(9))).clamp(0, 1)
    assert crps < score(noisy, TRUTH, light=True)["crps"]


def test_the_oracle_has_skill_and_stands_before_the_median_and_the_blind():
    blind = evaluate(PixelMedian(TRAIN), TEST).result()
    assert score(MEDIAN, TRUTH)["l1"] < blind["l1"]
    assert score(MEAN, TRUTH)["mse"] < blind["mse"]
    assert score(MEAN, TRUTH)["cc_true"] > 0.99 > blind["cc_true"]
    assert judged(MEDIAN) == "ok"


@pytest.mark.parametrize("swapped", [lambda x: 2 * x - 1, lambda x: 255 * x])
def test_a_scale_swap_is_an_error_and_not_a_better_score(swapped):
    for predicted, truth in ((swapped(MEDIAN), TRUTH), (MEDIAN, swapped(TRUTH)), (swapped(MEDIAN), swapped(TRUTH))):
        with pytest.raises(UserError, match="look like"):
            score(predicted, truth)


def test_the_two_scales_of_one_score_cannot_be_taken_for_each_other():
    """The published 0.132 was in [-1, 1] and the 0.0740 in [0, 1]: here both always stand side by side."""
    black = score(torch.zeros_like(TRUTH), TRUTH)
    assert black["l1"] == 2 * black["l1_unit"] == pytest.approx(2 * TRUTH.mean().item(), rel=1e-5)
    assert black["mse"] == 4 * black["mse_unit"]


@pytest.mark.parametrize("batch", [1, 7, 8, 400])
def test_no_batch_size_changes_a_score(batch):
    """The draft's 1.02 was 0.1275 times a batch of 8: sums over images divided by the number of batches."""
    scores = Scores()
    for start in range(0, 400, batch):
        scores.update(MEDIAN[start : start + batch], TRUTH[start : start + batch])
    padded = torch.cat([MEDIAN, torch.zeros(400, 1, SIZE, SIZE)], dim=1)
    assert scores.result()["l1"] == pytest.approx(2 * (padded - TRUTH).abs().mean().item(), rel=1e-5)


def test_an_uneven_last_batch_weighs_what_it_is():
    scores = Scores()
    scores.update(TRUTH[:9], TRUTH[:9])
    scores.update(1 - TRUTH[9:10], TRUTH[9:10])
    assert scores.result()["l1_unit"] == pytest.approx((1 - 2 * TRUTH[9]).abs().mean().item() / 10, rel=1e-5)


def test_shuffled_pairs_have_no_skill():
    assert judged(MEDIAN.roll(1, dims=0)) == "no skill shown"


def test_the_mean_of_a_batch_given_to_each_of_its_images_has_no_skill():
    averaged = MEDIAN.view(50, 8, 2, SIZE, SIZE).mean(dim=1, keepdim=True).expand(-1, 8, -1, -1, -1).flatten(0, 1)
    assert judged(averaged) == "no skill shown"


def test_the_blind_median_itself_has_no_skill():
    assert judged(PixelMedian(TRAIN).predict(TEST)) == "no skill shown"
