"""The whole way, from training to verdict, on data whose best possible scores are known: skill where there is some."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.tiny import configuration
from vmsbench.config.settings import with_settings
from vmsbench.data.pairs import Dataset, Pairs
from vmsbench.data.standin import standin
from vmsbench.experiment import run
from vmsbench.metrics.baselines import score_baselines
from vmsbench.metrics.significance import skill
from vmsbench.metrics.verdicts import verdict

SETTINGS: dict[str, Any] = {"count": 480, "size": 32}


def shuffled(**settings: Any) -> Dataset:
    """The stand-in, each image with its neighbour's map: nothing can be learnt from the images."""
    made = standin(**settings)
    apart = [Pairs(p.names, p.images, p.maps.roll(1, 0), p.categories) for p in (made.train, made.validation)]
    return replace(made, train=apart[0], validation=apart[1])


def judged(target: str, folder: Path, root: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The verdict over a UNet trained on the data of `target`, its results, and the baselines' scores."""
    data = {"_target_": target, "root": str(root), "cache": None, "digest": None, **SETTINGS}
    config = with_settings(
        configuration(test=True, data=data),
        {"trainer.epochs": 8, "trainer.batch_size": 16, "model.network.width": 8, "evaluation.every": 8},
    )
    results = run(config, folder)
    with (folder / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    errors, blind = (np.array([float(row[key]) for row in rows]) for key in ("l1", "pixel_median_l1"))
    table = score_baselines(standin(root, **SETTINGS), "test")
    train, validation = results["train_scores"]["l1"], results["validation_scores"]["l1"]
    return verdict(skill(errors, blind), blind.mean(), validation, train), results, table


@pytest.mark.slow
def test_what_learns_from_images_has_skill_and_what_learns_from_shuffled_pairs_has_none(tmp_path: Path) -> None:
    word, results, table = judged("vmsbench.data.standin.standin", tmp_path / "true", tmp_path / "data")
    assert word == "ok"
    assert (
        table["oracle_median"]["l1"]
        < results["test_scores"]["l1"]
        < table["pixel_median"]["l1"]
        < table["pixel_mean"]["l1"]
    )
    word, results, _ = judged("tests.training.test_skill.shuffled", tmp_path / "shuffled", tmp_path / "data")
    assert word == "no skill shown"
    assert results["test_scores"]["l1"] > table["pixel_median"]["l1"] - 0.002
