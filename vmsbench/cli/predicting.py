"""`vmsbench predict`: maps for pictures of any size, by a trained model."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vmsbench.cli.models import model_folder
from vmsbench.cli.progress import terminal
from vmsbench.errors import UserError


def predict(
    pictures: Path, model: str, out: Path, samples: int | None, device: str, keep: bool, runs: Path, quiet: bool
) -> bool:
    """Write the maps of a picture, or of a folder of them; True where every file could be read."""
    from vmsbench.inference.images import Writer, find
    from vmsbench.inference.images import predict as write_maps
    from vmsbench.inference.predictor import load

    if samples is not None and samples < 1:
        raise UserError(f"--samples {samples}: at least 1")
    files = find(pictures, out)
    folder = model_folder(model, runs)
    predictor = load(folder, device)
    count = (samples or predictor.samples) if predictor.model.random else 1
    if not quiet:
        each = f"{count} samples each, " if count > 1 else ""
        print(f"{len(files)} pictures by {folder}: {each}{predictor.size} px on {predictor.device}", flush=True)
        if samples and samples > count:
            print("  this model gives one answer: there is no uncertainty to map")
    done = write_maps(predictor, files, Writer(out, keep), count)
    unreadable = [(file, reason) for file, reason in shown(done, len(files), quiet) if reason]
    if unreadable:
        print(f"{len(unreadable)} of {len(files)} files could not be read:", file=sys.stderr)
        for file, reason in unreadable:
            print(f"  {file}: {reason}", file=sys.stderr)
    if len(unreadable) == len(files):
        return False
    print(f"{len(files) - len(unreadable)} maps in {out / 'maps'}, on their pictures in {out / 'overlays'}")
    if count > 1:
        print(f"  the spread of {count} samples: {out / 'uncertainty'}, black for none, white for 0.5 in [0, 1]")
    if keep:
        print(f"  arrays at {predictor.size} px: {out / 'predictions.npz'}")
    return not unreadable


def shown(done: Iterable[tuple[Path, str]], total: int, quiet: bool) -> Iterator[tuple[Path, str]]:
    """The same, with a bar in a terminal."""
    if quiet or not terminal():
        yield from done
        return
    from rich.progress import track

    progress: Any = track(done, description="pictures", total=total, transient=True)
    yield from progress
