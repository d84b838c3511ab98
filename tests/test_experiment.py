"""An experiment is a configuration and a folder: whole, interrupted, repeated, wrong."""

import csv
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.tiny import MODELS, configuration, dataset, files_in
from vmsbench.config.settings import with_settings
from vmsbench.data.pairs import unit
from vmsbench.errors import ConfigurationError
from vmsbench.experiment import config_hash, run
from vmsbench.files import append_line, read_json, read_lines, save_json
from vmsbench.launch.supervisor import progress
from vmsbench.metrics.scores import score
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.training.checks import check
from vmsbench.training.trainer import Diverged, Training, TrainingInterrupted

TIMES = ("seconds", "time", "seconds_per_image")


def timeless(records: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name not in TIMES} for record in records]


def assert_trained_the_same(*folders: Path) -> None:
    histories = [timeless(read_lines(folder / "history.jsonl")) for folder in folders]
    assert histories[0] == histories[1]
    weights = [torch.load(folder / "checkpoint.pt", weights_only=True)["weights"] for folder in folders]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


class Killed(BaseException):
    """The process is gone, as far as the experiment can tell."""


def killed_after(epoch: int) -> Any:
    def report(record: dict[str, Any]) -> None:
        if record["epoch"] == epoch:
            raise Killed

    return report


@pytest.mark.parametrize("model", MODELS)
def test_an_interrupted_experiment_continues_where_it_stopped(model: str, tmp_path: Path) -> None:
    config = configuration(**MODELS[model])
    whole = run(config, tmp_path / "whole")
    for epoch in (1, 3):
        with pytest.raises(Killed):
            run(config, tmp_path / "cut", killed_after(epoch))
        (tmp_path / "cut" / f".checkpoint.pt.{epoch}").write_bytes(b"half of a check")
    assert timeless([run(config, tmp_path / "cut")]) == timeless([whole])
    assert_trained_the_same(tmp_path / "whole", tmp_path / "cut")
    assert {file.name for file in files_in(tmp_path / "whole")} == {file.name for file in files_in(tmp_path / "cut")}


