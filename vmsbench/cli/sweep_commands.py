"""What the sweep commands share: their settings, where they run, and how they end."""

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmsbench.cli.options import writable
from vmsbench.cli.progress import watching
from vmsbench.config.commands import command_on
from vmsbench.errors import UNFINISHED, UserError
from vmsbench.store.runs_folder import check_name

if TYPE_CHECKING:
    from vmsbench.api.sweep_results import SweepResult
    from vmsbench.launch.submit import RunOptions, SweepJob
    from vmsbench.sweep.trial import Callback


def settings_for(
    exp: str, overrides: list[str] | None, epochs: int | None, per_gpu: int | None, *, check_all: bool = True
) -> dict[str, Any]:
    """All settings of a sweep; arguments and errors as of `search_settings`."""
    from vmsbench.sweep.sweep_settings import search_settings

    settings = search_settings(exp, overrides or [], epochs, check_all=check_all)
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
    words: list[str],
    options: "RunOptions",
    retry: bool,
    accept_code: bool,
    **own: Any,
) -> int:
    """Run a search here, or submit it to its launcher; returns the exit code: 75 where it was interrupted.

    words   of the command, without the options that all searches have
    own     further options of `submit`
    """

    def search(callback: "Callback") -> "SweepResult":
        from vmsbench.api.sweeps import run_search

        size: dict[str, Any] = {"cpus": options.cpus, "gpus": options.gpus}
        return run_search(settings, runs / name, command_line(), callback, retry=retry, accept_code=accept_code, **size)

    check_name(name)
    writable(runs)
    words = [*words, "--retry"] if retry else words
    own |= {"runs": runs, "words": words, "options": options, "accept_code": accept_code}
    return submit(settings, overrides, name, search, **own)


def submit(
    settings: dict[str, Any],
    overrides: list[str] | None,
    name: str,
    run: Callable[["Callback"], "SweepResult"],
    *,
    runs: Path,
    words: list[str],
    options: "RunOptions",
    accept_code: bool,
    quiet: bool,
    as_json: bool,
    wait: bool = False,
    show: bool = False,
    check: bool = False,
) -> int:
    """Call `run` with progress and print its result, or submit this command as a job; returns the exit code.

    words         of the command, without the options that all sweep commands have
    wait          show the job's log until it is over
    show, check   submit nothing: print the batch script, or what the cluster says of it
    """
    from vmsbench.api.cluster.submission import command_words, run_or_submit

    folder, options = runs / name, replace(options, submit=not (show or check))
    own: dict[str, Any] = {"accept_code": accept_code, "quiet": quiet, "json": as_json}
    command = command_words(words, runs, cpus=options.cpus, gpus=options.gpus, **own)

    def here() -> "SweepResult":
        return watched(run, folder.resolve(), quiet or as_json)

    found = run_or_submit(here, settings, overrides or [], folder, command, options, accept_code)
    if found.job is not None:
        return print_job(found.job, wait=wait, check=check)
    print_result(found, settings, runs, as_json=as_json)
    return 0 if found.finished else UNFINISHED


def print_job(job: "SweepJob", *, wait: bool, check: bool) -> int:
    """Print the job that was submitted and what to do next, or the job that would be; returns the exit code."""
    from vmsbench.launch.launcher import JobPhase

    if job.asks:
        print(f"# asks for {job.asks}", flush=True)
    if job.job is None:
        print(f"{job.check()}\n" if check else job.script, end="")
        return 0
    print(job.job.description)
    for step in ("status", "logs", "cancel"):
        print(f"  {command_on(step, job.folder)}", flush=True)
    ended = job.wait() if wait else None
    return 0 if ended is None or ended.phase == JobPhase.COMPLETED else 1


def watched(run: Callable[["Callback"], "SweepResult"], folder: Path, quiet: bool) -> "SweepResult":
    """Call `run` with a live table or lines."""
    with watching(folder, quiet) as callback:
        return run(callback)


def print_result(
    result: "SweepResult", settings: dict[str, Any], runs: Path, *, as_json: bool = False, advise: bool = True
) -> None:
    """Print what a sweep found, and what to do next."""
    if as_json:
        print(json.dumps(result.summary()))
    elif not result.finished:
        print(f"stopped before the end; to continue:\n  {result.command}", flush=True)
    else:
        from vmsbench.cli.summary import next_steps, sweep_lines
        from vmsbench.cli.wrapping import say

        say(*sweep_lines(result.folder))
        if advise:
            print("\n".join(next_steps(settings, result.folder, runs)))
