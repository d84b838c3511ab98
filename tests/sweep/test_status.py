"""status and why: how sweeps stand and what became of a trial, told from the folders alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.sweeps.failing import OUT_OF_MEMORY, broken
from tests.support.sweeps.in_process import SPACE, in_turn, settings, study, sweep, told
from tests.support.wide import widest
from vmsbench.cli.commands.results.status import lines, show_status
from vmsbench.cli.commands.results.why import show_why
from vmsbench.errors import UserError
from vmsbench.experiment import run
from vmsbench.files import append_line, save_json
from vmsbench.store.documents import last_line
from vmsbench.store.lock import owned
from vmsbench.sweep.status import status, why
from vmsbench.versions import SCHEMA


def described(folder: Path) -> None:
    """What a study writes beside the journal before its first trial."""
    whole = settings()
    save_json(folder / "sweep.json", {"schema": SCHEMA, "config": whole, "space": whole["space"]["parameters"]})


def test_a_sweep_at_work_shows_its_running_trial_its_walk_and_its_best(tmp_path: Path) -> None:
    described(tmp_path)
    one = sweep(tmp_path)
    with owned(tmp_path):
        one.journal.write("session", slots=1)
        for _ in range(3):
            trial = one.ask()
            assert trial is not None
            run(trial.config, trial.folder)
            one.tell(trial, None, None)
        last = one.ask()
        assert last is not None
        last.folder.mkdir(parents=True)
        append_line(last.folder / "history.jsonl", {"epoch": 1, "seconds": 3.0, "scores": {"crps": 0.25}})
        seen = status(tmp_path)
    assert seen.state == "running"
    assert seen.owner is not None
    assert seen.trials == {"complete": 3, "pruned": 0, "failed": 0, "running": 1, "waiting": 0}
    assert [(step.parameter, step.settled) for step in seen.parameters] == [
        (SPACE[0].param, True),
        (SPACE[1].param, False),
    ]
    (running,) = seen.running
    assert (running.trial, running.epoch, running.epochs, running.seconds_per_epoch) == (last.id, 1, 2, 3.0)
    scores = {event["trial"]: event["score"] for event in told(tmp_path, "finished")}
    assert seen.incumbent is not None
    assert seen.incumbent["score"] == min(scores.values()) == scores[seen.incumbent["trial"]]
    assert seen.eta is not None
    assert status(tmp_path).state == "dead", "nobody holds the lock any more"


def test_a_finished_sweep_has_the_winner_for_its_incumbent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path)
    (winner,) = told(folder, "winner")
    show_status(folder.parent, "mine", watch=True, as_json=True)
    seen = json.loads(capsys.readouterr().out)
    assert (seen["name"], seen["state"], seen["trials"]["complete"]) == ("mine", "finished", 4)
    assert seen["incumbent"] == {"trial": winner["trial"], "parameters": winner["params"], "score": winner["score"]}
    assert widest(lines(status(folder))) <= 80


def test_a_sweep_that_is_to_have_no_finals_is_finished_with_its_search(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    study(tmp_path, finals={"top": 0, "seeds": 1})
    assert status(folder).state == "finished"
    assert told(folder, "final") == []
    assert not any((folder / "final").glob("*"))
    assert (folder / "baselines.json").exists()


def test_failures_are_counted_by_their_names_and_why_tells_the_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    one = sweep(folder)
    described(folder)
    for _ in range(2):
        trial = one.ask()
        assert trial is not None
        one.tell(trial, None, OUT_OF_MEMORY)
    second = one.ask()
    assert second is not None
    one.tell(second, None, broken(second))
    second.folder.mkdir(parents=True)
    (second.folder / "log.txt").write_text("".join(f"line {n}\n" for n in range(100)))
    seen = status(folder)
    assert seen.failures == {"out of memory (GPU)": 1, "code error": 1}
    show_why(tmp_path, second.id[:6])
    said = capsys.readouterr().out
    assert f"{second.id}: failed (code error) after epoch 0" in said
    assert "KeyError" in said
    assert "line 99" in said
    assert "line 80" not in said
    with pytest.raises(UserError, match="no trial is called zzz"):
        why(tmp_path, "zzz")


def test_the_command_that_why_gives_trains_the_trial_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    one = sweep(folder)
    described(folder)
    trial = one.ask()
    assert trial is not None
    results = run(trial.config, trial.folder)
    one.tell(trial, None, None)
    command = why(tmp_path, trial.id).command.split()
    assert command[:3] == ["python", "-m", "vmsbench.experiment"]
    done = subprocess.run(
        [sys.executable, *command[1:4], str(tmp_path / "alone")], capture_output=True, text=True, check=True
    )
    alone: Any = json.loads(done.stdout[done.stdout.index("{") :])
    assert alone["validation_scores"] == pytest.approx(results["validation_scores"], rel=1e-3)


def test_status_is_told_of_an_interrupted_sweep_and_of_a_nonsensical_one(tmp_path: Path) -> None:
    one = sweep(tmp_path)
    described(tmp_path)
    one.journal.write("session", slots=1)
    in_turn(one, lambda trial: None)
    one.journal.write("interrupted", why="budget=2h is used up")
    seen = status(tmp_path)
    assert (seen.state, seen.why) == ("interrupted", "budget=2h is used up")
    assert "  budget=2h is used up" in lines(seen)
    (tmp_path / "journal.jsonl").write_text("hello\n")
    with pytest.raises(UserError, match="line 1"):
        status(tmp_path)


def test_the_last_line_of_a_history_is_the_last_whole_one(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    assert last_line(file) == {}
    for epoch in range(5000):
        with file.open("a") as out:
            out.write(json.dumps({"epoch": epoch}) + "\n")
    with file.open("a") as out:
        out.write('{"epoch": 50')
    assert last_line(file) == {"epoch": 4999}
