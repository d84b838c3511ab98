"""Small sweeps without Ray: trials run one after the other in this process, and die in the middle of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.tiny import configuration
from vmsbench.config.settings import with_settings
from vmsbench.errors import UserError
from vmsbench.experiment import run
from vmsbench.files import append_line, read_lines
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.pruners import Pruner
from vmsbench.search.space import Parameter, Space
from vmsbench.sweep.failures import Failure
from vmsbench.sweep.sweep import Sweep
from vmsbench.sweep.trial import Callback, Trial, TrialSource
from vmsbench.sweep.tune import tune

SPACE = [Parameter("model.network.width", [2, 4, 6]), Parameter("optimizers.network.lr", [0.003, 0.01])]
START = {"model.network.width": 4, "optimizers.network.lr": 0.01}
CONFIG = with_settings(configuration(), {"trainer.epochs": 2})


class Killed(BaseException):
    """kill -9, as far as a sweep can tell."""


def in_turn(work: TrialSource, before: Callable[[Trial], Any] = lambda trial: None) -> None:
    while (trial := work.ask()) is not None:
        before(trial)
        try:
            run(trial.config, trial.folder)
        except UserError as error:
            work.tell(trial, None, Failure.of(error))
        else:
            work.tell(trial, None, None)


def sweep(folder: Path, config: dict[str, Any] = CONFIG, retry: bool = False) -> Sweep:
    folder.mkdir(exist_ok=True)
    space = Space(SPACE, config)
    return Sweep(folder, space, CoordinateSearch(space), Callback(), retry)


def told(folder: Path, *kinds: str) -> list[dict[str, Any]]:
    events = [event for event in read_lines(folder / "journal.jsonl") if event["event"] in kinds]
    return [{name: value for name, value in event.items() if name not in ("time", "seconds")} for event in events]


def append_line_history(trial: Trial, score: float) -> None:
    trial.folder.mkdir(parents=True)
    append_line(trial.folder / "history.jsonl", {"epoch": 1, "seconds": 1.0, "images": 1, "scores": {"crps": score}})


def settings(**changes: Any) -> dict[str, Any]:
    space = {"parameters": [{"param": one.param, "values": list(one.values)} for one in SPACE]}
    return {
        **CONFIG,
        "space": space,
        "searcher": {"_target_": "vmsbench.search.coordinate.CoordinateSearch", "rounds": 1},
        "pruner": {"_target_": "vmsbench.search.pruners.NoPruner"},
        "finals": {"top": 1, "seeds": 1},
        "max_trials": 100,
        "budget": None,
    } | changes


def study(tmp_path: Path, watcher: Callback | None = None, **changes: Any) -> Path:
    """The folder of a whole study."""
    folder = tmp_path / "runs" / "mine"
    tune(settings(**changes), folder, tmp_path / "runs", watcher or Callback(), driver, "vmsbench tune", False)
    return folder


def driver(work: TrialSource, stopping: Pruner) -> bool:
    in_turn(work)
    return work.finished
