"""`vmsbench ablate`: the effect of each option of one group."""

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
    Json,
    OnLogin,
    Overrides,
    Quiet,
    Runs,
)
from vmsbench.cli.sweep_commands import submit_search


def ablate(
    group: Annotated[str, typer.Argument(help="The group to vary: augment, target, network, ...")],
    exp: Exp,
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each option, one per seed.")] = 3,
    gpus: Gpus = None,
    cpus: Cpus = None,
    name: Annotated[str | None, typer.Option(help="The sweep's name (default: EXP-ablate-GROUP).")] = None,
    epochs: Epochs = None,
    runs: Runs = Path("runs"),
    retry: Annotated[bool, typer.Option("--retry", help="Try failed trials again.")] = False,
    accept_code: AcceptCode = False,
    quiet: Quiet = False,
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """Compare the options of one group, over several seeds. The report plots them."""
    from vmsbench.api.cluster.submission import option_words
    from vmsbench.config.compose import with_epochs
    from vmsbench.launch.submit import RunOptions
    from vmsbench.sweep.ablation import ablation, ablation_name

    settings = ablation(exp, group, seeds, with_epochs(overrides or [], epochs))
    named = ablation_name(exp, group) if name is None else name
    options = RunOptions(gpus=gpus, cpus=cpus, allow_login_node=allow_login_node)
    words = ["ablate", group, "--exp", exp, *(overrides or [])]
    code = submit_search(
        settings,
        overrides,
        named,
        runs=runs,
        words=option_words(words, seeds=seeds, name=name, epochs=epochs),
        options=options,
        retry=retry,
        accept_code=accept_code,
        quiet=quiet,
        as_json=as_json,
    )
    raise typer.Exit(code)
