"""What every tracker promises: it reads a sweep's folder, any number of times, and changes no file of it."""

from collections.abc import Callable
from pathlib import Path

from vmsbench.files import append_line, save_json
from vmsbench.tracking.tracker import Tracker
from vmsbench.versions import SCHEMA

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
    about = {"schema": SCHEMA, "name": "unet", "exp": "unet", "created": "2025-03-01T12:00:00+00:00", "searcher": {}}
    dataset = {"title": "a test, 64 px", "digest": "d1", "size": 64, "coding": "rg", "train": 9, "test": 3}
    save_json(sweep / "sweep.json", about | {"dataset": dataset, "command": "vmsbench tune --exp unet"})
    for at, trial in enumerate(TRIALS):
        begin(sweep, trial, epochs=4 - 2 * at, at=1.0e9 + 10 * at)
    save_json(sweep / "trials" / TRIALS[0] / "results.json", {"schema": SCHEMA, "epochs": 4, "seconds": 8.0})
    done = {"event": "finished", "time": 1.0e9 + 9, "trial": TRIALS[0], "state": "complete", "score": 0.1, "epoch": 4}
    done["seconds"] = 8.0
    append_line(sweep / "journal.jsonl", done)
    return sweep


def begin(sweep: Path, trial: str, epochs: int, at: float) -> None:
    folder, choice = sweep / "trials" / trial, {"model.network.width": 8}
    folder.mkdir(parents=True)
    started = {"event": "started", "time": at, "trial": trial, "choice": choice, "parameter": "model.network.width"}
    schema = {} if (sweep / "journal.jsonl").exists() else {"schema": SCHEMA}
    append_line(sweep / "journal.jsonl", started | schema)
    config = {"schema": SCHEMA, "exp": "unet", "seed": 0, "model": {"network": {"width": 8}}}
    save_json(folder / "config.json", config)
    for epoch in range(1, epochs + 1):
        loss = {"loss": 0.5 / epoch}
        line = {"epoch": epoch, "seconds": 2.0 * epoch, "time": at + 2 * epoch, "images": 9 * epoch}
        append_line(folder / "history.jsonl", line | {"train_loss": loss, "validation_loss": loss})
