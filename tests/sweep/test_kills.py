"""A small real sweep, killed with -9 as a whole at random moments until it is finished."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.cli.test_commands import SMALL, events, is_done, kill_everything, started, vmsbench
from tests.support.tiny import files_in
from vmsbench.files import read_json, read_lines

ARGUMENTS = ["tune", "--exp", "unet", "--cpus", "2", *SMALL, "trainer.epochs=60", "pruner=none"]
KEPT = {
    "started": ("trial", "choice", "parameter"),
    "settled": ("parameter", "value", "score", "tried"),
    "winner": ("trial", "choice", "score"),
}


def told(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [{name: event[name] for name in KEPT[kind]} for event in events(folder, kind)]


def epochs(folder: Path) -> dict[Path, int]:
    """Whole epochs in the history of every trial and final."""
    return {history.parent: len(list(read_lines(history))) for history in folder.glob("*/*/history.jsonl")}


def saved(trial: Path) -> int:
    """Epochs that a checkpoint continues after."""
    checkpoint = trial / "checkpoint.pt"
    return torch.load(checkpoint, weights_only=True)["epoch"] if checkpoint.exists() else 0


def survive(tmp_path: Path, kills: int, seed: int) -> None:
    moments = random.Random(seed)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = vmsbench(*ARGUMENTS, cwd=tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr + whole.stdout
    expected, folder = (tmp_path / name / "runs" / "unet" for name in ("whole", "cut"))
    total = sum(epochs(expected).values())
    finished: dict[Path, int] = {}
    for kill in range(kills):
        before = sum(epochs(folder).values())
        process = started(ARGUMENTS, tmp_path / "cut")
        if moments.random() < 0.2:  # while it starts, or waits for Ray
            time.sleep(moments.uniform(0, 8))
        else:  # in the middle of an epoch, or of writing down its end
            goal = before + moments.randint(0, 2 * (total - before) // (kills - kill))
            while process.poll() is None and sum(epochs(folder).values()) < goal:
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 0.3))
        kill_everything(process)
        for trial, count in epochs(folder).items():
            if not is_done(trial):
                assert count - saved(trial) <= 1, f"{count - saved(trial)} epochs of {trial} were lost"
        for trial, when in finished.items():
            assert (trial / "results.json").stat().st_mtime_ns == when, f"{trial} was trained twice to its end"
        for results in folder.glob("*/*/results.json"):
            finished.setdefault(results.parent, results.stat().st_mtime_ns)
    last = vmsbench(*ARGUMENTS, cwd=tmp_path / "cut")
    assert last.returncode == 0, last.stderr + last.stdout
    for kind in KEPT:
        assert told(folder, kind) == told(expected, kind)
    scores = [
        {
            trial.name: read_json(trial / "results.json")["validation_scores"]
            for trial in one.glob("*/*")
            if is_done(trial)
        }
        for one in (expected, folder)
    ]
    assert scores[0] == scores[1]
    assert {trial.name for trial in folder.glob("*/*") if trial.is_dir()} == set(scores[0]), "a trial was lost"
    for trial in folder.glob("*/*"):
        assert len(files_in(trial)) <= 12
    for trial, when in finished.items():
        assert (trial / "results.json").stat().st_mtime_ns == when


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_ends_as_the_one_that_was_not(tmp_path: Path) -> None:
    survive(tmp_path, kills=3, seed=1)


@pytest.mark.slow
@pytest.mark.kills
def test_fifty_kills(tmp_path: Path) -> None:
    survive(tmp_path, kills=50, seed=2)
