"""NSS, AUC-Judd and information gain in the tables of data that have fixations, and nowhere else."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data.data_folders import write_pairs
from tests.support.sweep_maker import make_sweep, write
from vmsbench.data.folder import folder
from vmsbench.data.sources.fixations import centre_bias
from vmsbench.errors import UserError
from vmsbench.metrics.agreement.fixation_metrics import auc_judd, information_gain, nss
from vmsbench.metrics.baselines import Given, baselines, evaluate
from vmsbench.metrics.fixated import mixed
from vmsbench.report.analysis.ranking import rank
from vmsbench.report.sections.scores.answers import answer_table
from vmsbench.store.reader import collect

SIDE = 24


def fixated(root: Path, count: int = 12) -> list[str]:
    """Three fixations on each image but the last of all, in pictures twice as large as the maps."""
    names = write_pairs(root, count, side=SIDE)
    (root / "seen").mkdir()
    for at, name in enumerate(names):
        pixels = np.zeros((2 * SIDE, 2 * SIDE), np.uint8)
        if at < count - 1:
            rows, columns = np.random.default_rng(at).integers(0, 2 * SIDE, (2, 3))
            pixels[rows, columns] = 255
        Image.fromarray(pixels).save(root / "seen" / name)
    return names


def test_given_maps_are_scored_at_the_fixations_of_their_images(tmp_path: Path) -> None:
    fixated(tmp_path)
    data = folder(tmp_path, size=SIDE, test_fraction=0.5, fixations="seen")
    test = data.test
    assert test.fixations is not None
    maps = torch.rand(len(test), 4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    found = evaluate(Given(test.names, maps), test)
    each, means = found.per_image(), found.result()
    combined = maps[:, :, :2].sum(dim=2)
    for row, name in enumerate(test.names):
        points = test.fixations.points[row]
        if not points.any():
            assert each["nss"][row].isnan()
            continue
        original = np.argwhere(np.asarray(Image.open(tmp_path / "seen" / name)))
        assert set(map(tuple, (original // 2).tolist())) == set(map(tuple, points.nonzero().tolist()))
        one = [nss(sample, points) for sample in combined[row]]
        assert each["nss"][row].item() == pytest.approx(np.mean(one), abs=1e-5)
        mean = combined[row].mean(dim=0)
        assert each["auc_judd_mean"][row].item() == pytest.approx(auc_judd(mean, points), abs=1e-5)
        gain = information_gain(mixed(mean), points, mixed(test.fixations.bias))
        assert each["ig_mean"][row].item() == pytest.approx(gain, abs=1e-5)
    assert means["nss_n"] == int(test.fixations.points.flatten(1).any(dim=1).sum())


def test_the_map_of_the_fixations_themselves_is_far_better_than_the_blind(tmp_path: Path) -> None:
    fixated(tmp_path, 30)
    data = folder(tmp_path, size=SIDE, test_fraction=0.4, fixations="seen")
    assert data.test.fixations is not None
    points = data.test.fixations.points.float()[:, None].expand(-1, 3, -1, -1)
    best = evaluate(Given(data.test.names, points), data.test).result()
    blind = evaluate(baselines(data)["pixel_mean"], data.test).result()
    assert best["nss"] > 5 > blind["nss"]
    assert best["auc_judd"] == 1 > blind["auc_judd"]
    assert best["ig"] > 5 > blind["ig"]


def test_the_centre_bias_is_the_smooth_density_of_the_training_fixations() -> None:
    points = torch.zeros(5, SIDE, SIDE, dtype=torch.bool)
    assert centre_bias(points).unique().tolist() == pytest.approx([1 / SIDE**2])
    points[:, 6, 15] = True
    bias = centre_bias(points)
    assert bias.sum().item() == pytest.approx(1)
    assert np.unravel_index(int(bias.argmax()), tuple(bias.shape)) == (6, 15)


def test_only_data_with_fixations_have_the_columns(tmp_path: Path) -> None:
    make_sweep(tmp_path, "unet")
    (group,) = collect(tmp_path, []).groups
    headings = [column.heading for column in answer_table(group, rank(group).answer).columns]
    assert not {"NSS ↑", "AUC-Judd ↑"} & set(headings)
    baselines_ = {split: dict(rows) for split, rows in group.sweeps[0].baselines.items()}
    baselines_["test"]["pixel_mean"] = baselines_["test"]["pixel_mean"] | {"nss": 0.5, "auc_judd": 0.7, "ig": 0.0}
    write(tmp_path / "unet" / "baselines.json", baselines_)
    (group,) = collect(tmp_path, []).groups
    table = answer_table(group, rank(group).answer)
    assert {"NSS ↑", "AUC-Judd ↑", "Information gain, bits ↑"} <= {column.heading for column in table.columns}


def test_what_is_wrong_with_fixations_is_one_line(tmp_path: Path) -> None:
    names = fixated(tmp_path)
    with pytest.raises(UserError, match=r"data\.fixations: .* has no folder nowhere"):
        folder(tmp_path, size=SIDE, fixations="nowhere")
    (tmp_path / "seen" / names[0]).unlink()
    with pytest.raises(UserError, match=r"data\.fixations=seen: no map for 1 of 12 images: pic00\.png"):
        folder(tmp_path, size=SIDE, fixations="seen")


@pytest.mark.parametrize(("mode", "level"), [("L", 1), ("1", 255), ("I;16", 40000), ("I;16", 1), ("P", 1), ("RGB", 5)])
def test_every_pixel_that_is_not_black_is_a_fixation_in_every_kind_of_picture(
    tmp_path: Path, mode: str, level: int
) -> None:
    names = write_pairs(tmp_path, 12, side=SIDE)
    (tmp_path / "seen").mkdir()
    for name in names:
        pixels = np.zeros((SIDE, SIDE), np.uint16 if mode == "I;16" else np.uint8)
        pixels[3, 5] = level
        picture = Image.fromarray(pixels)
        if mode == "P":
            picture.putpalette([0, 0, 0, 90, 0, 0])
        elif mode != "I;16":
            picture = picture.convert(mode)
        picture.save(tmp_path / "seen" / name)
    points = folder(tmp_path, size=SIDE, test_fraction=0.5, fixations="seen").test.fixations
    assert points is not None
    assert all(one.nonzero().tolist() == [[3, 5]] for one in points.points)


def test_fixations_that_are_none_are_one_line(tmp_path: Path) -> None:
    for name in write_pairs(tmp_path, 12, side=SIDE):
        (tmp_path / "seen").mkdir(exist_ok=True)
        Image.new("L", (SIDE, SIDE)).save(tmp_path / "seen" / name)
    with pytest.raises(UserError, match=r"data\.fixations=seen: no pixel is fixated"):
        folder(tmp_path, size=SIDE, fixations="seen")
