"""What every tracker promises: it reads a sweep's folder, any number of times, and changes no file of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.tracking.tracker import Tracker

TRIALS = ("aaaaaaaaaaaa", "bbbbbbbbbbbb")


def tracker_contract(make: Callable[[], Tracker], folder: Path) -> None:
    """`make()` gives a tracker; `folder` is an empty folder for a small sweep."""
    tracker, sweep = make(), half_a_sweep(folder / "unet")
    assert isinstance(tracker.link(), str), "link() is text"
    before = contents(sweep)
    tracker.sync(sweep)
    tracker.sync(sweep, alive=False)
    make().sync(sweep)
    tracker.sync(folder / "not-there-yet")
    assert "\n" not in tracker.link(), "link() is one line"
    after = contents(sweep)
    changed = [path.name for path in before if after.get(path) != before[path]]
    assert not changed, f"the tracker changed {', '.join(changed)} of the sweep's folder"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def half_a_sweep(sweep: Path) -> Path:
    """One trial complete, one at its second epoch."""
    sweep.mkdir(parents=True)
    about = {"name": "unet", "exp": "unet", "created": "2025-03-01T12:00:00+00:00", "searcher": {}}
    dataset = {"title": "a test, 64 px", "digest": "d1", "size": 64, "coding": "rg", "train": 9, "test": 3}
    SweepFolder(sweep).write_about(about | {"dataset": dataset, "command": "vmsbench tune --exp unet"})
    for at, trial in enumerate(TRIALS):
        begin(sweep, trial, epochs=4 - 2 * at, at=1.0e9 + 10 * at)
    SweepFolder(sweep).trial(TRIALS[0]).write_results({"epochs": 4, "seconds": 8.0})
    done: dict[str, Any] = {
        "event": "finished",
        "time": 1.0e9 + 9,
        "trial": TRIALS[0],
        "state": "complete",
        "score": 0.1,
        "epoch": 4,
    }
    done["seconds"] = 8.0
    SweepFolder(sweep).journal.write(**done)
    return sweep


def begin(sweep: Path, trial: str, epochs: int, at: float) -> None:
    there, params = SweepFolder(sweep).trial(trial), {"model.network.width": 8}
    journal = SweepFolder(sweep).journal
    there.path.mkdir(parents=True)
    started: dict[str, Any] = {
        "event": "started",
        "time": at,
        "trial": trial,
        "params": params,
        "parameter": "model.network.width",
    }
    journal.write(**started)
    there.write_config({"exp": "unet", "seed": 0, "model": {"network": {"width": 8}}})
    for epoch in range(1, epochs + 1):
        loss = {"loss": 0.5 / epoch}
        line = {"epoch": epoch, "seconds": 2.0 * epoch, "time": at + 2 * epoch, "images": 9 * epoch}
        there.add_epoch(line | {"train_loss": loss, "validation_loss": loss})
