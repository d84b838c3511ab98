"""Reading a sweep's folder never writes into it: every command that only shows it leaves every byte as it was."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.sweep_maker import make_sweep
from vmsbench.cli.app import app
from vmsbench.cli.exit_codes import run
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.journal import Journal
from vmsbench.store.reader import read_sweep
from vmsbench.store.sweep_folder import BASELINES, SweepFolder

READING = (
    ["status"],
    ["status", "gan"],
    ["status", "gan", "--json"],
    ["why", "100000000004"],
    ["logs", "gan"],
    ["report", "gan", "--out", "out", "--formats", ""],
    ["report", "--out", "out", "--formats", ""],
)


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut by a kill"])
def test_commands_that_show_a_sweep_change_nothing_of_it(
    cut: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_sweep(tmp_path / "runs", "gan", seeds=1)
    (tmp_path / "1.log").write_text("epoch 1\n")
    job = {"event": "began", "time": 1.0, "job": "1", "log": str(tmp_path / "1.log")}
    (folder / "jobs.jsonl").write_text(json.dumps(job) + "\n")
    if cut:
        for file in folder.rglob("*.jsonl"):
            with file.open("a") as opened:
                opened.write('{"event": "fini')
    for file in folder.rglob("*"):
        os.utime(file, (1e9, 1e9))
    before, there = contents(tmp_path / "runs"), sorted((tmp_path / "runs").rglob("*"))
    monkeypatch.chdir(tmp_path)
    for words in READING:
        monkeypatch.setattr(sys, "argv", ["vmsbench", *words, "--runs", "runs"])
        assert run(app) == 0, (words, capsys.readouterr().err)
    assert sorted((tmp_path / "runs").rglob("*")) == there
    assert contents(tmp_path / "runs") == before


def test_what_is_written_into_an_experiments_folder_is_read_again(tmp_path: Path) -> None:
    folder = ExperimentFolder(tmp_path)
    assert (folder.begun, folder.finished, list(folder.history())) == (False, False, [])
    folder.write_config({"exp": "unet", "seed": 3})
    folder.add_epoch({"epoch": 1})
    folder.add_epoch({"epoch": 2})
    assert folder.config() == {"exp": "unet", "seed": 3}
    assert [line["epoch"] for line in folder.history()] == [1, 2]
    folder.rewrite_history([{"epoch": 1}])
    assert [line["epoch"] for line in folder.history()] == [1]
    assert (folder.count_test_read("d"), folder.count_test_read("d")) == (1, 2)
    written = folder.write_results({"test_scores": {"l1": 0.1, "cc": float("nan")}})
    assert written == folder.results() == {"schema": 1, "test_scores": {"l1": 0.1, "cc": None}}
    assert (folder.begun, folder.finished) == (True, True)


def test_what_is_written_into_a_sweeps_folder_is_read_again(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    assert (folder.begun, list(folder.experiments()), folder.document(BASELINES)) == (False, [], {})
    folder.write_about({"name": "unet", "exp": "unet", "created": "2025-03-01T12:00:00", "config": {"metric": "crps"}})
    folder.write_document(BASELINES, {"test": {"black": {"l1": 0.5}}})
    folder.journal.write("started", trial="a", params={})
    folder.trial("a").path.mkdir(parents=True)
    folder.trial("a").write_config({"exp": "unet"})
    found = read_sweep(tmp_path)
    assert (found.metric, found.baselines) == ("crps", {"test": {"black": {"l1": 0.5}}})
    assert [(trial.id, trial.state, trial.config) for trial in found.trials] == [("a", "unfinished", {"exp": "unet"})]


def test_a_damaged_journal_stops_who_decides_by_it_and_not_who_counts_its_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write("started", trial="a", params={})
    with journal.path.open("a") as file:
        file.write('not JSON\n{"event": "winner"}\n')
    assert [line["event"] for line in journal.lines()] == ["started", "winner"]
    with pytest.raises(Exception, match="line 2: not JSON"):
        list(journal.events())
