"""The stand-in: data whose best possible scores are known."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vmsbench.data import standin_scenes as scenes
from vmsbench.data.pairs import Dataset, signed
from vmsbench.data.standin import standin, write_standin
from vmsbench.errors import ConfigurationError, DataError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return standin(tmp_path_factory.mktemp("standin") / "set", count=500, size=32)


def l1(dataset: Dataset, prediction: Tensor) -> float:
    return float((signed(dataset.test.maps) - prediction).abs().mean())


@pytest.mark.parametrize(
    "settings", [{"count": 7}, {"count": 99_999_999_999}, {"size": 8}, {"size": 100_000}, {"count": 10**6, "size": 32}]
)
def test_synthetic_data_without_end_are_refused_before_anything_is_written(
    tmp_path: Path, settings: dict[str, int]
) -> None:
    for make in (write_standin, standin):
        with pytest.raises(ConfigurationError, match=r"8 to 100000 pairs, of 16 to 1024 px"):
            make(tmp_path / "made", **settings)  # type: ignore[operator]
    assert not list(tmp_path.iterdir())


def test_the_floors_lie_in_order_and_near_those_of_the_real_data(dataset: Dataset) -> None:
    seen = signed(dataset.train.maps)
    black = l1(dataset, torch.tensor(-1.0))
    median = l1(dataset, seen.median(dim=0).values)
    best = l1(dataset, signed(dataset.oracle["oracle_median"]))
    assert best < 0.8 * median < median < black
    assert black == pytest.approx(0.128, abs=0.025)
    assert median == pytest.approx(0.104, abs=0.02)
    assert best == pytest.approx(0.076, abs=0.015)


def test_each_oracle_is_best_by_its_own_measure(dataset: Dataset) -> None:
    truth = signed(dataset.test.maps)
    mean, median = signed(dataset.oracle["oracle_mean"]), signed(dataset.oracle["oracle_median"])
    assert (truth - median).abs().mean() < (truth - mean).abs().mean()
    assert (truth - mean).square().mean() < (truth - median).square().mean()
    blind = signed(dataset.train.maps).mean(dim=0)
    assert (truth - mean).square().mean() < 0.7 * (truth - blind).square().mean()


def test_an_oracle_of_the_wrong_image_has_no_skill(dataset: Dataset) -> None:
    median = l1(dataset, signed(dataset.train.maps).median(dim=0).values)
    assert l1(dataset, signed(dataset.oracle["oracle_median"]).roll(1, 0)) > median


def test_draws_of_the_true_law_are_like_the_true_maps_and_unlike_those_of_other_images(dataset: Dataset) -> None:
    """The mean distance between two draws is that between a draw and the truth: both are panels of the same people."""
    truth, draws = signed(dataset.test.maps), signed(dataset.oracle["oracle_law"])
    assert draws.shape == (len(truth), 16, *truth.shape[1:])
    to_truth = (draws - truth[:, None]).abs().mean().item()
    assert (draws[:, :8] - draws[:, 8:]).abs().mean().item() == pytest.approx(to_truth, rel=0.05)
    assert (draws - truth.roll(1, 0)[:, None]).abs().mean() > 1.2 * to_truth
    best = (truth - signed(dataset.oracle["oracle_mean"])).square().mean().item()
    assert (draws.mean(dim=1) - truth).square().mean().item() == pytest.approx(best * (1 + 1 / 16), rel=0.05)


def test_a_stand_in_without_its_law_is_given_it(tmp_path: Path) -> None:
    first = standin(tmp_path / "set", count=10, size=16)
    shutil.rmtree(tmp_path / "set" / "oracle" / "law")
    again = standin(tmp_path / "set", count=10, size=16)
    assert torch.equal(first.oracle["oracle_law"], again.oracle["oracle_law"])
    assert first.digest == again.digest
    assert sorted(part.name for part in (tmp_path / "set" / "oracle").iterdir()) == ["law", "mean", "median"]
    assert standin(tmp_path / "set", count=10, size=32).oracle["oracle_law"].shape == (2, 16, 3, 32, 32)


def test_blue_is_nearly_empty_and_about_a_third_of_the_maps_have_no_red(dataset: Dataset) -> None:
    maps = dataset.train.maps
    assert maps[:, 2].float().mean() < 3
    assert 0.2 < (maps[:, 0].amax((1, 2)) < 16).float().mean() < 0.42


def test_a_category_tells_something_about_the_maps(dataset: Dataset) -> None:
    seen, train = signed(dataset.train.maps), np.array(dataset.train.categories)
    medians = {name: seen[torch.from_numpy(train == name)].median(dim=0).values for name in set(train)}
    assert set(medians) == set(scenes.CATEGORIES)
    informed = torch.stack([medians[name] for name in dataset.test.categories])
    assert l1(dataset, informed) < l1(dataset, seen.median(dim=0).values)


def test_a_scene_depends_on_the_seed_and_its_number_alone(tmp_path: Path) -> None:
    one = standin(tmp_path / "one", count=10, size=16)
    again = standin(tmp_path / "again", count=10, size=16)
    assert one.digest == again.digest
    assert all(torch.equal(one.oracle[key], again.oracle[key]) for key in one.oracle)
    write_standin(tmp_path / "more", count=20, size=16)
    write_standin(tmp_path / "other", count=10, size=16, seed=1)
    image = "images/standin_00000.jpg"
    assert (tmp_path / "one" / image).read_bytes() == (tmp_path / "more" / image).read_bytes()
    assert (tmp_path / "one" / image).read_bytes() != (tmp_path / "other" / image).read_bytes()


def test_a_map_is_the_share_of_people_whose_boxes_cover_a_pixel() -> None:
    """One object, so that everyone with a hit picks it: its centre is covered by all, a far corner by nobody."""
    scene = scenes.Scene(0, *(np.array([value]) for value in (0.3, 0.3, 0.12)), np.array([0]), np.array([0]))
    maps = scenes.panels(scene, 32, 50, np.random.default_rng(0))
    centre = int(0.3 * 32)
    assert (maps[:, 1, centre, centre] == 255).mean() > 0.7
    assert not maps[:, :, -1, -1].any()
    counted = maps[:, 1].astype(float)[:, :, :, None] / 255 * np.arange(8, 11)
    assert (np.abs(counted - counted.round()).min(axis=-1) < 0.03).all()


def test_what_is_unique_is_remembered_better() -> None:
    places = np.array([0.2, 0.5, 0.8]), np.full(3, 0.5), np.full(3, 0.1)
    odd_at_left = scenes.Scene(0, *places, np.array([1, 0, 0]), np.array([3, 4, 4]))
    odd_at_right = scenes.Scene(0, *places, np.array([0, 0, 1]), np.array([4, 4, 3]))
    left, right = scenes.true_scores(odd_at_left), scenes.true_scores(odd_at_right)
    assert left[0] > left[2]
    assert right[2] > right[0]
    assert left[0] == pytest.approx(right[2])


def test_the_oracle_median_is_the_median_of_many_other_panels() -> None:
    scene = scenes.scene(np.random.default_rng(4))
    mean, median = scenes.oracle(scene, 16, 401, np.random.default_rng(0))
    others = scenes.panels(scene, 16, 401, np.random.default_rng(1))
    assert np.abs(mean[:2] - others.mean(0)).mean() < 3
    assert np.abs(median[:2] - np.median(others, axis=0)).mean() < 6


def test_it_is_written_once_and_what_is_there_is_respected(tmp_path: Path) -> None:
    path = write_standin(tmp_path / "set", count=10, size=16)
    before = (path / "standin.json").stat().st_mtime_ns
    assert write_standin(path, count=10, size=16) == path
    assert (path / "standin.json").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="other synthetic data"):
        write_standin(path, count=11, size=16)
    with pytest.raises(DataError, match=r"holds synthetic data with count=10, seed=0.*not count=12, seed=0"):
        standin(path, count=12, size=16)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("dear to me")
    with pytest.raises(DataError, match=r"not empty \(found: thesis.tex\)"):
        write_standin(tmp_path / "mine", count=10, size=16)
    with pytest.raises(ConfigurationError, match="8 to 100000 pairs"):
        write_standin(tmp_path / "few", count=3)
    (path / "oracle" / "mean" / "standin_00009.png").unlink()
    with pytest.raises(DataError, match=r"damaged.*written again"):
        standin(path, count=10, size=16)


def test_processes_that_start_at_once_share_one_stand_in(tmp_path: Path) -> None:
    script = (
        f"from vmsbench.data.standin import standin\nprint(standin({str(tmp_path / 's')!r}, count=30, size=16).digest)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert len({process.communicate()[0].strip() for process in started} - {""}) == 1
    assert [process.returncode for process in started] == [0, 0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["s"]


def test_a_kill_in_mid_write_leaves_no_stand_in(tmp_path: Path) -> None:
    script = (
        "import os\nfrom vmsbench.data import standin\n"
        "written = standin.save\n"
        "def die(pixels, path):\n    written(pixels, path)\n    if '00009' in path.name: os.kill(os.getpid(), 9)\n"
        "standin.save = die\n"
        f"standin.write_standin({str(tmp_path / 'set')!r}, count=20, size=16)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2]).returncode == -9
    assert not (tmp_path / "set").exists()
    assert len(standin(tmp_path / "set", count=20, size=16).test) == 4


def test_without_a_root_it_lies_in_the_cache_folder(tmp_path: Path) -> None:
    standin(count=10, size=16, cache=tmp_path)
    stamp = json.loads((tmp_path / "standin-10-16-0" / "standin.json").read_text())
    assert stamp == {"count": 10, "size": 16, "seed": 0, "version": 1}


def test_it_may_be_written_to_the_empty_folder_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(standin(".", count=10, size=16).test) == 2
