"""A search by a score of which higher is better keeps the highest, everywhere; one by a score of samples works for a
model of one answer too."""

from pathlib import Path

import pytest

from tests.support.sweep_maker import make_sweep
from tests.support.sweeps.in_process import CONFIG, in_turn, sweep, told
from tests.support.tiny import MODELS, configuration
from vmsbench.cli.commands.results.status import lines
from vmsbench.cli.summary import sweep_lines
from vmsbench.config.settings import with_settings
from vmsbench.errors import ConfigurationError
from vmsbench.experiment import run
from vmsbench.files import append_line, read_lines, save_json
from vmsbench.metrics.catalog import sign
from vmsbench.metrics.references import value
from vmsbench.metrics.scores import tunable
from vmsbench.metrics.tracks.served import served
from vmsbench.search.asha import PrunerState
from vmsbench.search.pruners import GuardedAshaPruner, IncumbentPruner, Pruner
from vmsbench.store.reader import read_sweep
from vmsbench.sweep.finals import Finals, finalists
from vmsbench.sweep.progress_lines import Counting
from vmsbench.sweep.status import status
from vmsbench.sweep.sweep import curve
from vmsbench.sweep.trial import Callback
from vmsbench.training.checks import check

BY_CC = with_settings(CONFIG, {"metric": "cc_combined"})


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coordinate search by cc_combined, with the two best configurations trained again."""
    folder = tmp_path_factory.mktemp("sweep") / "by_cc"
    whole = sweep(folder, BY_CC)
    whole.watcher = Counting("by_cc")
    in_turn(whole)
    (folder / "best").write_text(repr(whole.watcher.best))
    about = {"schema": 1, "name": "by_cc", "exp": "unet", "command": "", "created": "", "config": BY_CC}
    space = [{"param": one.param, "values": one.values} for one in whole.space]
    save_json(folder / "sweep.json", about | {"space": space, "dataset": {}, "searcher": {}, "pruner": {}})
    in_turn(Finals(folder, finalists(folder, whole.space, 2), 1, Callback()))
    blind = {"l1": 0.4, "l1_unit": 0.2}
    save_json(folder / "baselines.json", {"validation": {}, "test": {"pixel_median": blind}})
    return folder


def test_the_highest_score_wins_and_is_written_as_it_was_measured(searched: Path) -> None:
    scores = {event["trial"]: event["score"] for event in told(searched, "finished")}
    (winner,) = told(searched, "winner")
    assert winner["score"] == max(scores.values()) == scores[winner["trial"]] > 0
    assert float((searched / "best").read_text()) == winner["score"]
    for event in told(searched, "settled"):
        tried = [option["score"] for option in event["options"]]
        assert event["score"] == max(tried)
        assert set(tried) <= set(scores.values())


def test_finals_are_ranked_and_chosen_by_the_highest(searched: Path) -> None:
    record = read_sweep(searched)
    scores = {trial.id: trial.score for trial in record.trials}
    ranked = {final.rank: scores[final.of] for final in record.finals}
    assert ranked == {1: max(scores.values()), 2: sorted(scores.values())[-2]}
    tuned = {final.of: final.tuning["cc_combined"] for final in record.finals}
    assert {final.of for final in record.scored} == {max(tuned, key=tuned.__getitem__)}


def test_what_is_shown_of_it_names_the_highest_and_its_track(searched: Path) -> None:
    best = max(event["score"] for event in told(searched, "finished"))
    shown = "\n".join(lines(status(searched)))
    assert f"best so far: tuning cc_combined {best:.4f}" in shown
    assert "tuned as one answer: the highest cc_combined" in shown
    for step in status(searched).parameters:
        assert step.runner_up is not None
        assert step.runner_up <= step.score
    assert "tuned as one answer" in "\n".join(sweep_lines(searched))


def test_before_anything_is_settled_the_best_so_far_is_the_highest(searched: Path, tmp_path: Path) -> None:
    for name in ("sweep.json", "baselines.json"):
        (tmp_path / name).write_bytes((searched / name).read_bytes())
    for event in read_lines(searched / "journal.jsonl"):
        if event["event"] in ("started", "finished"):
            append_line(tmp_path / "journal.jsonl", event)
    assert status(tmp_path).incumbent["score"] == max(event["score"] for event in told(tmp_path, "finished"))


def test_the_best_epoch_by_it_is_kept(tmp_path: Path) -> None:
    config = with_settings(configuration(), {"metric": "cc_true", "trainer.keep": "best", "evaluation.every": 1})
    kept = run(config, tmp_path)["epoch_kept"]
    seen = {line["epoch"]: line["scores"]["cc_true"] for line in read_lines(tmp_path / "history.jsonl")}
    assert seen[kept] == max(seen.values())
    assert curve(tmp_path, "cc_true") == {epoch: -score for epoch, score in seen.items()}


@pytest.mark.parametrize("pruner", [GuardedAshaPruner(), IncumbentPruner()], ids=["guarded_asha", "incumbent"])
def test_pruners_stop_the_low_of_a_score_of_which_higher_is_better(pruner: Pruner) -> None:
    """0.5 in the end, 0.6 and 0.2: their negatives are what a pruner sees."""

    def reached(end: float) -> dict[int, float]:
        return {epoch: -end * (1 - 0.5**epoch) for epoch in range(1, 13)}

    state = PrunerState(pruner, 12)
    state.replay("incumbent", reached(0.5))
    state.replay("other", reached(0.45))
    good = [state.stop_reason("good", epoch, score, reached(0.5)) for epoch, score in reached(0.6).items()]
    same = [state.stop_reason("same", epoch, score, reached(0.5)) for epoch, score in reached(0.5).items()]
    poor = [state.stop_reason("poor", epoch, score, reached(0.5)) for epoch, score in reached(0.2).items()]
    assert not any(good)
    assert not any(same)
    assert any(poor)


@pytest.mark.parametrize("model", ["unet", "diffusion"])
@pytest.mark.parametrize("metric", ["l1_median", "mse_mean", "cc_combined_mean", "crps_dressed", "energy"])
def test_scores_of_samples_can_be_tuned_by_whatever_the_model_gives(tmp_path: Path, model: str, metric: str) -> None:
    config = with_settings(configuration(**MODELS[model]), {"metric": metric, "trainer.epochs": 2})
    results = run(config, tmp_path)
    *_, last = read_lines(tmp_path / "history.jsonl")
    assert isinstance(last["scores"][metric], float)
    assert results["validation_scores"][metric] == pytest.approx(value(results["validation_scores"], metric))
    if model == "unet" and metric == "l1_median":
        assert results["validation_scores"][metric] == results["validation_scores"]["l1"]


def test_every_tunable_score_has_a_direction_and_a_track() -> None:
    for grey in (False, True):
        for name in tunable(grey):
            assert sign(name) == (-1 if name.startswith(("cc", "sim")) else 1)
            assert served(name, 16).startswith(("tuned as one answer", "tuned as a distribution"))
            assert len(f"  {served(name, 1)}") <= 80
    assert served("crps", 1).startswith("tuned as one answer: the lowest crps (L1, of one map)")
    assert served("energy", 1).startswith("tuned as one answer: the lowest energy (of one map)")


def test_a_score_with_no_direction_is_refused_and_others_are_suggested() -> None:
    for name in ("coverage_50", "spread", "l1_medain"):
        with pytest.raises(ConfigurationError, match=f"metric={name} is none of .*crps"):
            check(configuration(metric=name), 2, 32, 24)
    with pytest.raises(ConfigurationError, match="spread can guide no search"):
        sign("spread")


def test_few_samples_in_training_for_a_score_of_their_answer_are_a_warning() -> None:
    config = configuration(**MODELS["diffusion"], metric="l1_median")
    (caution,) = [line for line in check(config, 2, 32, 24) if "metric=l1_median" in line]
    assert "of 2 samples of an image in training and of 3 at the end" in caution
    assert not any("samples of an image" in line for line in check(config | {"metric": "crps"}, 2, 32, 24))


@pytest.mark.parametrize(("exp", "worse"), [("unet", False), ("gan", True)])
def test_finals_that_are_no_better_than_the_pixel_median_are_called_so(tmp_path: Path, exp: str, worse: bool) -> None:
    make_sweep(tmp_path, exp)
    assert any("no final is better than that" in line for line in sweep_lines(tmp_path / exp)) == worse
