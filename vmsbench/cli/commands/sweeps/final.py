"""`vmsbench final`: train the best configurations again from fresh seeds, and test them."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from vmsbench.cli.options import (
    AcceptCode,
    ConfigDir,
    Cpus,
    Gpus,
    Json,
    OnLogin,
    Overrides,
    Quiet,
    Runs,
    writable,
)
from vmsbench.cli.sweep_commands import command_line, submit


def final(
    name: Annotated[str, typer.Argument(help="A sweep whose search is finished.")],
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    top: Annotated[int, typer.Option(help="Number of best configurations to train.")] = 3,
    seeds: Annotated[int, typer.Option(help="Fresh seeds for each configuration.")] = 5,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Score the finals again from their weights, here, without training.")
    ] = False,
    accept_code: AcceptCode = False,
    gpus: Gpus = None,
    cpus: Cpus = None,
    runs: Runs = Path("runs"),
    quiet: Quiet = False,
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """Test a sweep's best configurations, trained from fresh seeds.

    They learn from the training pairs; where patience or keep=best is set, the tuning validation pairs decide when a
    training ends and which epoch is kept, as in the search. The same command continues what was interrupted; more
    seeds add to the existing ones. With --rescore the finals that are there are scored again by this version, from
    the weights that were kept; the test pairs are read once more for each, which is counted.
    """
    from vmsbench.store.runs_folder import sweep_named

    sweep_named(name, writable(runs))  # before torch is imported
    from vmsbench.api.cluster.submission import option_words
    from vmsbench.api.sweep_results import SweepResult
    from vmsbench.api.sweeps import rescore as score_again
    from vmsbench.api.sweeps import run_finals
    from vmsbench.cli.summary import sweep_lines
    from vmsbench.cli.wrapping import say
    from vmsbench.files import plain
    from vmsbench.launch.submit import RunOptions
    from vmsbench.sweep.sweep_settings import settings_of
    from vmsbench.sweep.trial import Callback

    if rescore:
        tell = partial(print, file=sys.stderr, flush=True)
        done = score_again(name, *(overrides or []), runs=writable(runs), on_progress=tell)
        say(*([json.dumps(plain(done.summary()), indent=2)] if as_json else sweep_lines(done.folder)))
        return
    settings, places = settings_of(name, writable(runs), list(overrides or []))
    options = RunOptions(gpus=gpus, cpus=cpus, allow_login_node=allow_login_node)

    def train(callback: Callback) -> SweepResult:
        folder, command = runs / name, command_line()
        own: dict[str, Any] = {"accept_code": accept_code, "cpus": cpus, "gpus": gpus}
        return run_finals(settings, places, folder, command, callback, top=top, seeds=seeds, **own)

    shown: dict[str, Any] = {"quiet": quiet, "as_json": as_json}
    words = option_words(["final", name, *(overrides or [])], top=top, seeds=seeds)
    where: dict[str, Any] = {"runs": runs, "words": words, "options": options, "accept_code": accept_code}
    code = submit(settings, overrides, name, train, **where, **shown)
    raise typer.Exit(code)
