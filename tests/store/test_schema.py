"""A folder of another schema is refused in one line, with exit code 2, by every command that reads one."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from tests.support.sweep_maker import make_sweep
from vmsbench.cli.app import app
from vmsbench.cli.exit_codes import run
from vmsbench.files import read_json, save_json

SMALL = ["data=standin", "data.count=40", "data.size=32", "preset=quick", "tracker=none"]
HERE = "--allow-login-node"
FINAL = "runs/gan/final/f00000001000"
SWEEP = {
    "tune": ["tune", "--exp", "gan", *SMALL, HERE],
    "tune --dry-run": ["tune", "--exp", "gan", *SMALL, HERE, "--dry-run"],
    "plan": ["plan", "--exp", "gan", *SMALL, HERE, "--no-calibrate"],
    "resume": ["resume", "gan", HERE],
    "ablate": ["ablate", "augment", "--exp", "gan", "--name", "gan", *SMALL, HERE],
    "final": ["final", "gan", HERE],
    "final --rescore": ["final", "gan", "--rescore"],
    "status": ["status", "gan"],
    "status of all": ["status"],
    "why": ["why", "100000000000"],
    "report": ["report", "gan", "--out", "out"],
    "report of all": ["report", "--out", "out"],
    "predict": ["predict", "picture.png", "--model", "gan", "--out", "maps"],
    "export": ["export", "gan"],
    "ensemble": ["ensemble", "gan"],
    "tradeoff": ["tradeoff", "gan"],
    "sync": ["sync", "gan"],
    "ui": ["ui"],
    "logs": ["logs", "gan"],
    "cancel": ["cancel", "gan"],
    "stop": ["stop", "gan", "100000000000"],
    "pause": ["pause", "gan"],
    "extend": ["extend", "gan", "3h"],
    "add": ["add", "gan", "model.network.width=8"],
    "bench search": ["bench", "search", "gan"],
    "bench stopping": ["bench", "stopping", "gan"],
}
"""By its name, each command that reads the sweep `gan`."""
EXPERIMENT = {
    "predict": ["predict", "picture.png", "--model", FINAL, "--out", "maps"],
    "export": ["export", FINAL],
    "report": ["report", "gan", "--out", "out"],
    "final --rescore": ["final", "gan", "--rescore"],
    "sync": ["sync", "gan"],
    "ensemble": ["ensemble", "gan"],
    "tradeoff": ["tradeoff", "gan"],
}
"""By its name, each command that reads the files of a final."""
NEITHER = {
    **dict.fromkeys(("demo", "drill"), "writes or reads sweeps of its own, by `tune`"),
    **dict.fromkeys(("train", "evaluate"), "their folders are not sweeps: they have tests of their own"),
    **dict.fromkeys(("job", "work"), "run another command"),
    **dict.fromkeys(("doctor", "data", "weights", "site"), "read no sweep"),
}

Damage = Callable[[dict], dict]
DAMAGES: dict[str, tuple[Damage, str]] = {
    "none": (
        lambda document: {name: value for name, value in document.items() if name != "schema"},
        "has no schema: it was written by a version of vmsbench before 0.2, and only that reads it",
    ),
    "newer": (
        lambda document: document | {"schema": 99},
        "has schema 99, this vmsbench reads 1: it was written by a newer vmsbench, which reads it",
    ),
}


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished sweep that was submitted, in the runs folder of the current folder."""
    folder = make_sweep(tmp_path / "runs", "gan", seeds=1)
    (folder / "jobs.jsonl").write_text(json.dumps({"event": "began", "time": 1.0, "job": "1", "log": "1.log"}) + "\n")
    (tmp_path / "picture.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return folder


def refusal(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command ends, whose exit code is 2."""
    monkeypatch.setattr(sys, "argv", ["vmsbench", *words])
    capsys.readouterr()
    code, said = run(app), capsys.readouterr().err.strip().splitlines()
    assert (code, len(said)) == (2, 1), said
    return said[0]


def damage(file: Path, kind: str) -> str:
    """Give a file another schema, or none; returns what has to be said of it."""
    change, words = DAMAGES[kind]
    if file.suffix == ".jsonl":
        first, *others = file.read_text().splitlines()
        file.write_text("\n".join([json.dumps(change(json.loads(first))), *others]) + "\n")
    else:
        save_json(file, change(read_json(file)))
    return f"{file.name} {words}"


def test_every_command_is_known_here() -> None:
    there = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert there == {words[0] for words in (*SWEEP.values(), *EXPERIMENT.values())} | set(NEITHER)


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("command", SWEEP)
def test_a_sweep_of_another_schema_is_refused(
    command: str, kind: str, sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = damage(sweep / "sweep.json", kind)
    assert words in refusal([*SWEEP[command], "--runs", "runs"], monkeypatch, capsys)


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("command", ["status", "report", "sync", "predict", "final", "why", "tune"])
def test_a_journal_of_another_schema_is_refused(
    command: str, kind: str, sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = damage(sweep / "journal.jsonl", kind)
    assert words in refusal([*SWEEP[command], "--runs", "runs"], monkeypatch, capsys)


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("file", ["config.json", "results.json"])
@pytest.mark.parametrize("command", EXPERIMENT)
def test_an_experiment_of_another_schema_is_refused(
    command: str, file: str, kind: str, sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = damage(Path(FINAL) / file, kind)
    assert words in refusal([*EXPERIMENT[command], "--runs", "runs"], monkeypatch, capsys)


@pytest.mark.parametrize("file", ["config.json", "results.json"])
def test_train_refuses_to_continue_a_training_of_another_schema(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    train = ["train", "--exp", "unet", *SMALL, "model.network.width=8", "--epochs", "1", HERE, "--quiet"]
    monkeypatch.setattr(sys, "argv", ["vmsbench", *train])
    assert run(app) == 0
    (folder,) = Path("runs/single").iterdir()
    assert damage(folder / file, "newer") in refusal(train, monkeypatch, capsys)


@pytest.mark.parametrize("kind", DAMAGES)
def test_evaluate_refuses_to_replace_outside_predictions_of_another_schema(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maps").mkdir()
    (tmp_path / "runs/outside/other").mkdir(parents=True)
    kept = tmp_path / "runs/outside/other/results.json"
    save_json(kept, {"schema": 1, "source": str(tmp_path / "maps")})
    assert damage(kept, kind) in refusal(["evaluate", "maps", *SMALL[:1], "--name", "other"], monkeypatch, capsys)
