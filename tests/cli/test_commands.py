"""The commands as a user types them, with real Ray: whole, killed, interrupted, mistaken."""

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import called
from tests.support.nightly import few_by_day
from tests.support.processes.running import (
    SMALL,
    TWO_TRIALS,
    events,
    family_of,
    is_done,
    kill_everything,
    send,
    started,
    vmsbench,
    wait_for,
)
from tests.support.wide import widest
from vmsbench.files import read_json, read_lines
from vmsbench.store.experiment_folder import INTERRUPTION


@pytest.mark.slow
def test_a_tune_killed_with_9_finishes_with_the_same_winner_and_trains_nothing_twice(tmp_path: Path) -> None:
    arguments = ["tune", "--exp", "unet", "--cpus", "2", *SMALL]
    (tmp_path / "whole").mkdir()
    whole = vmsbench(*arguments, cwd=tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr + whole.stdout
    expected = tmp_path / "whole" / "runs" / "unet"
    cut = tmp_path / "cut"
    cut.mkdir()
    folder = cut / "runs" / "unet"
    process = started(arguments, cut)
    wait_for(lambda: len(events(folder, "finished")) >= 2, process, cut)
    kill_everything(process)
    survivors = {trial.name: read_lines_of(trial) for trial in (folder / "trials").glob("*") if is_done(trial)}
    last = vmsbench(*arguments, cwd=cut)
    assert last.returncode == 0, last.stderr + last.stdout
    for name, before in survivors.items():
        assert read_lines_of(folder / "trials" / name) == before, "a configuration was trained twice"
    for kind in ("winner", "settled"):
        kept = ("trial", "params", "score", "parameter", "value")
        ends = [[{n: e.get(n) for n in kept} for e in events(one, kind)] for one in (expected, folder)]
        assert ends[0] == ends[1]
    assert [e["scores"]["l1"] for e in events(expected, "final")] == [
        e["scores"]["l1"] for e in events(folder, "final")
    ]


def read_lines_of(trial: Path) -> str:
    return (trial / "history.jsonl").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("stop", few_by_day([signal.SIGINT, signal.SIGTERM, signal.SIGUSR1], signal.SIGINT))
def test_a_tune_asked_to_stop_saves_and_says_how_to_go_on(stop: signal.Signals, tmp_path: Path) -> None:
    arguments = ["tune", "--exp", "unet", "--cpus", "2", *SMALL, "trainer.epochs=400"]
    process = started(arguments, tmp_path)
    folder = tmp_path / "runs" / "unet"
    wait_for(lambda: list(folder.glob("trials/*/history.jsonl")), process, tmp_path)
    process.send_signal(stop)
    assert process.wait(timeout=60) == 75
    assert "to continue:\n  vmsbench tune --exp unet" in (tmp_path / "log").read_text()
    assert events(folder, "interrupted")
    running = {event["trial"] for event in events(folder, "started")}
    assert {trial for trial in running if (folder / "trials" / trial / INTERRUPTION).exists()} == running
    assert not (folder / "lock").exists()


@pytest.mark.slow
def test_a_train_asked_to_stop_goes_on_at_the_same_step(tmp_path: Path) -> None:
    command = ["train", "--exp", "unet", *SMALL, "trainer.epochs=400"]
    process = started(command, tmp_path)
    wait_for(lambda: list(tmp_path.glob("runs/single/*/history.jsonl")), process, tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 75
    assert "to continue:\n  vmsbench train --exp unet" in (tmp_path / "log").read_text()
    (log,) = tmp_path.glob("runs/single/*/log.txt")
    assert "stopped at step" in log.read_text()
    process = started(command, tmp_path)
    wait_for(lambda: log.read_text().count(" on cpu of ") == 2, process, tmp_path)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) in (75, 130)


@pytest.mark.slow
def test_a_signal_to_every_process_of_the_job_is_a_graceful_stop_too(tmp_path: Path) -> None:
    """What `timeout`, and Slurm with linuxproc, do: Ray's own processes are sent it as well."""
    process = started(["tune", "--exp", "unet", "--cpus", "2", *SMALL, "trainer.epochs=400"], tmp_path)
    folder = tmp_path / "runs" / "unet"
    wait_for(lambda: list(folder.glob("trials/*/history.jsonl")), process, tmp_path)
    send(signal.SIGTERM, family_of(process))
    assert process.wait(timeout=60) == 75, (tmp_path / "log").read_text()
    assert events(folder, "interrupted")


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_goes_on_and_is_not_counted_as_failed(tmp_path: Path) -> None:
    process = started(["tune", "--exp", "unet", "--cpus", "2", *SMALL, "trainer.epochs=12"], tmp_path)
    folder = tmp_path / "runs" / "unet"
    wait_for(lambda: list(folder.glob("trials/*/history.jsonl")), process, tmp_path)
    workers = [pid for pid in family_of(process) if Path(f"/proc/{pid}/cmdline").read_text().startswith("ray::Impl")]
    assert workers
    send(signal.SIGKILL, workers)
    assert process.wait(timeout=200) == 0, (tmp_path / "log").read_text()
    assert {event["state"] for event in events(folder, "finished")} <= {"complete", "pruned"}


@pytest.mark.slow
def test_the_whole_way_from_tuning_to_the_report(tmp_path: Path) -> None:
    for exp in ("unet", "gan"):
        done = vmsbench("tune", "--exp", exp, "--cpus", "2", *SMALL[:-1], TWO_TRIALS, cwd=tmp_path)
        assert done.returncode == 0, done.stderr + done.stdout
        assert "settled model.network.width=" in done.stdout
    assert (tmp_path / "runs" / "mlflow.db").exists()
    again = vmsbench("tune", "--exp", "gan", "--cpus", "2", *SMALL[:-1], TWO_TRIALS, cwd=tmp_path)
    assert again.returncode == 0
    assert "started" not in again.stdout
    report = vmsbench("report", cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    page = tmp_path / "reports" / "all" / "index.html"
    assert "Pixel median" in page.read_text()
    sync = vmsbench("sync", cwd=tmp_path)
    assert "mlflow ui --backend-store-uri sqlite:" in sync.stdout


@pytest.mark.slow
def test_one_configuration_is_trained_and_held_against_a_blind_map(tmp_path: Path) -> None:
    done = vmsbench("train", "--exp", "unet", *SMALL, "--seed", "3", "--epochs", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 2/2" in done.stdout
    assert "pixel median, which ignores the image: L1" in done.stdout
    (config,) = (tmp_path / "runs" / "single").glob("*/config.json")
    assert read_json(config)["seed"] == 3


def test_data_can_be_made_and_checked(tmp_path: Path) -> None:
    made = vmsbench("data", "standin", "here", "--count", "40", "--size", "32", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    checked = vmsbench("data", "check", "here", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert widest(checked.stdout.splitlines()) <= 80
    assert (tmp_path / "pairs.png").exists()
    (tmp_path / "here" / "vms" / next((tmp_path / "here" / "vms").iterdir()).name).write_bytes(b"")
    broken = vmsbench("data", "check", "here", cwd=tmp_path)
    assert broken.returncode == 1
    assert "empty" in broken.stdout
    assert "a sweep that uses one of these refuses it; replace each, or remove it" in " ".join(broken.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tune", "--exp", "unet"], "data=standin"),
        (["tune", "--exp", "unett", "data=standin"], "did you mean unet"),
        (["tune", "--exp", "unet", "data.root=/nowhere"], "/nowhere"),
        (["tune", "--exp", "unet", "data=standin", "trainer.epoch=2"], "did you mean trainer.epochs"),
        (["tune", "--exp", "unet", "data=standin", "+x=1"], "write x=VALUE"),
        (["tune", "--exp", "unet", "--gpus", "99", "data=standin"], "--gpus 99: torch sees"),
        (["tune", "--exp", "unet", "--cpus", "0", "data=standin"], "--cpus 0: at least 1"),
        (["tune", "--exp", "unet", "--name", "a/b", "data=standin"], "--name a/b"),
        (["tune", "--exp", "unet", "--name", "a/b", "--dry-run", "data=standin"], "--name a/b"),
        (["plan", "--exp", "unet", "--name", "single", "data=standin"], "--name single"),
        (["tune", "--exp", "unet", "--name", "", "data=standin"], "--name : a sweep's name"),
        (["tune", "--exp", "unet", "--name", "a\nb", "data=standin"], r"--name a\\nb: a sweep's name"),
        (["tune", "--exp", "unet", "--name", 121 * "a", "data=standin"], "--name a*: a sweep's name"),
        (
            ["train", "--exp", "unet", "--runs", "r\udce9ns", "data=standin"],
            r"--runs .*/r\\xe9ns: this path is not UTF-8",
        ),
        (["sync", "--runs", "r\udce9ns"], r"--runs .*/r\\xe9ns: this path is not UTF-8"),
        (["status", "--runs", "a\nb"], r"--runs .*/a\\nb: this path is not UTF-8 on one line"),
        (["tune", "--exp", "unet", "--epochs", "0", "data=standin", "data.count=40"], "trainer.epochs=0"),
        (["tune", "--exp", "unet", "--runs", "/proc/none", "data=standin"], "choose another folder by --runs"),
        (["tune", "--exp", "unet", "--nonsense"], "No such option"),
        (["tune", "--exp", "unet", "launcher=slurm", "data=standin"], "sbatch not found"),
        (["report", "nothing"], "nothing"),
        (["sync", "nothing"], "no sweep nothing"),
        (["data", "check", "/nowhere"], "/nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(tmp_path, monkeypatch)
    done = called(*arguments)
    assert done.code == 2, done
    assert done.err.startswith("error: ")
    assert len(done.err.splitlines()) == 1
    assert re.search(said, done.err)
    assert "Traceback" not in done.out


def test_a_mistake_is_the_same_line_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake = ["tune", "--exp", "unet", "data=standin", "trainer.epoch=2"]
    done = vmsbench(*mistake, cwd=tmp_path)
    alone(tmp_path, monkeypatch)
    here = called(*mistake)
    assert (done.returncode, done.stdout, done.stderr) == (here.code, here.out, here.err)


def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder, with no variable of vmsbench or MLflow, and no program of a cluster on the path."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    for name in [name for name in os.environ if name.startswith(("VMSBENCH", "MLFLOW"))]:
        monkeypatch.delenv(name)


@pytest.mark.slow
@pytest.mark.nightly
def test_finals_killed_with_9_are_finished_by_the_same_command_and_none_is_trained_twice(tmp_path: Path) -> None:
    done = vmsbench("tune", "--exp", "unet", "--cpus", "2", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    folder = tmp_path / "runs" / "unet"
    arguments = ["final", "unet", "tracker=none", "--top", "2", "--seeds", "2", "--cpus", "1"]
    process = started(arguments, tmp_path)
    wait_for(lambda: len(events(folder, "final")) >= 2, process, tmp_path)
    kill_everything(process)
    before = {event["trial"]: event["scores"] for event in events(folder, "final")}
    last = vmsbench(*arguments, cwd=tmp_path)
    assert last.returncode == 0, last.stderr + last.stdout
    finals = events(folder, "final")
    assert sorted((event["rank"], event["seed"]) for event in finals) == [(1, 1000), (1, 1001), (2, 1000), (2, 1001)]
    assert before.items() <= {event["trial"]: event["scores"] for event in finals}.items()
    for event in finals:
        results = read_json(folder / "final" / event["trial"] / "results.json")
        assert event["test_reads"] == results["test_reads"] == len(read_lines_of_reads(folder, event))
    assert "test, rank 2, seed 1001" in last.stdout


def read_lines_of_reads(folder: Path, event: dict[str, Any]) -> list[dict[str, Any]]:
    return list(read_lines(folder / "final" / event["trial"] / "test_reads.jsonl"))


@pytest.mark.slow
def test_scores_of_baselines_need_no_training_and_are_json_on_demand(tmp_path: Path) -> None:
    done = vmsbench("evaluate", "baselines", "data=standin", "data.count=60", "data.size=32", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["predictors"]
    assert (
        found["oracle_median"]["scores"]["l1"]
        < found["pixel_median"]["scores"]["l1"]
        < found["pixel_mean"]["scores"]["l1"]
    )
    missing = vmsbench("evaluate", "nowhere", "data=standin", "data.count=60", "data.size=32", cwd=tmp_path)
    assert missing.returncode == 2
    assert missing.stderr.startswith("error: no predictions at nowhere: give a folder of maps")
