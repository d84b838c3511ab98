"""`vmsbench tune`: search for the best configuration, and test it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
    AcceptCode,
    ConfigDir,
    Cpus,
    Epochs,
    Exp,
    Gpus,
    Hours,
    Json,
    Nodes,
    OnLogin,
    Overrides,
    PerGpu,
    Quiet,
    Runs,
    SweepName,
    writable,
)
from vmsbench.cli.sweep_commands import settings_for, submit_search


def tune(
    exp: Exp,
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    per_gpu: PerGpu = None,
    name: SweepName = None,
    epochs: Epochs = None,
    runs: Runs = Path("runs"),
    retry: Annotated[bool, typer.Option("--retry", help="Try failed trials again.")] = False,
    accept_code: AcceptCode = False,
    quiet: Quiet = False,
    as_json: Json = False,
    nodes: Nodes = None,
    hours: Hours = None,
    wait: Annotated[bool, typer.Option("--wait", help="On a cluster: show the job's log until it is over.")] = False,
    show: Annotated[bool, typer.Option("--print", help="On a cluster: only print the batch script.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="On a cluster: only ask whether it would accept the job.")
    ] = False,
    allow_login_node: OnLogin = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Only print what it would take, as vmsbench plan does.")
    ] = False,
) -> None:
    """Search for the best configuration, and test it.

    The same command continues a sweep that was interrupted.
    """
    from vmsbench.api.cluster.submission import option_words
    from vmsbench.launch.submit import RunOptions

    settings = settings_for(exp, overrides, epochs, per_gpu)
    options = RunOptions(nodes=nodes, gpus=gpus, cpus=cpus, time=hours, allow_login_node=allow_login_node)
    if dry:
        from vmsbench.cli.commands.sweeps.plan import show_plan

        show_plan(
            settings, list(overrides or []), exp if name is None else name, writable(runs), options, True, as_json
        )
        return
    words = option_words(["tune", "--exp", exp, *(overrides or [])], per_gpu=per_gpu, name=name, epochs=epochs)
    code = submit_search(
        settings,
        overrides,
        exp if name is None else name,
        runs=runs,
        words=words,
        options=options,
        retry=retry,
        accept_code=accept_code,
        quiet=quiet,
        as_json=as_json,
        wait=wait,
        show=show,
        check=check,
    )
    raise typer.Exit(code)
