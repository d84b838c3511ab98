"""Impostors: predictors that a single score would call good. Each is made here and has to be named for what it is.

On the stand-in, whose law is known: `oracle_law` is a perfect sampler, and its mean and median perfect single answers.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.tiny import configuration
from vmsbench.config.settings import with_settings
from vmsbench.data.pairs import Dataset, Pairs, unit
from vmsbench.data.standin import standin
from vmsbench.experiment import Experiment, ignore
from vmsbench.metrics.baselines import Given, baselines, evaluate
from vmsbench.metrics.calibration import calibration, rank_histogram
from vmsbench.metrics.climatology import RandomTrain
from vmsbench.metrics.dressing import Dressed
from vmsbench.metrics.predictors import Predictor
from vmsbench.metrics.references import of_one_answer, reference, skill_under
from vmsbench.metrics.significance import Interval, compare, difference_interval
from vmsbench.metrics.tracks.dressed import dressed
from vmsbench.training.validation import evaluate as sampled

torch.set_num_threads(1)
PerImage = Mapping[str, Tensor]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return standin(tmp_path_factory.mktemp("standin") / "set", count=800, size=24)


@pytest.fixture(scope="module")
def halves(dataset: Dataset) -> tuple[Pairs, Pairs]:
    """The test images, of which the law is known: half to dress by, as if they were tuning pairs, and half to judge."""
    number = len(dataset.test)
    return dataset.test.subset(range(number // 2)), dataset.test.subset(range(number // 2, number))


@pytest.fixture(scope="module")
def blind(dataset: Dataset, halves: tuple[Pairs, Pairs]) -> dict[str, PerImage]:
    named = {n: p for n, p in baselines(dataset).items() if not n.startswith("oracle")}
    return {name: evaluate(predictor, halves[1], light=True).per_image() for name, predictor in named.items()}


def skill_in(name: str, scores: PerImage, blind: Mapping[str, PerImage]) -> Interval:
    means = {one: {key: value.nanmean().item() for key, value in row.items()} for one, row in blind.items()}
    found = skill_under(name, scores, blind[reference(name, means)])
    assert found is not None
    return found


ANSWERS = [of_one_answer(name) for name in ("l1", "mse", "cc_true", "cc_combined")]


def judged(predictor: Predictor, pairs: Pairs) -> PerImage:
    return evaluate(predictor, pairs, light=True).per_image()


def law(dataset: Dataset) -> Given:
    return Given(dataset.test.names, unit(dataset.oracle["oracle_law"]))


def single(dataset: Dataset, which: str = "oracle_median") -> Given:
    return Given(dataset.test.names, unit(dataset.oracle[which]))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_blind_sampler_called_a_model_has_no_skill_in_either_track(dataset, halves, blind, seed):
    """By CRPS it beats the pixel median by a quarter, which is what used to be called skill."""
    found = judged(RandomTrain(dataset.train, seed), halves[1])
    assert skill_under("crps", found, blind["pixel_median"]).low > 0.1
    for name in ("crps", "energy", *ANSWERS):
        assert not skill_in(name, found, blind).low > 0, name
    assert calibration(found).verdict.startswith("calibrated")


def test_climatology_itself_has_no_skill_and_its_calibration_does_not_save_it(dataset, halves, blind):
    for name in ("crps", "energy", *ANSWERS):
        assert not skill_in(name, blind["climatology"], blind).low > 0, name
    assert calibration(blind["climatology"]).verdict.startswith("calibrated")


def test_a_perfect_sampler_reaches_the_floor_with_skill_in_both_tracks_and_flat_ranks(dataset, halves, blind):
    """The floor is what the law scores where the truth is one of its own draws, each of them in turn."""
    found = judged(law(dataset), halves[1])
    for name in ("crps", "energy", *ANSWERS):
        assert skill_in(name, found, blind).low > 0.1, name
    assert calibration(found).verdict.startswith("calibrated")
    draws, test = dataset.oracle["oracle_law"], dataset.test
    floors = []
    for turn in range(16):
        truth = Pairs(test.names, test.images, draws[:, turn], test.categories)
        others = Given(test.names, unit(draws[:, [draw for draw in range(16) if draw != turn]]))
        floors.append(judged(others, truth)["crps"])
    floor = torch.stack(floors).mean(dim=0)
    missed = difference_interval(judged(law(dataset), test)["crps"], floor)
    assert not missed.excludes(0)
    assert missed.value == pytest.approx(0, abs=0.06 * floor.mean().item())
    flat = rank_histogram(draws, test.maps).nanmean(dim=0)
    assert flat.numpy() == pytest.approx(1 / 17, rel=0.25)


def test_a_collapsed_sampler_is_too_sure(dataset, halves, blind):
    """One draw of the law, and fifteen near copies of it: its CRPS is hardly below its L1."""
    samples = unit(dataset.oracle["oracle_law"])
    near = (samples[:, :1] + 0.03 * torch.randn(samples.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    found = judged(Given(dataset.test.names, near), halves[1])
    assert calibration(found).verdict.startswith("too sure")
    assert calibration(found).spread_skill.high < 0.5
    assert found["crps"].mean() > judged(law(dataset), halves[1])["crps"].mean() * 1.3
    assert not skill_in("crps", found, blind).low > 0


def test_a_sampler_twice_too_wide_is_told_so(dataset, halves):
    """A law of Gaussians around a known middle, and a sampler of twice their spread."""
    generator = torch.Generator().manual_seed(1)
    middle = 0.3 + 0.4 * torch.rand(len(halves[1]), 1, 3, 24, 24, generator=generator)
    drawn = (middle + 0.1 * torch.randn(len(middle), 17, 3, 24, 24, generator=generator)).clamp(0, 1)
    pairs = Pairs(halves[1].names, halves[1].images, (drawn[:, 0] * 255).round().byte())
    right = judged(Given(pairs.names, drawn[:, 1:]), pairs)
    wide = judged(Given(pairs.names, (middle + 2 * (drawn[:, 1:] - middle)).clamp(0, 1)), pairs)
    assert calibration(right).verdict.startswith("calibrated")
    assert calibration(wide).verdict.startswith("too wide: 50 % intervals hold 7")
    assert calibration(wide).spread_skill.low > 1.5
    assert wide["crps"].mean() > right["crps"].mean()


def test_a_single_answer_is_not_called_a_bad_distribution_before_it_is_dressed(dataset, halves, blind):
    """Undressed, the best single answer there is hardly beats a blind distribution; dressed, it does."""
    seen, judge = halves
    answer = single(dataset)
    bare, dressed = judged(answer, judge), judged(Dressed(answer, seen), judge)
    assert not skill_in("crps", bare, blind).low > 0.1
    assert skill_in("crps", dressed, blind).low > 0.1
    assert dressed["crps"].mean() < bare["crps"].mean()
    assert dressed["crps"].mean() > judged(law(dataset), judge)["crps"].mean()
    assert calibration(dressed).coverage[50].value == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("which", ["oracle_mean", "oracle_median"])
def test_noise_on_a_single_answer_never_beats_the_same_answer_dressed(dataset, halves, which):
    """Whatever the noise: of one size for all pixels, or in proportion to the answer, or whole maps made stronger."""
    seen, judge = halves
    answer = single(dataset, which)
    dressed = judged(Dressed(answer, seen), judge)["crps"].mean().item()
    maps = answer.predict(judge)[:, None]
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(len(judge), 16, *maps.shape[2:], generator=generator)
    together = torch.randn(len(judge), 16, 1, 1, 1, generator=generator)
    best = np.inf
    for size in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3):
        for noisy in (maps + size * noise, maps * (1 + 4 * size * noise), maps * (1 + 4 * size * together)):
            best = min(best, judged(Given(judge.names, noisy.clamp(0, 1)), judge)["crps"].mean().item())
    assert best < judged(answer, judge)["crps"].mean().item()
    assert dressed < best


def noisy(answers: Tensor) -> Iterator[Tensor]:
    """16 samples an image of answers in [0, 1], N x M x S x S, by noise of many sizes: of each pixel alone, in
    proportion to the answer, and of whole maps, which become stronger or weaker."""
    maps, draws = answers[:, None], torch.Generator().manual_seed(3)
    each = torch.randn(len(maps), 16, *maps.shape[2:], generator=draws)
    together = torch.randn(len(maps), 16, 1, 1, 1, generator=draws)
    for size in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5):
        for samples in (maps + size * each, maps * (1 + 4 * size * each), maps * (1 + 4 * size * together)):
            yield samples.clamp(0, 1)


def trained_unet(folder: Path) -> Experiment:
    """A UNet on the stand-in at 32 px, trained for some seconds."""
    data = {"_target_": "vmsbench.data.standin.standin", "root": str(folder / "set"), "count": 480, "size": 32}
    settings = {"trainer.epochs": 12, "trainer.batch_size": 16, "model.network.width": 12, "evaluation.every": 12}
    config = with_settings(configuration(data=data | {"cache": None, "digest": None}), settings)
    (folder / "unet").mkdir()
    experiment = Experiment(config, folder / "unet")
    experiment.run(ignore)
    return experiment


@pytest.mark.slow
def test_a_trained_unet_with_the_noise_that_its_crps_likes_best_loses_to_the_same_unet_dressed(tmp_path):
    """The noise is chosen by the CRPS on the test images themselves, which no honest sampler could do."""
    unet = trained_unet(tmp_path)
    model, test, tuning = unet.model, unet.dataset.test, unet.dataset.validation
    answers, elsewhere = (sampled(model, pairs, 1, 64).samples[:, 0] for pairs in (test, tuning))
    blind = {name: judged(baselines(unet.dataset)[name], test) for name in ("pixel_median", "climatology")}
    assert skill_in("l1", judged(Given(test.names, unit(answers)), test), blind).low > 0
    impostors = [judged(Given(test.names, samples), test) for samples in noisy(unit(answers))]
    best = min(impostors, key=lambda found: found["crps"].mean().item())
    assert best["crps"].mean() < best["l1_median"].mean()
    law = dressed(answers, test, elsewhere, tuning).per_image
    (found,) = compare({"noisy": best["crps"].numpy(), "dressed": law["crps_dressed"].numpy()})
    assert found.verdict == "dressed is better in the one training of each"
    assert skill_in("crps_dressed", law, blind).low > 0


def test_a_dressed_blind_answer_has_no_skill(dataset, halves, blind):
    """Dressing gives spread and no knowledge: the pixel median and the pixel mean, dressed, stay behind climatology."""
    for name in ("pixel_median", "pixel_mean"):
        dressed = judged(Dressed(baselines(dataset)[name], dataset.validation), halves[1])
        assert not skill_in("crps", dressed, blind).low > 0, name


def test_a_sampler_of_the_wrong_images_has_no_skill(dataset, halves, blind):
    shifted = Given(dataset.test.names, unit(dataset.oracle["oracle_law"].roll(1, dims=0)))
    found = judged(shifted, halves[1])
    for name in ("crps", *ANSWERS):
        assert not skill_in(name, found, blind).low > 0, name


def test_the_scale_of_the_stand_in_is_as_described(dataset, halves, blind):
    """Climatology far below the pixel median in CRPS, the true law far below climatology."""
    climatology, median = (blind[name]["crps"].mean().item() for name in ("climatology", "pixel_median"))
    assert climatology < 0.8 * median
    assert judged(law(dataset), halves[1])["crps"].mean().item() < 0.75 * climatology
