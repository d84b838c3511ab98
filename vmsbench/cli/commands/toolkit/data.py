"""`vmsbench data`: check a dataset, or write a synthetic one."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmsbench.cli.options import Json
from vmsbench.errors import UserError

if TYPE_CHECKING:
    from vmsbench.data.pairs import Pairs

app = typer.Typer(help="Check data, or write a synthetic dataset.", no_args_is_help=True, rich_markup_mode=None)


@app.command("check")
def data_check(
    path: Annotated[Path, typer.Argument(help="A folder of images and maps.")],
    images: Annotated[str | None, typer.Option(help="The images' sub-folder (default: found by itself).")] = None,
    maps: Annotated[str | None, typer.Option(help="The maps' sub-folder (default: found by itself).")] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Where to write the picture of eight pairs (default: pairs.png, none with --json)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a dataset. Counts, sizes, channel statistics, what was read, what is odd, a picture of eight pairs.

    Every bad file is listed with the reason (exit code 1).
    """
    from vmsbench.data.inspection import check, lines

    checked = check(path, images, maps)
    print(json.dumps(checked.as_json(), indent=2) if as_json else "\n".join(lines(checked)))
    if len(checked.pairs) and (picture or not as_json):
        draw(checked.pairs, picture or Path("pairs.png"), quiet=as_json)
    if not checked.good:
        raise typer.Exit(1)


def draw(pairs: Pairs, file: Path, quiet: bool) -> None:
    """Raises UserError where the picture cannot be written."""
    from vmsbench.data.inspection import picture

    try:
        picture(pairs).save(file)
    except (OSError, ValueError) as error:  # Pillow raises ValueError for a suffix that it does not know
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{file} cannot be written ({reason}); --picture pairs.png names another file") from error
    if not quiet:
        print(f"  eight pairs to look at: {file}")


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
