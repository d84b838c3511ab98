"""What is asked of a sweep while it runs, from Python: to stop a trial, to pause, to go on longer, to try more."""

from pathlib import Path
from typing import Any

from vmsbench.files import with_home
from vmsbench.store.runs_folder import sweep_named
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.requests import request, request_budget, request_option, request_stop


def stop(name: str, trial: str, *, runs: Path | str = "runs") -> str:
    """Stop one trial of a running sweep at the end of its epoch; the search counts it as pruned. Returns its name.

    trial  its name, or the beginning of it

    Raises UserError where the sweep does not run, or has no such running trial.
    """
    return request_stop(readable(name, runs), trial)


def pause(name: str, *, runs: Path | str = "runs") -> None:
    """Let a running sweep leave its slots once its trials end their epochs; `vmsbench.resume` continues it.

    Raises UserError where the sweep does not run.
    """
    request(readable(name, runs), "pause")


def extend(name: str, budget: str, *, runs: Path | str = "runs") -> None:
    """Give a running sweep a larger budget, in the unit of the one that it has: `40gpuh`.

    Raises UserError where the sweep does not run, or has no smaller budget in that unit.
    """
    request_budget(readable(name, runs), budget)


def add(name: str, param: str, value: Any, *, runs: Path | str = "runs") -> None:
    """Let a running coordinate search try one more value of a parameter that it has not settled yet.

    Raises UserError where the sweep does not run, the parameter is settled, or the value cannot work.
    """
    request_option(readable(name, runs), param, value)


def readable(name: str, runs: Path | str) -> Path:
    """The folder of a sweep. Raises UserError where there is none, or it is of another schema."""
    folder = sweep_named(name, with_home(runs))
    SweepFolder(folder).check_schema()
    return folder
