"""`vmsbench evaluate` on somebody's samples, NAME_0.png, NAME_1.png, ..., and on single answers that are dressed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data.data_folders import write_vischema
from tests.support.wide import widest
from vmsbench.api.evaluation import evaluate
from vmsbench.cli.commands.results.evaluate import lines
from vmsbench.data.pairs import Pairs
from vmsbench.errors import UserError
from vmsbench.metrics.external_predictions import read_predictions

SIZE = 24
NAMES = ("a.jpg", "b_1.jpg", "c.jpg")
PAIRS = Pairs(
    NAMES,
    torch.zeros(3, 3, SIZE, SIZE, dtype=torch.uint8),
    torch.randint(0, 255, (3, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8),
)


def samples(number: int, images: int = 3, channels: int = 3) -> np.ndarray:
    drawn = np.random.default_rng(1).integers(0, 256, (images, number, SIZE, SIZE, channels))
    return drawn.astype(np.uint8)


def written(folder: Path, maps: np.ndarray, names: tuple[str, ...] = NAMES, first: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    for name, some in zip(names, maps, strict=True):
        for number, one in enumerate(some, start=first):
            Image.fromarray(one).save(folder / f"{Path(name).stem}_{number}.png")
    return folder


@pytest.mark.parametrize("first", [0, 1])
def test_numbered_pictures_are_the_samples_of_an_image_in_their_order(tmp_path: Path, first: int) -> None:
    maps = samples(12)
    found, remarks = read_predictions(written(tmp_path / "mine", maps, first=first), PAIRS)
    torch.testing.assert_close(found, torch.from_numpy(maps).permute(0, 1, 4, 2, 3).float() / 255)
    assert not remarks


def test_a_number_in_the_name_of_an_image_is_no_sample(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in NAMES:
        Image.fromarray(samples(1)[0, 0]).save(folder / f"{Path(name).stem}.png")
    assert read_predictions(folder, PAIRS)[0].shape == (3, 3, SIZE, SIZE)


def test_a_number_of_samples_that_differs_between_images_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "mine", samples(4))
    (folder / "c_3.png").unlink()
    with pytest.raises(UserError, match=r"3 samples of c.jpg, 4 of a.jpg; as many of each are needed") as refused:
        read_predictions(folder, PAIRS)
    assert "\n" not in str(refused.value)
    (folder / "a_1.png").unlink()
    with pytest.raises(UserError, match=r"a has the samples 0, 2, 3; number them a_0, a_1, ... without gaps"):
        read_predictions(folder, PAIRS)


def test_a_map_beside_samples_of_the_same_image_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "mine", samples(2))
    Image.fromarray(samples(1)[0, 0]).save(folder / "a.png")
    with pytest.raises(UserError, match=r"a and a_0 both mean a; keep either"):
        read_predictions(folder, PAIRS)


@pytest.mark.parametrize(
    ("maps", "remark"),
    [
        (samples(4), "4 samples of each image are too few for a 90 % interval, which needs 10"),
        (samples(1).repeat(16, axis=1), "all 16 samples of an image are equal: one answer, not a distribution"),
        (np.zeros_like(samples(16)), "all 16 samples of an image are equal"),
    ],
    ids=["few", "equal", "black"],
)
def test_samples_that_say_little_are_scored_and_told(tmp_path: Path, maps: np.ndarray, remark: str) -> None:
    _, remarks = read_predictions(written(tmp_path / "mine", maps), PAIRS)
    assert any(told.startswith(remark) for told in remarks)


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, list[str], list[str]]:
    """A folder of pairs, its names for tuning validation, and those of its test."""
    names = write_vischema(tmp_path / "data", count=60, tests=20)
    found = evaluate("baselines", f"data.size={SIZE}", data=tmp_path / "data", split="validation", runs=tmp_path)
    assert found.data["images"] > 2
    return tmp_path / "data", names[:40], names[40:]


def copies(folder: Path, data: Path, names: list[str], number: int = 1, sources: list[str] | None = None) -> Path:
    """Noisy copies of the true maps of `sources`, or of `names` themselves."""
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(3)
    for name, source in zip(names, sources or names, strict=True):
        true = np.asarray(Image.open(data / "vms" / source).convert("RGB").resize((SIZE, SIZE)), dtype=float)
        for draw in range(number):
            one = (true + generator.normal(0, 40, true.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(one).save(folder / f"{Path(name).stem}{f'_{draw}' * (number > 1)}.png")
    return folder


def test_a_single_answer_is_dressed_by_what_it_said_of_the_tuning_pairs(data, tmp_path: Path) -> None:
    root, known, tests = data
    alone = evaluate(copies(tmp_path / "alone", root, tests), f"data.size={SIZE}", data=root, runs=tmp_path)
    bare = {line.split()[0]: line.split()[1:] for line in lines(alone.answer()) if line[:1].isalpha()}
    assert bare["alone"][3:6] == bare["pixel_median"][3:6] == ["-", "-", "-"], "no distribution before it is dressed"
    assert bare["climatology"][3] == f"{alone.scores['climatology']['crps']:.4f}"
    assert bare["climatology"][6] == f"{alone.scores['climatology']['cc_true_mean']:.3f}", "that of its one answer"
    assert any("`--validation-predictions FOLDER` gives them" in remark for remark in alone.remarks)
    assert alone.predictors["alone"]["tracks"]["distribution"]["verdict"] == "a single answer, not dressed"
    assert alone.predictors["alone"]["dressing"]["pairs"] == 0
    tuning = copies(tmp_path / "tuning", root, known)
    where = {"data": root, "runs": tmp_path}
    beside = evaluate(tmp_path / "alone", f"data.size={SIZE}", validation_predictions=tuning, **where)
    mine = beside.predictors["alone"]
    assert mine["dressing"]["pairs"] > 2
    assert mine["scores"]["crps_dressed"] < mine["scores"]["l1"]
    assert mine["tracks"]["distribution"]["metric"] == "crps_dressed"
    assert mine["tracks"]["distribution"]["verdict"] == "ok"
    copies(tmp_path / "alone", root, known)
    found = evaluate(tmp_path / "alone", f"data.size={SIZE}", **where)
    assert found.predictors["alone"]["dressing"] == mine["dressing"]
    shown = "\n".join(lines(found.answer()))
    assert f"dressed with its errors on {mine['dressing']['pairs']} tuning" in " ".join(shown.split())
    assert widest(shown.splitlines()) <= 80


def test_samples_that_are_all_equal_are_one_answer_and_no_distribution_until_it_is_dressed(data, tmp_path) -> None:
    root, known, tests = data
    single = copies(tmp_path / "single", root, [*known, *tests])
    for name in tests:
        one = single / f"{Path(name).stem}.png"
        for draw in range(16):
            Image.open(one).save(single / f"{one.stem}_{draw}.png")
        one.unlink()
    for name in known:
        (single / f"{Path(name).stem}.png").rename(tmp_path / f"{Path(name).stem}.png")
    alone = evaluate(single, f"data.size={SIZE}", data=root, runs=tmp_path / "runs").predictors["single"]
    law = alone["tracks"]["distribution"]
    assert law["verdict"] == "all samples of an image are equal: one answer, not a distribution"
    assert law["skill"] is None
    assert alone["tracks"]["answer"]["verdict"] == "ok"
    for name in known:
        (tmp_path / f"{Path(name).stem}.png").rename(single / f"{Path(name).stem}_0.png")
        for draw in range(1, 16):
            Image.open(single / f"{Path(name).stem}_0.png").save(single / f"{Path(name).stem}_{draw}.png")
    dressed = evaluate(single, f"data.size={SIZE}", data=root, runs=tmp_path / "runs").predictors["single"]
    assert dressed["tracks"]["distribution"]["metric"] == "crps_dressed"
    assert dressed["tracks"]["distribution"]["skill"] is not None


def test_somebodys_samples_stand_in_both_tracks_and_in_the_report(data, tmp_path: Path) -> None:
    root, known, tests = data
    folder = copies(tmp_path / "draws", root, [*known, *tests], number=16)
    found = evaluate(folder, f"data.size={SIZE}", data=root, runs=tmp_path, name="theirs")
    mine = found.predictors["theirs"]
    assert mine["tracks"]["answer"]["metric"] == "l1_median"
    assert mine["tracks"]["distribution"]["metric"] == "crps"
    assert {"samples", "dressed"} == set(mine["calibration"])
    with np.load(tmp_path / "outside" / "theirs" / "predictions.npz") as kept:
        assert kept["samples"].shape == (20, 16, 3, SIZE, SIZE)
    head = (tmp_path / "outside" / "theirs" / "scores.csv").read_text().splitlines()[0].split(",")
    assert {"crps_dressed", "l1_median", "climatology_crps", "random_train_crps"} <= set(head)


def test_somebody_who_draws_training_maps_is_no_better_than_climatology(data, tmp_path: Path) -> None:
    root, known, tests = data
    generator = np.random.default_rng(5)
    folder = tmp_path / "blind"
    folder.mkdir()
    for name in tests:
        for draw, source in enumerate(generator.choice(known, 16, replace=False)):
            Image.open(root / "vms" / source).resize((SIZE, SIZE)).save(folder / f"{Path(name).stem}_{draw}.png")
    mine = evaluate(folder, f"data.size={SIZE}", data=root, runs=tmp_path).predictors["blind"]
    assert "not shown to be better than" in mine["tracks"]["distribution"]["verdict"]
    assert "not shown to be better than" in mine["tracks"]["answer"]["verdict"]


def test_the_tuning_pairs_themselves_are_dressed_crosswise(data, tmp_path: Path) -> None:
    root, known, _ = data
    folder = copies(tmp_path / "mine", root, known)
    found = evaluate(folder, f"data.size={SIZE}", data=root, runs=tmp_path, split="validation")
    mine = found.predictors["mine"]
    assert mine["tracks"]["distribution"]["metric"] == "crps_dressed"
    assert "crosswise" in mine["dressing"]["reason"]
