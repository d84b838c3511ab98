"""`vmsbench tradeoff`: scores by sampling steps and samples of a model that samples in steps."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from vmsbench.cli.options import (
    Runs,
    writable,
)
from vmsbench.errors import UserError
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.sweep_folder import TRADEOFF, SweepFolder
from vmsbench.store.sweeps import sweep_named


def tradeoff(
    name: Annotated[str, typer.Argument(help="A sweep whose model samples in steps, such as diffusion.")],
    steps: Annotated[str, typer.Option(help="Numbers of sampling steps.")] = "10,25,50,250",
    samples: Annotated[str, typer.Option(help="Numbers K of samples per image.")] = "1,4,16",
    images: Annotated[int, typer.Option(min=2, help="Tuning validation pairs, at most.")] = 64,
    runs: Runs = Path("runs"),
) -> None:
    """Scores and seconds by sampling steps and samples. On tuning validation pairs; the report plots them."""
    measure(name, writable(runs), steps, samples, images)


def measure(name: str, runs: Path, steps: str, samples: str, images: int) -> None:
    """Score the sweep's best model under each number of steps and samples on tuning validation pairs, and print it.

    The result is runs/NAME/tradeoff.json. No test pair is read. Raises UserError where the data have changed.
    """

    from vmsbench.api.models import model_folder
    from vmsbench.config.instantiate import build
    from vmsbench.data.encoded.features import unwatched
    from vmsbench.inference.predictor import load
    from vmsbench.inference.sampling_sweep import blind_levels
    from vmsbench.inference.sampling_sweep import tradeoff as sampling_sweep

    folder = sweep_named(name, runs)
    chosen = model_folder(name, runs)
    config = ExperimentFolder(chosen).config()
    dataset = build(config["data"])
    if dataset.digest != config["data"]["digest"]:
        raise UserError(f"the data of {name} changed after it was trained (digest {dataset.digest[:12]}); restore them")
    predictor = load(chosen, config["device"])
    encoder, cache = predictor.model.sight.encoder, config["data"]["cache"]
    validation = dataset.seen(encoder, cache, predictor.device, unwatched, "validation")
    there = len(validation)
    count = min(images, there)
    pairs = validation.subset([at * there // count for at in range(count)])  # evenly from the list
    rows: list[dict[str, Any]] = []
    print(f"{name}: {chosen.name}, {len(pairs)} tuning validation pairs")
    print("  steps  samples   L1 of one   L1 of median      CRPS   s per image")
    for row in sampling_sweep(predictor, pairs, numbers(steps, "--steps"), numbers(samples, "--samples")):
        rows.append(row)
        print(
            f"{row['steps']:>7} {row['samples']:>8} {row['l1']:>11.4f} {row['l1_median']:>14.4f} {row['crps']:>9.4f} "
            f"{row['seconds_per_image']:>13.3g}",
            flush=True,
        )
    blind = blind_levels(dataset.train, pairs)
    median, law = blind["pixel_median"]["l1"], blind["climatology"]["crps"]
    print(f"  what never looks at the image: L1 of the pixel median {median:.4f}, CRPS of climatology {law:.4f}")
    about = {"model": chosen.name, "split": "validation", "images": len(pairs), "digest": dataset.digest}
    about |= {"device": str(predictor.device), "created": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    SweepFolder(folder).write_document(TRADEOFF, about | {"blind": blind, "rows": rows})
    print(f"kept in {folder / TRADEOFF}; vmsbench report {shlex.quote(name)} plots it", file=sys.stderr)


def numbers(text: str, option: str) -> list[int]:
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise UserError(f"{option} {text}: whole numbers with commas between, such as 10,50") from error
