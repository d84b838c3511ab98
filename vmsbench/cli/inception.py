"""The commands of `vmsbench weights`. Heavy imports happen inside them."""

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import Json

app = typer.Typer(help="What FID needs.", no_args_is_help=True, rich_markup_mode=None)


@app.command("check")
def weights_check(
    path: Annotated[Path | None, typer.Argument(help="The file; looked for in $TORCH_HOME, unless told.")] = None,
    as_json: Json = False,
) -> None:
    """Whether FID's Inception weights are there. And the official ones, and how to carry them to a cluster."""
    from vmsbench.cli.weights import check_weights

    if not check_weights(path, as_json):
        raise typer.Exit(1)
