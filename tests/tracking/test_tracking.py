"""The mirror: real MLflow on SQLite, sweeps written by hand as the experiments write them."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest

import vmsbench
from tests.support.nightly import few_by_day
from tests.support.processes.commands import a_command, each_job
from tests.support.processes.running import command, surroundings
from tests.support.sweeps.tracked import (
    START,
    TRIALS,
    WIDTH,
    append,
    begin,
    begin_sweep,
    content,
    finish,
    half_a_sweep,
    whole_sweep,
    write,
)
from tests.support.tiny import configuration, dataset
from vmsbench import experiment
from vmsbench.errors import ConfigurationError, masked
from vmsbench.store.experiments import FinalRecord, TrialRecord
from vmsbench.store.reader import read_sweep
from vmsbench.store.runs_folder import check_name
from vmsbench.store.values import milliseconds
from vmsbench.tracking.mlflow.fetch import fetched, folder_of_run
from vmsbench.tracking.mlflow.runs import flat, records
from vmsbench.tracking.mlflow.server import compared, healthy
from vmsbench.tracking.mlflow.tracker import MlflowTracker
from vmsbench.tracking.tracker import TrackingError
from vmsbench.versions import PUBLIC


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def store(sweep: Path) -> str:
    return f"sqlite:///{sweep.parent}/mlflow.db"


# The records: plain data


def trainings(sweep: Path) -> list[TrialRecord | FinalRecord]:
    found = read_sweep(sweep)
    return [*found.trials, *found.finals]


def test_each_training_starts_when_the_journal_says_that_it_was_begun(tmp_path: Path) -> None:
    sweep = half_a_sweep(tmp_path)
    begin(sweep, "ffffffffffff", width=8, at=START + 43, folder="final", seed=7)
    began = [START, START + 10, START + 20, START + 43]
    assert [experiment.started for experiment in trainings(sweep)] == [1000 * at for at in began]


def test_a_cut_last_line_and_missing_files_are_tolerated(tmp_path: Path) -> None:
    sweep = half_a_sweep(tmp_path)
    with open(sweep / "trials" / TRIALS[2] / "history.jsonl", "a") as file:
        file.write('{"epoch": 3, "sec')
    (sweep / "baselines.json").unlink()
    (sweep / "trials" / "eeeeeeeeeeee").mkdir()
    running = read_sweep(sweep).trials[2]
    assert [epoch.number for epoch in running.history] == [1, 2]
    assert [record.key for record in records(read_sweep(sweep))] == ["sweep", *(f"trials/{trial}" for trial in TRIALS)]


def test_an_empty_folder_is_not_mirrored(tmp_path: Path) -> None:
    MlflowTracker().sync(tmp_path)
    assert not list(tmp_path.iterdir())


def test_settings_are_flat_and_a_class_is_its_name() -> None:
    config = {"model": {"_target_": "a.b.UNet", "_partial_": True, "widths": [1, 2], "norm": None, "name": "x"}}
    steps = {"steps": [{"_target_": "a.Flip", "p": 0.5}, {"_target_": "a.Warp"}]}
    assert dict(flat(steps)) == {"steps": "(Flip(p=0.5), Warp())"}
    assert dict(flat(config)) == {"model": "UNet", "model.widths": "[1, 2]", "model.norm": "null", "model.name": "x"}


def test_times_are_read_as_seconds_or_iso() -> None:
    assert milliseconds(START) == milliseconds("2023-11-14T22:13:20+00:00") == 1_700_000_000_000
    assert milliseconds(None) is milliseconds("yesterday") is None


def test_epochs_without_a_time_get_one_that_never_changes(tmp_path: Path) -> None:
    sweep = begin_sweep(tmp_path)
    folder = begin(sweep, TRIALS[0], width=8, at=START)
    for epoch in (1, 2):
        append(folder / "history.jsonl", epoch=epoch, seconds=1.5 * epoch, train_loss={"loss": 1.0})
    first = records(read_sweep(sweep))[1].curve
    append(folder / "history.jsonl", epoch=3, seconds=4.5, train_loss={"loss": 1.0})
    assert records(read_sweep(sweep))[1].curve[:2] == first
    assert [point.time - 1000 * START for point in first] == [1500, 3000]


def test_the_status_of_runs_is_the_truth(tmp_path: Path) -> None:
    sweep = half_a_sweep(tmp_path)

    def statuses() -> list[str]:
        return [record.status for record in records(read_sweep(sweep))]

    assert statuses() == ["RUNNING", "FINISHED", "KILLED", "RUNNING"]
    append(sweep / "journal.jsonl", event="interrupted", time=START + 25)
    assert statuses() == ["KILLED", "FINISHED", "KILLED", "KILLED"]
    append(sweep / "journal.jsonl", event="started", time=START + 30, trial=TRIALS[2], params={}, parameter=None)
    assert statuses() == ["RUNNING", "FINISHED", "KILLED", "RUNNING"]
    finish(sweep)
    assert statuses() == ["FINISHED", "FINISHED", "KILLED", "FAILED", "FINISHED"]


# MLflow


def test_a_finished_sweep_as_mlflow_shows_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sweep = whole_sweep(tmp_path)
    MlflowTracker().sync(sweep)
    assert capfd.readouterr() == ("", "")
    shown = content(store(sweep))
    parent, first, final = (shown[key] for key in ("sweep", f"trials/{TRIALS[0]}", "final/ffffffffffff"))
    assert {key: run["status"] for key, run in shown.items()} == {
        "sweep": "FINISHED",
        f"trials/{TRIALS[0]}": "FINISHED",
        f"trials/{TRIALS[1]}": "KILLED",
        f"trials/{TRIALS[2]}": "FAILED",
        "final/ffffffffffff": "FINISHED",
    }
    assert {run["parent"] for key, run in shown.items() if key != "sweep"} == {"sweep"}
    assert parent["name"] == "unet"
    assert parent["params"] | {f"winner.{WIDTH}": "8", "searcher": "Parameter"} == parent["params"]
    assert parent["metrics"]["baselines/pixel_median/validation/l1"] == [(0, 1000 * START, 0.2)]
    assert parent["metrics"]["test/l1"] == [(1, 1000 * (START + 61), 0.12)]
    assert parent["files"] == ["baselines.json", "journal.jsonl", "splits.json", "sweep.json"]
    assert first["params"] | {WIDTH: "8", "model.network": "UNet", "model.long": "x" * 6000} == first["params"]
    assert first["metrics"]["train/loss"] == [(e, 1000 * (START + 2 * e), 0.5 / e) for e in range(1, 5)]
    assert first["metrics"]["validation/l1"] == [(e, 1000 * (START + 2 * e), 0.4 / e) for e in (2, 4)]
    assert first["files"] == ["checkpoint.pt", "config.json", "results.json", "samples.png"]
    assert first["times"] == (1000 * START, 1000 * (START + 9))
    assert first["tags"] | {"family": "unet", "parameter": WIDTH, "status": "complete"} == first["tags"]
    assert shown[f"trials/{TRIALS[1]}"]["tags"]["cause"] == "ASHA: rung 2"
    assert shown[f"trials/{TRIALS[1]}"]["files"] == ["config.json", "samples.png"]
    assert final["tags"]["kind"] == "final"
    assert (tmp_path / "mlartifacts").is_dir()
    for written in tmp_path.iterdir():  # next to the sweeps, and so no sweep's name
        if written != sweep:
            with pytest.raises(ConfigurationError):
                check_name(written.name)


@pytest.mark.parametrize(("said", "sweep_is"), [("CANCELLED|0:9|n1", "KILLED"), ("RUNNING|0:0|n1", "RUNNING")])
def test_the_runs_of_a_job_that_was_killed_are_closed_at_the_next_look(
    said: str, sweep_is: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock that the job leaves on a node of its own is still fresh: its cluster says that it is over."""
    for name, script in {"sacct": each_job(said), "squeue": "exit 1", "scontrol": "exit 1"}.items():
        a_command(tmp_path / "bin", name, script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    sweep = half_a_sweep(tmp_path)
    MlflowTracker().sync(sweep)
    owner = {"host": "n1", "pid": 1, "begun": "x", "token": "t", "job": "7", "restarts": 0}
    write(sweep / "lock", owner | {"launcher": {"_target_": PUBLIC["Slurm launcher"]}})
    append(sweep / "jobs.jsonl", event="began", time=START, job="7", launcher={"_target_": PUBLIC["Slurm launcher"]})
    assert content(store(sweep))["sweep"]["status"] == "RUNNING"
    vmsbench.sync(runs=tmp_path)
    assert content(store(sweep))["sweep"]["status"] == sweep_is
    assert content(store(sweep))[f"trials/{TRIALS[2]}"]["status"] == sweep_is


def test_a_sweep_mirrored_in_pieces_is_the_sweep_mirrored_at_once(tmp_path: Path) -> None:
    pieces = half_a_sweep(tmp_path / "pieces")
    MlflowTracker().sync(pieces)
    append(pieces / "journal.jsonl", event="interrupted", time=START + 25)
    MlflowTracker().sync(pieces)
    assert content(store(pieces))["sweep"]["status"] == "KILLED"
    finish(pieces)
    MlflowTracker().sync(pieces)
    once = f"sqlite:///{tmp_path}/once.db"
    MlflowTracker(once, artifacts=tmp_path / "once").sync(pieces)
    assert content(store(pieces)) == content(once)


@pytest.mark.parametrize("loss", [None, "{", '{"store": 1}'], ids=["deleted", "cut", "foreign"])
def test_a_lost_offset_file_doubles_nothing(loss: str | None, tmp_path: Path) -> None:
    sweep = whole_sweep(tmp_path)
    MlflowTracker().sync(sweep)
    before = content(store(sweep))
    (sweep / "mlflow.json").unlink()
    if loss is not None:
        (sweep / "mlflow.json").write_text(loss)
    MlflowTracker().sync(sweep)
    assert content(store(sweep)) == before


def test_a_run_deleted_by_its_user_comes_back_with_the_next_news(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    sweep = half_a_sweep(tmp_path)
    MlflowTracker().sync(sweep)
    noted = json.loads((sweep / "mlflow.json").read_text())["runs"]
    MlflowClient(tracking_uri=store(sweep)).delete_run(noted[f"trials/{TRIALS[2]}"]["run"])
    finish(sweep)
    MlflowTracker().sync(sweep)
    assert content(store(sweep))[f"trials/{TRIALS[2]}"]["status"] == "FAILED"
    MlflowClient(tracking_uri=store(sweep)).delete_run(noted["sweep"]["run"])
    MlflowTracker().sync(sweep)
    assert content(store(sweep))[f"trials/{TRIALS[2]}"]["parent"] == "sweep"


@pytest.mark.slow
def test_a_deleted_database_is_rebuilt_from_the_folders(tmp_path: Path) -> None:
    sweep = whole_sweep(tmp_path)
    MlflowTracker().sync(sweep)
    before = content(store(sweep))
    (tmp_path / "mlflow.db").rename(tmp_path / "old.db")
    in_another_process(f"MlflowTracker().sync(Path({str(sweep)!r}))")
    (tmp_path / "mlflow.db").rename(tmp_path / "new.db")
    assert content(f"sqlite:///{tmp_path}/new.db") == before


@pytest.mark.slow
def test_several_sweeps_begin_on_a_new_database_at_once(tmp_path: Path) -> None:
    sweeps = [begin_sweep(tmp_path, name) for name in ("unet", "gan", "diffusion")]
    for sweep in sweeps:
        begin(sweep, TRIALS[0], width=8, at=START)
    at_once = [
        threading.Thread(target=in_another_process, args=(f"MlflowTracker().sync(Path({str(sweep)!r}))",))
        for sweep in sweeps
    ]
    for thread in at_once:
        thread.start()
    for thread in at_once:
        thread.join()
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store(sweeps[0]))
    experiment = client.get_experiment_by_name("vmsbench")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(r.info.run_name for r in runs if r.data.tags["kind"] == "sweep") == ["diffusion", "gan", "unet"]
    assert len(runs) == 6


def in_another_process(code: str) -> None:
    head = "from pathlib import Path; from vmsbench.tracking.mlflow.tracker import MlflowTracker; "
    subprocess.run([sys.executable, "-c", head + code], check=True, cwd=Path(__file__).parents[2], env=os.environ)


def test_a_server_that_is_down_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = half_a_sweep(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")
    tracker = MlflowTracker()
    with pytest.raises(TrackingError) as caught:
        tracker.sync(sweep)
    assert str(caught.value) == f"MLflow at http://me:***@127.0.0.1:{port}: the server does not answer"
    assert "secret" not in tracker.link()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    tracker.sync(sweep)
    assert content(store(sweep))["sweep"]["status"] == "RUNNING"


def test_where_the_runs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/runs/mlflow.db"
    assert MlflowTracker().link() == f"vmsbench ui   # or: {own}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert MlflowTracker().link() == "http://server:5000"
    there = (
        "MLFLOW_TRACKING_URI='sqlite:////a b.db' vmsbench ui   # or: mlflow ui --backend-store-uri 'sqlite:////a b.db'"
    )
    assert MlflowTracker("sqlite:////a b.db").link() == there
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    tracker = MlflowTracker()
    tracker.sync(begin_sweep(tmp_path / "else where"))
    assert tracker.link().startswith(
        "vmsbench ui --runs 'else where'   # or: mlflow ui --backend-store-uri 'sqlite:///"
    )
    assert masked("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


# What people do with it


def trained_sweep(runs: Path) -> tuple[Path, Path]:
    """A sweep whose winner and final are real trainings of a second."""
    sweep = begin_sweep(runs)
    for name, folder, seed in ((TRIALS[0], "trials", 0), ("ffffffffffff", "final", 1000)):
        begin(sweep, name, width=4, at=START, folder=folder, seed=seed)
        (sweep / folder / name / "config.json").unlink()
        config = configuration(seed=seed, test=folder == "final")
        config["trainer"]["epochs"], config["evaluation"]["every"] = 20, 1
        experiment.run(config, sweep / folder / name)
        append(
            sweep / "journal.jsonl",
            event="finished",
            time=START + 9,
            trial=name,
            state="complete",
            score=0.1,
            epoch=2,
            seconds=9.0,
        )
    append(sweep / "journal.jsonl", event="winner", time=START + 42, trial=TRIALS[0], params={WIDTH: 4}, score=0.1)
    return sweep, sweep / "final" / "ffffffffffff"


@pytest.mark.slow
def test_models_data_and_pictures_are_there_for_mlflows_own_ways_of_using_them(tmp_path: Path) -> None:
    import mlflow
    from mlflow import MlflowClient

    sweep, final = trained_sweep(tmp_path)
    MlflowTracker().sync(sweep)
    (sweep / "mlflow.json").unlink()
    MlflowTracker().sync(sweep)
    client = MlflowClient(tracking_uri=store(sweep))
    run_id = json.loads((sweep / "mlflow.json").read_text())["runs"]["final/ffffffffffff"]["run"]
    (data,) = client.get_run(run_id).inputs.dataset_inputs
    assert (data.dataset.digest, data.dataset.name) == ("d1", "VISCHEMA PLUS, 64 px")
    pictures = [file.path for file in client.list_artifacts(run_id, "images") if file.path.endswith(".png")]
    epochs = sorted(int(path.split("step+")[1].split("+")[0]) for path in pictures)
    assert epochs == sorted(int(file.stem) for file in (final / "samples").iterdir())
    assert (len(epochs), epochs[-1]) == (2, 20)
    mlflow.set_tracking_uri(store(sweep))
    model = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    test = dataset().test
    maps = model.predict(test.images.permute(0, 2, 3, 1).contiguous().numpy())
    with np.load(final / "predictions.npz") as kept:
        assert np.array_equal(maps[..., :2].transpose(0, 3, 1, 2), kept["predictions"])
    assert model.predict(np.zeros((2, 50, 90, 3), np.uint8)).shape == (2, 50, 90, 3)
    assert folder_of_run(run_id, tmp_path) == final
    copy = fetched(run_id, tmp_path)
    assert (copy / "checkpoint.pt").read_bytes() == (final / "checkpoint.pt").read_bytes()
    with pytest.raises(TrackingError):
        fetched("0" * 32, tmp_path)


def test_a_sweep_that_was_killed_leaves_no_running_runs_after_a_sync(tmp_path: Path) -> None:
    """Its last word is a trial's start, and the process that its lock names is gone."""
    sweep = half_a_sweep(tmp_path)
    MlflowTracker().sync(sweep)
    assert {run["status"] for run in content(store(sweep)).values()} == {"RUNNING", "FINISHED", "KILLED"}
    MlflowTracker().sync(sweep, alive=False)
    shown = content(store(sweep))
    assert {run["status"] for run in shown.values()} == {"FINISHED", "KILLED"}
    assert shown[f"trials/{TRIALS[2]}"]["tags"]["cause"] == "the sweep was interrupted"
    finish(sweep)
    MlflowTracker().sync(sweep, alive=False)
    assert content(store(sweep))["sweep"]["status"] == "FINISHED"


def test_a_single_final_is_compared_with_the_trials(tmp_path: Path) -> None:
    sweep = whole_sweep(tmp_path)
    MlflowTracker().sync(sweep)
    noted = json.loads((sweep / "mlflow.json").read_text())["runs"]
    runs = {key: entry["run"] for key, entry in noted.items() if key != "sweep"}
    assert compared([sweep])[0] == runs["final/ffffffffffff"]
    assert set(compared([sweep])) == set(runs.values())
    begin(sweep, "eeeeeeeeeeee", width=8, at=START + 43, folder="final", seed=8)
    MlflowTracker().sync(sweep)
    assert len(compared([sweep])) == 2


@pytest.mark.slow
@pytest.mark.parametrize("end", few_by_day([signal.SIGINT, signal.SIGHUP], signal.SIGINT), ids=["ctrl-c", "ssh ends"])
def test_the_pages_open_on_the_comparison_and_their_end_leaves_no_server(end: signal.Signals, tmp_path: Path) -> None:
    sweep = whole_sweep(tmp_path / "runs")
    begin(sweep, "eeeeeeeeeeee", width=8, at=START + 43, folder="final", seed=8)
    process = subprocess.Popen(
        command("ui", "--tcp", "--port", "5600"), cwd=tmp_path, env=surroundings(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = []
    while not said or not said[-1].startswith("Ctrl-C"):
        said.append(process.stdout.readline())
        assert said[-1], "it ended before it served"
    links = [line.strip() for line in said if "http://" in line]
    noted = json.loads((sweep / "mlflow.json").read_text())["runs"]
    assert all(noted[key]["run"] in links[1] for key in noted if key.startswith("final/"))
    assert any(line.strip().startswith("ssh -L 56") for line in said)
    base = links[0].partition("/#")[0]
    with urlopen(f"{base}/health") as answer:
        assert answer.status == 200
    process.send_signal(end)
    assert process.wait(30) == 0
    with pytest.raises(OSError, match="refused"):
        urlopen(f"{base}/health", timeout=2)


@pytest.mark.slow
def test_the_pages_are_served_on_a_socket_that_its_owner_alone_can_open(tmp_path: Path) -> None:
    whole_sweep(tmp_path / "runs")
    words = command("ui", "--port", "5711")
    process = subprocess.Popen(words, cwd=tmp_path, env=surroundings(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = []
    while not said or not said[-1].startswith("Ctrl-C"):
        said.append(process.stdout.readline())
        assert said[-1], "it ended before it served"
    found = re.search(r"ssh -L 5711:(/\S+) \S+@", "".join(said))
    assert found, said
    place = Path(found[1])
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert healthy(5711, place)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 5711)) != 0, "nobody listens on the port"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert not place.parent.exists()