@pytest.mark.parametrize("model", MODELS)
def test_an_experiment_that_was_asked_to_leave_goes_on_at_that_very_step(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, one_step = 0, Training.one_step

    def counted(*arguments: Any) -> Any:
        nonlocal taken
        taken += 1
        return one_step(*arguments)

    monkeypatch.setattr(Training, "one_step", counted)
    config = configuration(**MODELS[model])
    whole = run(config, tmp_path / "whole")
    steps = whole["images_seen"] // config["trainer"]["batch_size"]
    left = sorted({0, 1, steps // 2, steps - 1})
    cut, gone = tmp_path / "trials" / "cut", []
    for before, step in itertools.pairwise([0, *left]):
        taken = 0
        with pytest.raises(TrainingInterrupted):
            run(config, cut, should_stop=lambda more=step - before: taken >= more)  # noqa: B023
        gone.append(progress(tmp_path))
    said = re.findall(r"stopped at step (\d+)", (cut / "log.txt").read_text())
    assert [int(step) for step in said] == left
    assert len(ExperimentFolder(cut).starts()) == len(left)
    assert gone == sorted(set(gone)), "the supervisor of a job does not see each as a step further"
    assert timeless([run(config, cut)]) == timeless([whole])
    assert_trained_the_same(tmp_path / "whole", cut)


def test_the_time_of_an_epoch_that_was_left_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()  # each look at the clock is a second later
    monkeypatch.setattr("vmsbench.experiment.time.perf_counter", lambda: float(next(clock)))
    config = with_settings(configuration(), {"trainer.epochs": 1})
    asked = itertools.count()
    with pytest.raises(TrainingInterrupted):
        run(config, tmp_path, should_stop=lambda: next(asked) == 2)
    spent = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["spent"]
    assert spent == 1
    assert run(config, tmp_path)["seconds"] > spent


@pytest.mark.parametrize("keep", ["best", "last"])
def test_an_experiment_cut_between_its_weights_and_its_results_has_the_same_results(keep: str, tmp_path: Path) -> None:
    """The final weights are on disk, results.json is not: judged again, nothing trained."""
    config = with_settings(configuration(), {"trainer.keep": keep})
    whole = run(config, tmp_path)
    (tmp_path / "results.json").unlink()
    seen: list[int] = []
    assert timeless([run(config, tmp_path, lambda record: seen.append(record["epoch"]))]) == timeless([whole])
    assert seen == [1, 2, 3, 4]


def test_training_ends_when_validation_no_longer_improves_and_keeps_the_best_weights(tmp_path: Path) -> None:
    """A rate that soon throws the weights about: the best epoch lies behind, and its scores are the result's."""
    config = with_settings(
        configuration(),
        {
            "trainer.epochs": 40,
            "trainer.keep": "best",
            "trainer.patience": 3,
            "evaluation.every": 1,
            "trainer.ema": 0.0,
        },
    )
    config["optimizers"]["network"]["lr"] = 0.1
    for epoch in (2, 4):
        with pytest.raises(Killed):
            run(config, tmp_path, killed_after(epoch))
    results = run(config, tmp_path)
    scores = {record["epoch"]: record["scores"]["crps"] for record in read_lines(tmp_path / "history.jsonl")}
    best = min(scores, key=lambda epoch: scores[epoch])
    assert len(scores) == best + 3 < 40
    assert results["epoch_kept"] == best
    assert results["validation_scores"]["crps"] == pytest.approx(scores[best], rel=1e-5)


def test_bfloat16_trains_to_about_the_same_loss(tmp_path: Path) -> None:
    losses = []
    for precision in ("float32", "bf16"):
        run(with_settings(configuration(), {"trainer.precision": precision}), tmp_path / precision)
        losses.append(list(read_lines(tmp_path / precision / "history.jsonl"))[-1]["train_loss"]["loss"])
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_a_collapsed_model_is_named_in_log_and_results(tmp_path: Path) -> None:
    config = configuration()
    config["optimizers"]["network"] = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.0}
    config["model"] = {"_target_": "tests.support.tiny.Constant", "network": config["model"]["network"]}
    (trouble,) = run(config, tmp_path)["diagnostics"]
    assert "collapsed" in trouble
    assert "epochs 2 to 4, 2 times" in trouble
    assert "collapsed" in (tmp_path / "log.txt").read_text()


def test_a_history_line_without_its_checkpoint_is_written_again(tmp_path: Path) -> None:
    config = configuration()
    with pytest.raises(Killed):
        run(config, tmp_path, killed_after(2))
    append_line(tmp_path / "history.jsonl", {"epoch": 3, "seconds": 0.0, "images": 0})
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"epoch": 4, "secon')
    run(config, tmp_path)
    assert [record["epoch"] for record in read_lines(tmp_path / "history.jsonl")] == [1, 2, 3, 4]


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_history_and_another_seed_another(model: str, tmp_path: Path) -> None:
    config = configuration(**MODELS[model])
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(with_settings(config, {"seed": seed, "trainer.epochs": 1}), tmp_path / name)
    a, b, c = (timeless(read_lines(tmp_path / name / "history.jsonl")) for name in "abc")
    assert a == b != c


def test_a_finished_experiment_returns_at_once_and_reports_its_history(tmp_path: Path) -> None:
    config = configuration()
    first = run(config, tmp_path)
    before = (tmp_path / "checkpoint.pt").stat().st_mtime_ns
    seen: list[int] = []
    assert run(config, tmp_path, lambda record: seen.append(record["epoch"])) == first
    assert seen == [1, 2, 3, 4]
    assert (tmp_path / "checkpoint.pt").stat().st_mtime_ns == before


def test_scores_are_taken_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    run(with_settings(configuration(), {"trainer.epochs": 5}), tmp_path)
    scored = [record["epoch"] for record in read_lines(tmp_path / "history.jsonl") if "scores" in record]
    assert scored == [2, 4, 5]


@pytest.mark.parametrize(("images", "seen"), [(3, [0, 2, 5]), (1, [0]), (8, range(8)), (100, range(8))])
def test_an_evaluation_of_some_pairs_takes_them_from_all_over_their_list(
    images: int, seen: Sequence[int], tmp_path: Path
) -> None:
    """A list is often sorted by category: the first 32 of VISCHEMA PLUS are of 6 of its 18."""
    config = with_settings(configuration(), {"trainer.epochs": 1, "evaluation.images": images})
    config["model"] = {"_target_": "tests.support.tiny.Constant", "network": config["model"]["network"]}
    run(config, tmp_path)
    (record,) = read_lines(tmp_path / "history.jsonl")
    maps = dataset().validation.subset(seen).maps[:, :2].double() / 127.5 - 1
    assert record["scores"]["l1_rg"] == pytest.approx(maps.abs().mean().item(), abs=1e-6)
    assert record["scores"]["n"] == len(seen)


def test_the_test_pairs_are_looked_at_in_a_final_alone(tmp_path: Path) -> None:
    assert "test_scores" not in run(configuration(), tmp_path / "trial")
    assert not (tmp_path / "trial" / "predictions.npz").exists()
    final = run(configuration(test=True), tmp_path / "final")
    kept = np.load(tmp_path / "final" / "predictions.npz")
    data = dataset()
    again = score(unit(torch.from_numpy(kept["predictions"])), unit(data.test.maps))
    assert tuple(kept["names"]) == data.test.names
    assert again["l1"] == pytest.approx(final["test_scores"]["l1"], abs=1 / 255)
    rows = list(csv.DictReader((tmp_path / "final" / "scores.csv").open()))
    assert sum(float(row["l1"]) for row in rows) / len(rows) == pytest.approx(final["test_scores"]["l1"], rel=1e-5)


def test_a_learner_beats_the_map_that_ignores_the_image(tmp_path: Path) -> None:
    from vmsbench.metrics.baselines import score_baselines

    config = with_settings(configuration(), {"trainer.epochs": 60, "evaluation.every": 60})
    learned = run(config, tmp_path)["validation_scores"]["l1"]
    assert learned < 0.8 * float(score_baselines(dataset(), "validation")["pixel_median"]["l1"] or 0)


def test_one_epoch_lowers_what_a_hand_written_loop_lowers(tmp_path: Path) -> None:
    """Regression with SGD, no augmentation: the loop's weights equal those of four lines of torch."""
    config = configuration(augment={"_target_": "vmsbench.data.augmentation.NoAugmentation"})
    config["optimizers"] = {"network": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1}}
    config["model"]["network"] |= {"dropout": 0.0}
    config["trainer"] |= {"epochs": 1, "ema": 0.0, "clip": 0.0}
    config["trainer"]["lr_schedule"] = {"_target_": "vmsbench.training.lr_schedules.ConstantLR"}
    run(config, tmp_path)
    from vmsbench.models.regression import Regression
    from vmsbench.networks.unet import UNet

    torch.manual_seed(0)
    data = dataset().train
    network = Regression(lambda i, o, s, timed=False: UNet(i, o, s, timed, width=4), 2, 32).network
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    order = torch.randperm(len(data))
    for chosen in order[:20].split(5):
        image, target = data.images[chosen] / 127.5 - 1, data.maps[chosen, :2] / 127.5 - 1
        optimizer.zero_grad()
        (network(image) - target).abs().mean().backward()
        optimizer.step()
    trained = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["weights"]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(trained[f"network.{name}"], value)


def test_names_follow_what_changes_the_result() -> None:
    config = configuration()
    elsewhere = with_settings(config, {"device": "cuda", "data.root": "/elsewhere", "data.cache": "/c"})
    assert config_hash(config) == config_hash(elsewhere)
    assert config_hash(config) == config_hash(json.loads(json.dumps(config)))
    for changed in ({"seed": 1}, {"data.digest": "other"}, {"model.network.width": 5}, {"test": True}):
        assert config_hash(with_settings(config, changed)) != config_hash(config)


def test_a_folder_belongs_to_one_experiment(tmp_path: Path) -> None:
    run(with_settings(configuration(), {"trainer.epochs": 1}), tmp_path)
    with pytest.raises(ConfigurationError, match="holds another experiment"):
        run(configuration(), tmp_path)


def test_a_loss_that_is_no_number_stops_the_training_and_is_logged(tmp_path: Path) -> None:
    config = with_settings(configuration(), {"optimizers.network.lr": 1e30, "trainer.clip": 0.0, "trainer.ema": 0.0})
    with pytest.raises(Diverged, match="a lower lr may help"):
        run(config, tmp_path)
    assert "Diverged" in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model.network.width": 0}, "width=0"),
        ({"model.network.norm": "batsh"}, "did you mean batch"),
        ({"trainer.batch_size": 25}, "must lie between 1 and the 24 training pairs"),
        ({"trainer.epochs": 0}, "trainer.epochs=0"),
        ({"trainer.lr_schedule.warmup": 1.5}, "warmup=1.5"),
        ({"optimizers.network.lr": -1.0}, "optimizers.network: Invalid learning rate"),
        ({"optimizers.other": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 1.0}}, "the model trains"),
    ],
)
def test_what_cannot_work_is_said_before_any_training(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check(with_settings(configuration(), settings), channels=2, size=32, train=24)


def test_the_command_for_bare_machines_says_one_line_where_it_cannot_work(tmp_path: Path) -> None:
    save_json(tmp_path / "config.json", with_settings(configuration(), {"device": "cuda"}))
    command = [sys.executable, "-m", "vmsbench.experiment", str(tmp_path / "config.json"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if torch.cuda.is_available():
        assert done.returncode == 0
    else:
        assert (done.returncode, done.stderr) == (
            2,
            "error: device=cuda: torch sees no such GPU here; cpu and auto work\n",
        )
        assert "Traceback" in (tmp_path / "out" / "log.txt").read_text()


def test_saved_json_never_holds_what_json_cannot(tmp_path: Path) -> None:
    save_json(tmp_path / "a.json", {"x": float("nan"), "y": [float("inf"), 1.5], "z": (1, 2)})
    assert read_json(tmp_path / "a.json") == {"x": None, "y": [None, 1.5], "z": [1, 2]}
