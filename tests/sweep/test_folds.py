"""Tuning by cross-validation: a score is the mean over folds, and finals are as without them."""

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.support.sweeps.in_process import CONFIG, settings, study, told
from vmsbench.api.training import run_training
from vmsbench.config.instantiate import build
from vmsbench.data.splits import fold_of
from vmsbench.errors import ConfigurationError
from vmsbench.files import read_json
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.space import Parameter, Space
from vmsbench.search.wrappers.filled import Filled
from vmsbench.search.wrappers.repeated import Repeated
from vmsbench.sweep.planning.outline import outline
from vmsbench.sweep.planning.plan import plan
from vmsbench.sweep.tune import resolve
from vmsbench.testing.searchers import SPACE, a_search_that_died_is_rebuilt

FOLDS = 3
PLAIN = {
    "_target_": "vmsbench.data.standin.standin",
    "count": 40,
    "size": 32,
    "root": None,
    "cache": None,
    "digest": None,
}
FOLDED = PLAIN | {"folds": FOLDS}
ONE = {"parameters": [{"param": "model.network.width", "values": [2, 4]}]}


def test_every_name_is_held_out_once_and_every_category_in_every_fold() -> None:
    names = [f"{number:03}" for number in range(50)]
    categories = {name: "abc"[int(name) % 3] for name in names}
    parts = [fold_of(names, 7, fold, 0, categories) for fold in range(7)]
    assert sorted(name for _, held_out in parts for name in held_out) == names
    for kept, held_out in parts:
        assert sorted([*kept, *held_out]) == names
        assert kept == sorted(kept)
        assert len(held_out) in (7, 8)
        assert {categories[name] for name in held_out} == set("abc")
    assert fold_of(names, 7, 0, 1, categories) != parts[0]


def naive(runs: Path, config: dict[str, Any], fold: int) -> float:
    """The score of a training on explicit lists, without anything that knows of folds."""
    plain = {name: value for name, value in config["data"].items() if name not in ("folds", "fold", "digest")}
    whole = build(plain)
    files = whole.files
    tuning = [name for name in files if name in {*whole.train.names, *whole.validation.names}]
    root = next(iter(files.values())).parents[1]
    lists = dict(zip(("train", "validation"), fold_of(tuning, FOLDS, fold, 0, categories(whole)), strict=True))
    for split, names in (*lists.items(), ("test", whole.test.names)):
        (root / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    listed = {split: f"{split}.txt" for split in ("train", "validation", "test")}
    data = {"_target_": "vmsbench.data.folder.folder", "root": str(root), "maps": "vms", "coding": whole.coding}
    data |= {"size": whole.size, "cache": plain["cache"], **listed}
    found = run_training({**config, "data": data}, runs).results["validation_scores"]["crps"]
    return float(found)


def categories(whole: Any) -> dict[str, str]:
    return {
        name: category
        for pairs in (whole.train, whole.validation)
        for name, category in zip(pairs.names, pairs.categories, strict=False)
    }


def test_the_score_is_the_mean_of_naive_cross_validation_to_the_digit(tmp_path: Path) -> None:
    done = study(tmp_path, data=FOLDED, space=ONE)
    started = {event["trial"]: event["params"] for event in told(done, "started")}
    assert sorted(params.get("data.fold", 0) for params in started.values()) == [0, 0, 1, 1, 2, 2]
    (settled,) = told(done, "settled")
    for option in settled["options"]:
        config = read_json(done / "trials" / option["trial"] / "config.json")
        assert option["score"] == fmean(naive(tmp_path / "naive", config, fold) for fold in range(FOLDS))
    (winner,) = told(done, "winner")
    assert winner["score"] == settled["score"]


def test_finals_are_trained_and_split_as_without_folds(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir(), (tmp_path / "many").mkdir()
    one, many = study(tmp_path / "one", data=PLAIN, space=ONE), study(tmp_path / "many", data=FOLDED, space=ONE)
    assert read_json(one / "splits.json") == read_json(many / "splits.json")
    kept = [{path.name for path in (folder / "final").iterdir()} for folder in (one, many)]
    winners = [told(folder, "winner")[0]["params"] for folder in (one, many)]
    assert (kept[0] == kept[1]) == (winners[0] == winners[1])
    (final,) = (many / "final").iterdir()
    assert not {"folds", "fold"} & read_json(final / "config.json")["data"].keys()


def test_a_plan_counts_a_training_for_each_fold(tmp_path: Path) -> None:
    said = [plan(settings(data=data), tmp_path, 2, False, print, 1) for data in (PLAIN, FOLDED)]
    assert said[1].trials == FOLDS * said[0].trials
    assert outline(settings(data=FOLDED), tmp_path, 2).trials_at_most == said[1].trials_at_most


@pytest.mark.parametrize(
    ("folds", "searcher", "error"),
    [
        (1, {}, r"data\.folds=1: from 2 to 32, .*; data\.folds=5 is usual"),
        (-3, {}, r"data\.folds=-3: from 2 to 32, "),
        (999, {}, r"data\.folds=999: from 2 to \d+, the number of training pairs"),
        (3, {"racing": True, "repeats": 3}, r"searcher\.racing=true with data\.folds=3: .*; searcher\.racing=false"),
    ],
)
def test_folds_that_cannot_be_are_refused_before_anything_is_trained(
    tmp_path: Path, folds: int, searcher: dict[str, Any], error: str
) -> None:
    wrong = settings(data=PLAIN | {"folds": folds}, searcher=settings()["searcher"] | searcher)
    with pytest.raises(ConfigurationError, match=error):
        resolve(wrong, tmp_path)
    assert not (tmp_path / "trials").exists()


def test_a_plan_without_data_refuses_one_fold_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.folds=1: at least 2; data\.folds=5 is usual"):
        outline(settings(data=PLAIN | {"folds": 1}), tmp_path, 2)


def test_a_single_training_has_no_folds(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.folds is for a search"):
        run_training({**CONFIG, "data": FOLDED}, tmp_path)


def test_a_killed_search_over_folds_and_seeds_continues_as_if_it_had_not_been() -> None:
    a_search_that_died_is_rebuilt(lambda space: Repeated(CoordinateSearch(space), 2, 0, 3), SPACE)
    a_search_that_died_is_rebuilt(lambda space: Filled(Repeated(CoordinateSearch(space), 1, 0, 3), 0), SPACE)


def test_a_choice_has_a_run_for_every_seed_and_fold_and_its_score_is_their_mean() -> None:
    space = Space([Parameter("width", [1, 2])], {"width": 1})
    searcher, runs = Repeated(CoordinateSearch(space), 2, 5, 3), []
    while (params := searcher.ask()) is not None:
        runs.append(params)
        searcher.tell(params, params["width"] + params.get("seed", 5) + 0.1 * params.get("data.fold", 0))
    assert len(runs) == 12
    assert searcher.settled[0].score == pytest.approx(1 + 5.5 + 0.1)
    assert len({str(run) for run in searcher.runs(searcher.incumbent)}) == 6
