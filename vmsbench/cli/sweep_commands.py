"""What the sweep commands share: their settings, where they run, and how they end."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmsbench.cli.options import writable
from vmsbench.cli.progress import watching
from vmsbench.errors import UserError
from vmsbench.store.sweeps import check_name

if TYPE_CHECKING:
    from vmsbench.api.sweeps import SweepResult
    from vmsbench.launch.submit import RunOptions
    from vmsbench.sweep.trial import Callback


def settings_for(exp: str, overrides: list[str] | None, epochs: int | None, per_gpu: int | None) -> dict[str, Any]:
    """All settings of a sweep. Raises UserError where FID is required and cannot be computed."""
    from vmsbench.config.compose import compose, with_epochs

    settings = compose(exp, with_epochs(overrides or [], epochs))
    if settings["fid"]["required"]:
        from vmsbench.training.checks import check_fid

        check_fid(settings)
    if per_gpu is not None:
        if per_gpu < 1:
            raise UserError(f"--per-gpu {per_gpu}: at least 1")
        settings["slots"]["gpus"] = 1 / per_gpu
    return settings


def command_line() -> str:
    """This command, to be pasted into a shell."""
    return f"vmsbench {shlex.join(sys.argv[1:])}"


def submit_search(
    settings: dict[str, Any],
    overrides: list[str] | None,
    name: str,
    *,
    runs: Path,
    options: "RunOptions",
    retry: bool,
    accept_code: bool = False,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a search here, or submit it to its launcher; returns the exit code: 75 where it was interrupted."""

    def search(callback: "Callback") -> "SweepResult":
        from vmsbench.api.sweeps import run_search

        own: dict[str, Any] = {"retry": retry, "accept_code": accept_code, "cpus": options.cpus, "gpus": options.gpus}
        return run_search(settings, runs / name, command_line(), callback, **own)

    check_name(name)
    writable(runs)
    shown: dict[str, Any] = {"quiet": quiet, "as_json": as_json}
    return submit(settings, overrides, name, search, runs=runs, options=options, accept_code=accept_code, **shown)


def submit(
    settings: dict[str, Any],
    overrides: list[str] | None,
    name: str,
    run: Callable[["Callback"], "SweepResult"],
    *,
    runs: Path,
    options: "RunOptions",
    accept_code: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Call `run` with progress and print its result, or submit this command as a job; returns the exit code."""
    from vmsbench.launch.submit import dispatch
    from vmsbench.store.sweep_folder import SweepFolder
    from vmsbench.sweep.origin.numeric_code import check_code

    folder = runs / name

    def work() -> bool:
        return run_and_print(run, settings, folder.resolve(), runs, quiet=quiet, as_json=as_json).finished

    def check() -> None:
        """What is accepted is recorded by the job, which owns the sweep."""
        if not accept_code and SweepFolder(folder).begun:
            check_code(folder, accept=False)

    own: dict[str, Any] = {"folder": folder, "options": options, "work": work, "check": check}
    return dispatch(settings=settings, overrides=list(overrides or []), **own)


def run_and_print(
    run: Callable[["Callback"], "SweepResult"],
    settings: dict[str, Any],
    folder: Path,
    runs: Path,
    *,
    quiet: bool,
    as_json: bool,
    advise: bool = True,
) -> "SweepResult":
    """Call `run` with a live table or lines; print what it found, and what to do next."""
    with watching(folder, quiet or as_json) as callback:
        result = run(callback)
    if as_json:
        print(json.dumps(result.summary()))
    elif not result.finished:
        print(f"stopped before the end; to continue:\n  {result.command}", flush=True)
    else:
        from vmsbench.cli.summary import next_steps, sweep_lines
        from vmsbench.cli.wrapping import say

        say(*sweep_lines(folder))
        if advise:
            print("\n".join(next_steps(settings, folder, runs)))
    return result
