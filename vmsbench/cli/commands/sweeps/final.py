"""`vmsbench final`: train the best configurations again from fresh seeds, and test them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
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
from vmsbench.cli.submission import command_line, submit


def final(
    name: Annotated[str, typer.Argument(help="A sweep whose search is finished.")],
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    top: Annotated[int, typer.Option(help="Number of best configurations to train.")] = 3,
    seeds: Annotated[int, typer.Option(help="Fresh seeds for each configuration.")] = 5,
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
    seeds add to the existing ones.
    """
    from vmsbench.api.sweeps import SweepResult, run_finals, settings_of
    from vmsbench.launch.submit import RunOptions
    from vmsbench.sweep.trial import Callback

    settings, places = settings_of(name, writable(runs), list(overrides or []))
    options = RunOptions(gpus=gpus, cpus=cpus, allow_login_node=allow_login_node)

    def train(callback: Callback) -> SweepResult:
        folder, command = runs / name, command_line()
        return run_finals(settings, places, folder, command, callback, top=top, seeds=seeds, cpus=cpus, gpus=gpus)

    code = submit(settings, overrides, name, train, runs=runs, options=options, quiet=quiet, as_json=as_json)
    raise typer.Exit(code)
