"""`vmsbench resume`: continue a sweep by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from vmsbench.cli.sweep_commands import submit_search


def resume(
    name: Annotated[str, typer.Argument(help="A sweep that was started.")],
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    gpus: Gpus = None,
    cpus: Cpus = None,
    runs: Runs = Path("runs"),
    retry: Annotated[bool, typer.Option("--retry", help="Try failed trials again.")] = False,
    accept_code: AcceptCode = False,
    quiet: Quiet = False,
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """Continue a sweep with the settings it was started with.

    budget=, slots, device and the places of files may change.
    """
    from vmsbench.launch.submit import RunOptions
    from vmsbench.sweep.sweep_settings import settings_to_resume

    settings = settings_to_resume(name, writable(runs), list(overrides or []))
    options = RunOptions(gpus=gpus, cpus=cpus, allow_login_node=allow_login_node)
    code = submit_search(
        settings,
        overrides,
        name,
        runs=runs,
        words=["resume", name, *(overrides or [])],
        options=options,
        retry=retry,
        accept_code=accept_code,
        quiet=quiet,
        as_json=as_json,
    )
    raise typer.Exit(code)
