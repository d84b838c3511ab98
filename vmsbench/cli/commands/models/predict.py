"""`vmsbench predict`: maps for pictures of any size, by a trained model."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from vmsbench.cli.options import (
    Quiet,
    Runs,
)
from vmsbench.cli.progress import terminal
from vmsbench.errors import UserError


def predict(
    pictures: Annotated[Path, typer.Argument(metavar="IMAGE_OR_FOLDER", help="A picture, or a folder of them.")],
    model: Annotated[str, typer.Option(help="A sweep's name, a trial's or final's folder, or an MLflow run's id.")],
    out: Annotated[Path, typer.Option(help="The folder for maps/, overlays/ and uncertainty/.")],
    samples: Annotated[int | None, typer.Option(help="Samples per picture (default: as in its finals).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    npz: Annotated[bool, typer.Option("--npz", help="Write predictions.npz too.")] = False,
    runs: Runs = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Predict the maps of pictures of any size.

    They are as large as their pictures; unreadable files are listed at the end (exit code 1).

    A sweep's name means its best final: of the configuration that stands for it, the seed with the best tuning score.
    """
    if not write_maps(pictures, model, out, samples, device, npz, runs, quiet):
        raise typer.Exit(1)


def write_maps(
    pictures: Path, model: str, out: Path, samples: int | None, device: str, keep: bool, runs: Path, quiet: bool
) -> bool:
    """Write the maps of a picture, or of a folder of them; True where every file could be read."""
    from vmsbench.api.models import model_folder
    from vmsbench.data.sources.names import some
    from vmsbench.inference.images import Writer, find
    from vmsbench.inference.images import predict as predict_files
    from vmsbench.inference.predictor import load

    if samples is not None and samples < 1:
        raise UserError(f"--samples {samples}: at least 1")
    found = find(pictures, out)
    files = found.files
    folder = model_folder(model, runs)
    predictor = load(folder, device)
    count = (samples or predictor.samples) if predictor.model.random else 1
    if not quiet:
        print(f"read from {pictures}: {found.account}")
        each = f"{count} samples each, " if count > 1 else ""
        print(f"{len(files)} pictures by {folder}: {each}{predictor.size} px on {predictor.device}", flush=True)
        if samples and samples > count:
            print("  this model is deterministic: there is no uncertainty to map")
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    writer = Writer(out, keep)
    done = predict_files(predictor, files, writer, count)
    unreadable = [(file, reason) for file, reason in shown(done, len(files), quiet) if reason]
    if unreadable:
        print(f"{len(unreadable)} of {len(files)} files could not be read:", file=sys.stderr)
        for file, reason in unreadable:
            print(f"  {file}: {reason}", file=sys.stderr)
    for said, names in writer.odd.items():
        print(f"note: {said}: {some(names)}", file=sys.stderr)
    if len(unreadable) == len(files):
        return False
    print(f"{len(files) - len(unreadable)} maps in {out / 'maps'}, on their pictures in {out / 'overlays'}")
    if count > 1:
        print(f"  the spread of {count} samples: {out / 'uncertainty'}, black for none, white for 0.5 in [0, 1]")
    if keep:
        print(f"  arrays at {predictor.size} px: {out / 'predictions.npz'}")
    return not unreadable


def shown(done: Iterable[tuple[Path, str]], total: int, quiet: bool) -> Iterator[tuple[Path, str]]:
    """The same, with a progress bar in a terminal."""
    if quiet or not terminal():
        yield from done
        return
    from rich.progress import track

    progress: Any = track(done, description="pictures", total=total, transient=True)
    yield from progress
