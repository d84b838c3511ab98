"""`vmsbench data`: check a dataset, or write a synthetic one."""

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Check data, or write a synthetic dataset.", no_args_is_help=True, rich_markup_mode=None)


@app.command("check")
def data_check(
    path: Annotated[Path, typer.Argument(help="A folder of images and maps.")],
    images: Annotated[str | None, typer.Option(help="The images' sub-folder (default: found by itself).")] = None,
    maps: Annotated[str | None, typer.Option(help="The maps' sub-folder (default: found by itself).")] = None,
    picture: Annotated[Path, typer.Option(help="Where to write the picture of eight pairs.")] = Path("pairs.png"),
) -> None:
    """Check a dataset. Counts, sizes, channel statistics, a picture of eight pairs, every bad file with the reason."""
    from vmsbench.data.inspection import check, lines
    from vmsbench.data.inspection import picture as draw

    checked = check(path, images, maps)
    print("\n".join(lines(checked)))
    if len(checked.pairs):
        draw(checked.pairs).save(picture)
        print(f"  eight pairs to look at: {picture}")
    if not checked.good:
        raise typer.Exit(1)


@app.command("standin")
def data_standin(
    path: Annotated[Path, typer.Argument(help="The folder to write.")],
    count: Annotated[int, typer.Option(help="Number of pairs.")] = 640,
    size: Annotated[int, typer.Option(help="Height and width in pixels.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the formula.")] = 0,
) -> None:
    """Write synthetic data.

    In the layout of VISCHEMA PLUS, with the best possible predictions.
    """
    from vmsbench.data.standin import write_standin

    start = time.monotonic()
    write_standin(path, count, size, seed)
    print(f"{count} pairs of {size} px in {time.monotonic() - start:.0f} s: {path}")
    print(f"next: vmsbench tune --exp unet preset=quick data=vischema {shlex.quote(f'data.root={path}')}")
