"""`vmsbench data`: check a dataset, or write a synthetic one."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmsbench.cli.options import Json, expanded
from vmsbench.cli.wrapping import say
from vmsbench.errors import UserError
from vmsbench.files import check_place

if TYPE_CHECKING:
    from vmsbench.data.inspection import DataCheck

app = typer.Typer(help="Check data, or write a synthetic dataset.", no_args_is_help=True, rich_markup_mode=None)


@app.command("check")
def data_check(
    path: Annotated[Path, typer.Argument(help="A folder of images and maps.", callback=expanded)],
    images: Annotated[str | None, typer.Option(help="The images' sub-folder (default: found by itself).")] = None,
    maps: Annotated[str | None, typer.Option(help="The maps' sub-folder (default: found by itself).")] = None,
    repeats: Annotated[
        list[str] | None,
        typer.Option(help="A sub-folder of maps by another annotator, as in data.repeats; given once for each."),
    ] = None,
    fixations: Annotated[
        str | None, typer.Option(help="The sub-folder of fixation maps, as in data.fixations.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the picture of eight pairs (default: pairs.png, none with --json).", callback=expanded
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a dataset. Counts, sizes, channel statistics, what was read, what is odd, a picture of eight pairs.

    Every bad file is listed with the reason, and what to do (exit code 1).
    """
    from vmsbench.api.toolkit.datasets import check_data
    from vmsbench.data.inspection import lines

    if picture is not None:
        check_place(picture.absolute().parent, "--picture")
    checked = check_data(path, images=images, maps=maps, repeats=repeats, fixations=fixations)
    print(json.dumps(checked.as_json(), indent=2) if as_json else "\n".join(lines(checked)))
    if len(checked.pairs) and (picture or not as_json):
        draw(checked, picture or Path("pairs.png"), quiet=as_json)
    if not checked.good:
        say(remedy(checked, as_json), to=sys.stderr)
        raise typer.Exit(1)


def remedy(checked: DataCheck, as_json: bool) -> str:
    count, where = len(checked.problems), '"problems"' if as_json else "the list above"
    return (
        f"{count} bad in {where}: a sweep that uses one of these refuses it; replace each, or remove it together with "
        "its partner and its line in the list"
    )


def draw(checked: DataCheck, file: Path, quiet: bool) -> None:
    """Raises UserError where the picture cannot be written."""
    try:
        checked.picture().save(file)
    except (OSError, ValueError) as error:  # Pillow raises ValueError for a suffix that it does not know
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{file} cannot be written ({reason}); --picture pairs.png names another file") from error
    if not quiet:
        print(f"  eight pairs to look at: {file}")


@app.command("standin")
def data_standin(
    path: Annotated[Path, typer.Argument(help="The folder to write.", callback=expanded)],
    count: Annotated[int, typer.Option(help="Number of pairs.")] = 640,
    size: Annotated[int, typer.Option(help="Height and width in pixels.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the formula.")] = 0,
) -> None:
    """Write synthetic data.

    In the layout of VISCHEMA PLUS, with the best possible predictions.
    """
    from vmsbench.api.toolkit.datasets import write_standin

    start = time.monotonic()
    write_standin(path, count=count, size=size, seed=seed)
    print(f"{count} pairs of {size} px in {time.monotonic() - start:.0f} s: {path}")
    print(f"next: vmsbench tune --exp unet preset=quick data=vischema {shlex.quote(f'data.root={path}')}")
