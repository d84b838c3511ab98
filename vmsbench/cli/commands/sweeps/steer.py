"""`vmsbench stop`, `pause`, `extend` and `add`: steer a sweep while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import Runs
from vmsbench.config.commands import command_on

Running = Annotated[str, typer.Argument(help="A sweep that is running.")]


def stop(
    name: Running,
    trial: Annotated[str, typer.Argument(help="A running trial of it, or the beginning of its name.")],
    runs: Runs = Path("runs"),
) -> None:
    """Stop one trial of a running sweep. It ends with its epoch; the search counts it as pruned."""
    from vmsbench.api.steering import stop as ask

    print(f"{name}: trial {ask(name, trial, runs=runs)} is to stop at the end of its epoch")


def pause(name: Running, runs: Runs = Path("runs")) -> None:
    """Pause a running sweep. Its trials save at the end of their epochs; `vmsbench resume` continues it."""
    from vmsbench.api.steering import pause as ask

    ask(name, runs=runs)
    print(f"{name}: to pause once its trials end their epochs; `{command_on('resume', runs / name)}` continues it")


def extend(
    name: Running,
    budget: Annotated[str, typer.Argument(help="More than it has, in the same unit, such as 40gpuh.")],
    runs: Runs = Path("runs"),
) -> None:
    """Give a running sweep a larger budget."""
    from vmsbench.api.steering import extend as ask

    ask(name, budget, runs=runs)
    print(f"{name}: to continue up to budget={budget}")


def add(
    name: Running,
    option: Annotated[str, typer.Argument(metavar="PARAM=VALUE", help="Such as model.network.width=128.")],
    runs: Runs = Path("runs"),
) -> None:
    """Let a running coordinate search try one more value.

    Of a parameter that it has not settled yet.
    """
    from vmsbench.api.steering import add as ask
    from vmsbench.config.compose import value_of
    from vmsbench.config.schema import UNFIT
    from vmsbench.errors import ConfigurationError

    param, _, text = option.partition("=")
    if (value := value_of(text)) is UNFIT or not text:
        raise ConfigurationError(f"{option} is not PARAM=VALUE with one value; model.network.width=128 is")
    ask(name, param, value, runs=runs)
    print(f"{name}: to try {option} too")
