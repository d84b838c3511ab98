"""The predictors that ignore the image, on small pairs made here and on VISCHEMA PLUS where it is."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data.vischema import data_folder
from vmsbench.data.pairs import Dataset, Pairs, unit
from vmsbench.errors import DataError
from vmsbench.metrics.baselines import (
    Black,
    CategoryMedian,
    Oracle,
    PixelMean,
    PixelMedian,
    RandomTrain,
    baselines,
    evaluate,
    score_baselines,
)
from vmsbench.metrics.scores import score

torch.set_num_threads(1)


def pairs(number: int, seed: int = 0, categories: tuple[str, ...] = ("a", "b"), channels: int = 3) -> Pairs:
    generator = torch.Generator().manual_seed(seed)
    made = torch.randint(0, 256, (number, channels, 16, 16), generator=generator, dtype=torch.uint8)
    labels = tuple(categories[i % len(categories)] for i in range(number)) if categories else ()
    return Pairs(tuple(f"{seed}_{i}.jpg" for i in range(number)), torch.zeros(number, 3, 16, 16).byte(), made, labels)


def dataset(**changes) -> Dataset:
    parts = {"train": pairs(9), "validation": pairs(70, 1), "test": pairs(5, 2)} | changes
    return Dataset(**parts, coding="rg", digest="0", title="made here")


@pytest.mark.parametrize("number", [1, 8, 9])
def test_mean_and_median_are_numpys(number):
    train, asked = pairs(number), pairs(3, 1)
    maps = train.maps.numpy() / 255
    assert Black(train).predict(asked).abs().max() == 0
    np.testing.assert_allclose(PixelMean(train).predict(asked)[2], maps.mean(0), atol=1e-6)
    np.testing.assert_allclose(PixelMedian(train).predict(asked)[2], np.median(maps, axis=0), atol=1e-6)


def test_no_constant_beats_the_median_under_l1_nor_the_mean_under_mse():
    train = pairs(41)
    scores = {p: evaluate(p(train), train).result() for p in (Black, PixelMean, PixelMedian)}
    assert min(scores, key=lambda p: scores[p]["l1"]) is PixelMedian
    assert min(scores, key=lambda p: scores[p]["mse"]) is PixelMean


def test_the_category_median_falls_back_to_all_images():
    train = pairs(10)
    predictor = CategoryMedian(train)
    asked = Pairs(("x", "y"), train.images[:2], train.maps[:2], ("b", "never seen"))
    predicted = predictor.predict(asked)
    np.testing.assert_allclose(predicted[0], np.median(train.maps[1::2].numpy() / 255, axis=0), atol=1e-6)
    assert torch.equal(predicted[1], PixelMedian(train).predict(asked)[1])
    unnamed = Pairs(asked.names, asked.images, asked.maps)
    assert torch.equal(predictor.predict(unnamed), PixelMedian(train).predict(unnamed))


def test_random_training_maps_are_some_of_them_and_do_not_depend_on_batches():
    train, asked = pairs(9), pairs(40, 1)
    predicted = RandomTrain(train, seed=3, samples=4).predict(asked)
    assert predicted.shape == (40, 4, 3, 16, 16)
    for samples in predicted:
        found = [[torch.equal(p, m) for m in unit(train.maps)].index(True) for p in samples]
        assert len(set(found)) == 4
    predicted = RandomTrain(train, seed=3).predict(asked)
    assert predicted.shape[1] == 16
    assert torch.equal(RandomTrain(train, seed=3).predict(asked.subset([7, 3])), predicted[[7, 3]])
    assert not torch.equal(RandomTrain(train, seed=4).predict(asked), predicted)


def test_the_table_has_its_order_and_only_what_the_data_allows():
    full = dataset()
    full.oracle.update(oracle_median=full.test.maps, oracle_mean=full.test.maps)
    blind = ["black", "pixel_mean", "pixel_median", "climatology"]
    blind += ["category_mean", "category_median", "category_climatology", "random_train"]
    assert list(baselines(full)) == [*blind, "oracle_mean", "oracle_median"]
    assert list(score_baselines(full, "test")) == list(baselines(full))
    assert list(score_baselines(full, "validation")) == blind
    assert "category_median" not in baselines(dataset(train=pairs(9, categories=())))


def test_an_oracle_that_knows_the_truth_makes_no_error():
    test = pairs(5, 2)
    assert evaluate(Oracle(test.names, test.maps), test.subset([4, 1])).result()["l1"] == 0
    with pytest.raises(DataError, match="no map for 1_0"):
        Oracle(test.names, test.maps).predict(pairs(2, 1))


def test_predictors_are_scored_by_the_metric_function_in_any_number_of_batches():
    made = dataset()
    table = score_baselines(made, "validation")
    whole = PixelMean(made.train).predict(made.validation)
    assert table["pixel_mean"] == pytest.approx(score(whole, unit(made.validation.maps)), rel=1e-5)


def test_grey_maps_have_baselines_too():
    grey = dataset(train=pairs(9, channels=1), validation=pairs(4, 1, channels=1), test=pairs(5, 2, channels=1))
    assert score_baselines(grey, "test")["pixel_median"]["cc_combined_n"] == 5


def test_no_training_pairs_or_no_categories_are_named():
    with pytest.raises(DataError, match="no training pairs"):
        PixelMedian(pairs(0))
    with pytest.raises(DataError, match="no categories"):
        CategoryMedian(pairs(3, categories=()))


def read(root: Path, listing: str) -> Pairs:
    names = tuple(name.strip() for name in (root / listing).read_text().splitlines() if name.strip())
    with (root / "categories.csv").open() as file:
        category = {row["file"]: row["category"] for row in csv.DictReader(file)}
    maps = [np.asarray(Image.open(root / "vms" / n).convert("RGB").resize((64, 64), Image.BILINEAR)) for n in names]
    stacked = torch.from_numpy(np.stack(maps)).permute(0, 3, 1, 2).contiguous()
    return Pairs(names, torch.zeros_like(stacked), stacked, tuple(category[name] for name in names))


@pytest.mark.vischema
@pytest.mark.slow
def test_the_baselines_of_vischema_plus_are_the_known_ones():
    """On the 320 official images black .1491, mean .1602, median .1327, category .1303, random .199.

    The copy that development uses has half of those images, and was saved as JPEG once more: blue, .002 in the release,
    is .005 there. So red and green are held against the known figures, with the release's blue in place of the copy's;
    over the copy's own three channels the median is .1338. The tolerance is less than the standard error of half the
    images, .005, for all share those images; the known random map is one draw an image, a noisier figure than 16.
    """
    root = data_folder()
    assert root is not None
    train, test = read(root, "viscplus_train.csv"), read(root, "viscplus_val.csv")
    table = score_baselines(Dataset(train, test, test, "rg", "0", "VISCHEMA PLUS, 64 px"), "test")
    known = {"black": 0.1491, "pixel_mean": 0.1602, "pixel_median": 0.1327, "category_median": 0.1303}
    for name, value in (known | {"random_train": 0.199}).items():
        scores, within = table[name], 0.006 if name == "random_train" else 0.003
        assert (scores["l1_red"] + scores["l1_green"] + 0.002) / 3 == pytest.approx(value, abs=within), name
        assert scores["l1"] == pytest.approx((scores["l1_red"] + scores["l1_green"] + scores["l1_blue"]) / 3, abs=1e-6)
    black = [table["black"][f"l1_{channel}"] for channel in ("red", "green", "blue")]
    assert black[:2] == pytest.approx([0.1436, 0.3025], abs=0.01)
    assert 0.002 < black[2] < 0.008
    assert table["pixel_mean"]["cc_true"] == pytest.approx(0.492, abs=0.02)
    assert table["pixel_median"]["cc_true"] == pytest.approx(0.467, abs=0.02)
    assert table["climatology"]["crps"] == pytest.approx(0.100, abs=0.001)
    assert table["random_train"]["crps"] == pytest.approx(table["climatology"]["crps"], abs=0.001)
    assert table["category_climatology"]["crps"] < table["climatology"]["crps"] < 0.8 * table["pixel_median"]["crps"]
    assert 0.6 * len(test) < table["black"]["cc_false_n"] < 0.75 * len(test)
