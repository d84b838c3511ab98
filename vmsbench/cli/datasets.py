"""The commands of `vmsbench data`. Heavy imports happen inside them."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at data, or make a stand-in.", no_args_is_help=True, rich_markup_mode=None)


@app.command("check")
def data_check(
    path: Annotated[Path, typer.Argument(help="A folder of images and maps.")],
    images: Annotated[str | None, typer.Option(help="The images' sub-folder, where it is not found by itself.")] = None,
    maps: Annotated[str | None, typer.Option(help="The maps' sub-folder, where it is not found by itself.")] = None,
    picture: Annotated[Path, typer.Option(help="Where the picture of eight pairs is written.")] = Path("pairs.png"),
) -> None:
    """Look a dataset over. Counts, sizes, channel statistics, eight pairs to see, every bad file with the reason."""
    from vmsbench.cli.data import check_folder

    if not check_folder(path, images, maps, picture):
        raise typer.Exit(1)


@app.command("standin")
def data_standin(
    path: Annotated[Path, typer.Argument(help="The folder to write.")],
    count: Annotated[int, typer.Option(help="Pairs.")] = 640,
    size: Annotated[int, typer.Option(help="Pixels.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the formula.")] = 0,
) -> None:
    """Make stand-in data by a formula. It is laid out as VISCHEMA PLUS, the best possible predictions beside it."""
    from vmsbench.cli.data import make_standin

    make_standin(path, count, size, seed)
