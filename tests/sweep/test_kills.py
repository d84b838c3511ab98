"""A small real sweep, killed with -9 as a whole at random moments until it is finished."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.processes.running import SMALL, events, is_done, kill_everything, started, vmsbench
from tests.support.tiny import files_in
from vmsbench.files import read_json, read_lines
from vmsbench.search.configured import FILLED_FROM

ARGUMENTS = ["tune", "--exp", "unet", *SMALL, "trainer.epochs=60"]
KEPT = {
    "started": ("trial", "params", "parameter"),
    "settled": ("parameter", "value", "score", "options"),
    "winner": ("trial", "params", "score"),
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


def scores_of(folder: Path) -> dict[str, Any]:
    """The validation scores of every finished trial and final."""
    done = (trial for trial in folder.glob("*/*") if is_done(trial))
    return {trial.name: read_json(trial / "results.json")["validation_scores"] for trial in done}


def survive(tmp_path: Path, kills: int, seed: int, *further: str, slots: int = 2) -> None:
    """Compare an unbroken sweep with one that is killed so often; `further` settings of both.

    From FILLED_FROM slots on, which trials idle slots get depends on what ends first: what settled each parameter, the
    winner and the scores of all that both have trained are compared, and not the order.
    """
    moments, arguments = random.Random(seed), [*ARGUMENTS, "--cpus", str(slots), *further]
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = vmsbench(*arguments, cwd=tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr + whole.stdout
    expected, folder = (tmp_path / name / "runs" / "unet" for name in ("whole", "cut"))
    total = sum(epochs(expected).values())
    finished: dict[Path, int] = {}
    for kill in range(kills):
        before = sum(epochs(folder).values())
        process = started(arguments, tmp_path / "cut")
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
    last = vmsbench(*arguments, cwd=tmp_path / "cut")
    assert last.returncode == 0, last.stderr + last.stdout
    filled = slots >= FILLED_FROM
    for kind in ("settled", "winner") if filled else KEPT:
        assert told(folder, kind) == told(expected, kind)
    whole_scores, scores = scores_of(expected), scores_of(folder)
    needed = {event["trial"] for event in events(expected, "started") if not event.get("extra")}
    compared = whole_scores.keys() & scores.keys()
    assert needed & whole_scores.keys() <= compared, "a trial was lost"
    assert {name: whole_scores[name] for name in compared} == {name: scores[name] for name in compared}
    if not filled:
        assert {trial.name for trial in folder.glob("*/*") if trial.is_dir()} == scores.keys() == whole_scores.keys()
    for trial in folder.glob("*/*"):
        assert len(files_in(trial)) <= 12
    for trial, when in finished.items():
        assert (trial / "results.json").stat().st_mtime_ns == when


@pytest.mark.slow
@pytest.mark.nightly
def test_a_sweep_killed_at_random_moments_ends_as_the_one_that_was_not(tmp_path: Path) -> None:
    survive(tmp_path, kills=3, seed=1)


@pytest.mark.slow
@pytest.mark.kills
def test_fifty_kills(tmp_path: Path) -> None:
    survive(tmp_path, kills=50, seed=2)


@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.parametrize("searcher", ["coordinate", "tpe"])
def test_twenty_kills_at_one_slot_change_no_suggestion_no_order_and_no_winner(tmp_path: Path, searcher: str) -> None:
    settings = ["searcher=tpe", "searcher.trials=6"] if searcher == "tpe" else []
    survive(tmp_path, 20, 3, "trainer.epochs=30", *settings, slots=1)


@pytest.mark.slow
@pytest.mark.kills
def test_twenty_kills_at_four_slots_leave_the_same_winner_by_the_same_evidence(tmp_path: Path) -> None:
    survive(tmp_path, 20, 4, "trainer.epochs=30", slots=4)
