"""`vmsbench predict`: maps for pictures of any size, by a trained model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vmsbench.cli.options import (
    EncoderWeights,
    Quiet,
    Runs,
    expanded,
)
from vmsbench.cli.progress import terminal

if TYPE_CHECKING:
    from rich.progress import Progress

    from vmsbench.api.predictions import PredictionResult, PredictionRun


def predict(
    pictures: Annotated[
        Path, typer.Argument(metavar="IMAGE_OR_FOLDER", help="A picture, or a folder of them.", callback=expanded)
    ],
    model: Annotated[str, typer.Option(help="A sweep's name, a trial's or final's folder, or an MLflow run's id.")],
    out: Annotated[Path, typer.Option(help="The folder for maps/, overlays/ and uncertainty/.", callback=expanded)],
    samples: Annotated[int | None, typer.Option(help="Samples per picture (default: as in its finals).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, xpu, ...")] = "auto",
    npz: Annotated[bool, typer.Option("--npz", help="Write predictions.npz too.")] = False,
    encoder_weights: EncoderWeights = None,
    runs: Runs = Path("runs"),
    quiet: Quiet = False,
) -> None:
    """Predict the maps of pictures of any size.

    They are as large as their pictures; where some files cannot be read, these are listed at the end (exit code 1).

    A sweep's name means its best final: of the configuration that stands for it, the seed with the best tuning score.
    """
    settings = {"samples": samples, "device": device, "npz": npz, "encoder_weights": encoder_weights, "runs": runs}
    if not write_maps(pictures, model, out, settings, quiet):
        raise typer.Exit(1)


def write_maps(pictures: Path, model: str, out: Path, settings: dict[str, Any], quiet: bool) -> bool:
    """Write the maps of a picture, or of a folder of them, with progress; True where every file could be read."""
    from vmsbench.api.predictions import predict as write

    with progress_bar(quiet) as bar:

        def begin(run: PredictionRun) -> None:
            if not quiet:
                print("\n".join(head(pictures, run, settings["samples"])), flush=True)
            for warning in run.warnings:
                print(f"warning: {warning}", file=sys.stderr)
            bar.start(run.files)

        result = write(pictures, model=model, out=out, on_start=begin, on_file=bar.advance, **settings)
    report(result)
    if result.written:
        print("\n".join(places(result, settings["npz"])))
    return not result.failed and not result.unread


def head(pictures: Path, run: PredictionRun, samples: int | None) -> list[str]:
    each = f"{run.samples} samples each, " if run.samples > 1 else ""
    by = f"{run.files} picture{'s' * (run.files != 1)} by {run.model}: {each}{run.size} px on {run.device}"
    certain = ["  this model is deterministic: there is no uncertainty to map"] if (samples or 1) > run.samples else []
    return [f"read from {pictures}: {run.account}", by, *certain]


def report(result: PredictionResult) -> None:
    """Say on standard error which pictures got no map, which folders were not entered, and what is to be known of the
    rest."""
    from vmsbench.data.sources.names import printable, some

    if result.failed:
        print(f"{len(result.failed)} of {result.run.files} pictures got no map:", file=sys.stderr)
    for file, reason in result.failed:
        print(f"  {printable(str(file))}: {reason}", file=sys.stderr)
    for folder, reason in result.unread:
        print(f"  {printable(str(folder))}/: {reason}", file=sys.stderr)
    for said, names in result.remarks.items():
        print(f"note: {said}: {some(list(names))}", file=sys.stderr)


def places(result: PredictionResult, keep: bool) -> list[str]:
    out, count = result.out, result.run.samples
    lines = [f"{result.written} maps in {out / 'maps'}, on their pictures in {out / 'overlays'}"]
    if count > 1:
        lines.append(f"  the spread of {count} samples: {out / 'uncertainty'}, black for none, white for 0.5 in [0, 1]")
    if keep:
        lines.append(f"  arrays at {result.run.size} px: {out / 'predictions.npz'}")
    return lines


class Bar:
    """A progress bar over pictures; this one is not shown."""

    def start(self, total: int) -> None:
        """The first of so many pictures is about to be predicted."""

    def advance(self, file: Path) -> None:
        """A picture is done."""


class TerminalBar(Bar):
    """A progress bar in a terminal."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def start(self, total: int) -> None:
        self.task = self.progress.add_task("pictures", total=total)
        self.progress.start()

    def advance(self, file: Path) -> None:
        self.progress.advance(self.task)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Bar]:
    """A bar in a terminal; elsewhere, and where `quiet`, none."""
    if quiet or not terminal():
        yield Bar()
        return
    from rich.progress import Progress

    progress = Progress(transient=True)
    try:
        yield TerminalBar(progress)
    finally:
        progress.stop()
