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


def with_epochs(overrides: list[str] | None, epochs: int | None) -> list[str]:
    return list(overrides or []) + ([f"trainer.epochs={epochs}"] if epochs is not None else [])


def settings_for(exp: str, overrides: list[str] | None, epochs: int | None, per_gpu: int | None) -> dict[str, Any]:
    """All settings of a sweep. Raises UserError where FID is required and cannot be computed."""
    from vmsbench.config.compose import compose

    settings = compose(exp, with_epochs(overrides, epochs))
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
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a search here, or submit it to its launcher; returns the exit code: 75 where it was interrupted."""

    def search(callback: "Callback") -> "SweepResult":
        from vmsbench.api.sweeps import run_search

        return run_search(
            settings, runs / name, command_line(), callback, retry=retry, cpus=options.cpus, gpus=options.gpus
        )

    check_name(name)
    writable(runs)
    return submit(settings, overrides, name, search, runs=runs, options=options, quiet=quiet, as_json=as_json)


def submit(
    settings: dict[str, Any],
    overrides: list[str] | None,
    name: str,
    run: Callable[["Callback"], "SweepResult"],
    *,
    runs: Path,
    options: "RunOptions",
    quiet: bool,
    as_json: bool,
) -> int:
    """Call `run` with progress and print its result, or submit this command as a job; returns the exit code."""
    from vmsbench.launch.submit import dispatch

    def work() -> bool:
        return run_and_print(run, settings, (runs / name).resolve(), runs, quiet=quiet, as_json=as_json).finished

    return dispatch(settings=settings, overrides=list(overrides or []), folder=runs / name, options=options, work=work)


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
        from vmsbench.cli.summary import sweep_lines

        print("\n".join(sweep_lines(folder)))
        if advise:
            print("\n".join(next_steps(settings, folder, runs)))
    return result


def next_steps(settings: dict[str, Any], folder: Path, runs: Path) -> list[str]:
    """What to do after a finished sweep, as commands."""
    from vmsbench.config.instantiate import build

    place = f" --runs {shlex.quote(str(runs))}" if str(runs) != "runs" else ""
    tracker = build(settings["tracker"])
    tracker.use(runs)
    link = tracker.link()
    return ["next:", f"  vmsbench report {shlex.quote(folder.name)}{place}", f"  {link or f'vmsbench sync{place}'}"]
