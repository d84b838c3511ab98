"""The mirror in MLflow: as the folders say, however often and from wherever it is made."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.test_sweep import CONFIG, settings
from tests.tiny import configuration
from vmsbench.experiment import run
from vmsbench.files import append_line, read_json
from vmsbench.tracking.background import Background
from vmsbench.tracking.mlflow_mirror import MlflowTracker, flat
from vmsbench.tracking.tracker import Tracker, Untracked
from vmsbench.tuning.stopping import Stopping
from vmsbench.tuning.study import tune
from vmsbench.tuning.work import Watcher, Work


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep of four trials and one final, and a trial that was stopped."""
    runs = tmp_path_factory.mktemp("mirror") / "runs"

    def driver(work: Work, stopping: Stopping) -> bool:
        number = 0
        while (trial := work.ask()) is not None:
            run(trial.config, trial.folder)
            stopped = number == 1 and trial.coordinate is not None
            if stopped:
                (trial.folder / "results.json").unlink()
            work.tell(trial, "ASHA at epoch 2" if stopped else None, None)
            number += 1
        return work.finished

    tune(settings(), runs / "mine", runs, Watcher(), driver, "vmsbench tune", False)
    return runs


@pytest.fixture
def runs(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Path(shutil.copytree(original, tmp_path / "runs"))


def content(runs: Path) -> dict[str, Any]:
    """All that MLflow holds, by the runs' names, without what MLflow makes up."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{runs / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("vmsbench")
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    names = {one.info.run_id: one.info.run_name for one in found}
    return {
        one.info.run_name: {
            "status": one.info.status,
            "params": one.data.params,
            "metrics": {
                name: [
                    (point.step, point.timestamp, point.value)
                    for point in client.get_metric_history(one.info.run_id, name)
                ]
                for name in one.data.metrics
            },
            "parent": names.get(one.data.tags.get("mlflow.parentRunId")),
            "tags": {name: value for name, value in one.data.tags.items() if not name.startswith("mlflow.")},
            "artifacts": sorted(file.path for file in client.list_artifacts(one.info.run_id)),
        }
        for one in found
    }


@pytest.mark.slow
def test_the_mirror_shows_what_the_folders_hold(runs: Path) -> None:
    MlflowTracker(runs).sync(runs / "mine", over=True)
    seen = content(runs)
    parent = seen.pop("mine")
    assert parent["status"] == "FINISHED"
    assert {"sweep.json", "journal.jsonl", "splits.json"} <= set(parent["artifacts"])
    assert len(seen) == 5
    assert {one["parent"] for one in seen.values()} == {"mine"}
    trials = {name: one for name, one in seen.items() if name != "seed 1000"}
    assert sorted(one["tags"]["status"] for one in trials.values()) == ["complete"] * 3 + ["stopped"]
    assert {one["tags"]["coordinate"] for one in trials.values()} == {"model.network.width", "optimizers.network.lr"}
    for name, one in trials.items():
        history = list(map(dict, read_history(runs / "mine" / "trials" / name)))
        assert [step for step, _, _ in one["metrics"]["train/loss"]] == [record["epoch"] for record in history]
        assert [value for *_, value in one["metrics"]["train/loss"]] == [record["train"]["loss"] for record in history]
        assert one["metrics"]["validation/l1_unit"][0][2] == history[1]["scores"]["l1_unit"]
        assert {"samples.png", "checkpoint.pt", "config.json"} <= set(one["artifacts"])
        assert one["params"]["model.network.width"] in ("2", "4", "6")
        assert one["params"]["model"] == "Regression"
    results = read_json(next((runs / "mine" / "final").glob("*/results.json")))
    assert seen["seed 1000"]["metrics"]["test_final/l1"][0][2] == results["test"]["l1"]


def read_history(trial: Path) -> list[dict[str, Any]]:
    from vmsbench.files import read_lines

    return list(read_lines(trial / "history.jsonl"))


@pytest.mark.slow
def test_syncing_again_and_without_its_notes_changes_nothing(runs: Path) -> None:
    MlflowTracker(runs).sync(runs / "mine", over=True)
    first = content(runs)
    MlflowTracker(runs).sync(runs / "mine", over=True)
    assert content(runs) == first
    (runs / "mine" / "mlflow.json").unlink()
    MlflowTracker(runs).sync(runs / "mine", over=True)
    assert content(runs) == first


@pytest.mark.slow
def test_the_mirror_can_be_rebuilt_from_the_folders(runs: Path) -> None:
    MlflowTracker(runs).sync(runs / "mine", over=True)
    first = content(runs)
    (runs / "mlflow.db").unlink()
    MlflowTracker(runs).sync(runs / "mine", over=True)
    assert content(runs) == first


@pytest.mark.slow
def test_a_running_trial_grows_and_an_interrupted_one_is_no_zombie(runs: Path) -> None:
    sweep = runs / "mine"
    for trial in (sweep / "trials").iterdir():
        (trial / "results.json").unlink(missing_ok=True)
    journal = (sweep / "journal.jsonl").read_text().splitlines(keepends=True)
    (sweep / "journal.jsonl").write_text("".join(line for line in journal if '"started"' in line))
    shutil.rmtree(sweep / "final")
    tracker = MlflowTracker(runs)
    tracker.sync(sweep)
    assert {one["status"] for one in content(runs).values()} == {"RUNNING"}
    trial = next((sweep / "trials").iterdir())
    append_line(trial / "history.jsonl", {"epoch": 3, "time": time.time(), "seconds": 1.0, "train": {"loss": 0.5}})
    tracker.sync(sweep)
    assert [step for step, *_ in content(runs)[trial.name]["metrics"]["train/loss"]] == [1, 2, 3]
    tracker.sync(sweep, over=True)
    assert {one["status"] for one in content(runs).values()} == {"KILLED"}
    tracker.sync(sweep)
    assert {one["status"] for one in content(runs).values()} == {"RUNNING"}


def test_a_server_that_is_down_costs_one_warning(tmp_path: Path) -> None:
    class Down(Tracker):
        def sync(self, sweep: Path, over: bool = False) -> None:
            raise ConnectionError("refused")

        def link(self) -> str:
            return ""

    (tmp_path / "sweep.json").write_text("{}")
    warnings: list[str] = []
    background = Background(Down(), tmp_path, warnings.append, seconds=0.01)
    time.sleep(0.1)
    background.close()
    (warning,) = warnings
    assert "refused" in warning
    assert "vmsbench sync" in warning


def test_the_last_sync_sees_the_end(tmp_path: Path) -> None:
    class Counted(Untracked):
        calls: list[bool] = []  # noqa: RUF012

        def sync(self, sweep: Path, over: bool = False) -> None:
            self.calls.append(over)

    (tmp_path / "sweep.json").write_text("{}")
    Background(Counted(), tmp_path, print, seconds=100).close()
    assert Counted.calls == [True]


def test_settings_are_told_by_their_paths() -> None:
    params = dict(flat(configuration()))
    assert params["optimizers.network"] == "Adam"
    assert params["optimizers.network.lr"] == "0.01"
    assert params["trainer.epochs"] == "4"
    assert not any("_target_" in name or "_partial_" in name for name in params)
    assert CONFIG["trainer"]["epochs"] == 2
