"""A folder of another schema is refused in one line, with exit code 2, by every command that reads runs."""

import sys
from pathlib import Path

import pytest

from tests.support.sweep_maker import make_sweep
from vmsbench.cli.app import app
from vmsbench.cli.exit_codes import run
from vmsbench.files import read_json, save_json

COMMANDS = {
    "status": ["status", "gan"],
    "report": ["report", "gan", "--out", "out"],
    "resume": ["resume", "gan", "--allow-login-node"],
    "final": ["final", "gan", "--allow-login-node"],
    "sync": ["sync", "gan"],
    "why": ["why", "f000000001"],
    "predict": ["predict", "picture.png", "--model", "gan", "--out", "maps"],
    "export": ["export", "gan"],
    "tradeoff": ["tradeoff", "gan"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_sweep_without_a_schema_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_sweep(tmp_path / "runs", "gan", seeds=1)
    about = read_json(folder / "sweep.json")
    save_json(folder / "sweep.json", {name: value for name, value in about.items() if name != "schema"})
    monkeypatch.chdir(tmp_path)
    (trial, *_) = sorted(path.name for path in (folder / "trials").iterdir())
    words = [trial if word == "f000000001" else word for word in COMMANDS[command]]
    (tmp_path / "picture.png").write_bytes(b"")
    monkeypatch.setattr(sys, "argv", ["vmsbench", *words, "--runs", "runs"])
    assert run(app) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "sweep.json has no schema: it was written by a version of vmsbench before 0.2" in said[0]
