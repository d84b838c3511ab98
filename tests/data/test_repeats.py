"""Maps of the same images by several annotators, and how far those agree."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data.data_folders import write_pairs
from vmsbench.data.folder import folder
from vmsbench.errors import UserError
from vmsbench.experiment import config_hash
from vmsbench.metrics.references import agreement, ceiling, people

SIDE, ANNOTATORS = 40, 8


def annotated(root: Path, count: int = 40, grey: bool = False) -> list[str]:
    """What an image shows, seen by each annotator with an error of the same size, independently: known reliability."""
    names = write_pairs(root, count, grey=grey, side=SIDE)
    draws = np.random.default_rng(0)
    for name in names:
        truth = np.kron(draws.standard_normal((10, 10, 3)), np.ones((4, 4, 1)))
        for annotator in range(ANNOTATORS):
            error = np.kron(draws.standard_normal((10, 10, 3)), np.ones((4, 4, 1)))
            seen = (128 + 20 * (truth + 2 * error)).clip(0, 255).astype(np.uint8)
            seen[..., 2] = 0
            (root / f"by{annotator}").mkdir(exist_ok=True)
            Image.fromarray(seen[..., 0] if grey else seen).save(root / f"by{annotator}" / name)
    return [f"by{annotator}" for annotator in range(ANNOTATORS)]


def test_the_correlation_of_halves_is_the_known_reliability_and_gives_the_whole_groups_ceiling(tmp_path: Path) -> None:
    """Of a truth of variance 1 and errors of variance 4, the means of 4 have r = 1 / (1 + 4/4) = 0.5; a perfect
    prediction correlates with the means of all 8 by sqrt(1 / (1 + 4/8)), which is the ceiling of that r."""
    folders = annotated(tmp_path)
    data = folder(tmp_path, size=SIDE, test_fraction=0.9, repeats=folders)
    assert data.repeats is not None
    assert data.repeats.shape == (ANNOTATORS, len(data.test), 3, SIDE, SIDE)
    found = agreement(data.repeats)
    assert found["true"] == pytest.approx(0.5, abs=0.05)
    assert found["false"] == pytest.approx(0.5, abs=0.05)
    assert ceiling(found["true"]) == pytest.approx((1 / 1.5) ** 0.5, abs=0.04)
    told = people(data.title, data.repeats)
    assert (told["split_half"], told["published"]) == (found, False)
    assert told["ceiling"]["combined"] == pytest.approx(ceiling(found["combined"]))


def test_two_folders_are_the_two_halves_in_the_order_of_the_test_images(tmp_path: Path) -> None:
    annotated(tmp_path, grey=True)
    data = folder(tmp_path, size=SIDE, repeats=["by0", "by1"])
    assert data.repeats is not None
    first = np.asarray(Image.open(tmp_path / "by0" / data.test.names[1]))
    assert torch.equal(data.repeats[0, 1, 0], torch.from_numpy(first.copy()))
    assert set(agreement(data.repeats)) == {"combined"}
    assert agreement(data.repeats) == agreement(data.repeats.flip(0))


def test_the_folders_of_annotators_change_neither_the_data_nor_the_name_of_an_experiment(tmp_path: Path) -> None:
    folders = annotated(tmp_path, count=10)
    assert folder(tmp_path, size=16, repeats=folders).digest == folder(tmp_path, size=16).digest
    config = {"exp": "unet", "data": {"digest": "d"}}
    assert config_hash(config) == config_hash({"exp": "unet", "data": {"digest": "d", "repeats": folders}})


def test_what_is_wrong_with_the_folders_is_one_line(tmp_path: Path) -> None:
    folders = annotated(tmp_path, count=10)
    for given, said in (
        (["by0"], "two folders of maps at least"),
        ("by0", "two folders of maps at least"),
        (["by0", "by9"], r"has no folder by9 \(found: by0/, by1/"),
    ):
        with pytest.raises(UserError, match=said):
            folder(tmp_path, size=16, repeats=given)
    (tmp_path / "by1" / folder(tmp_path, size=16).test.names[0]).unlink()
    with pytest.raises(UserError, match=r"data\.repeats=by1: no map for 1 of 2 images"):
        folder(tmp_path, size=16, repeats=folders)
    for file in (tmp_path / "by0").iterdir():
        Image.open(file).convert("L").save(file)
    with pytest.raises(UserError, match=r"by0/pic\d\d.png: it is grey, the maps are in colour"):
        folder(tmp_path, size=16, repeats=["by0", "by2"])


def test_published_figures_are_vischemas_alone() -> None:
    assert people("VISCHEMA PLUS, 64 px", None)["published"]
    assert people("VISCHEMA PLUS, 64 px", None)["split_half"]["combined"] == 0.70
    assert people("vischema_of_mine, 64 px", None) == {}
