"""`vmsbench tradeoff`: scores by sampling steps and samples of a model that samples in steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vmsbench.cli.options import (
    EncoderWeights,
    Runs,
    writable,
)
from vmsbench.config.commands import command_on
from vmsbench.errors import UserError


def tradeoff(
    name: Annotated[str, typer.Argument(help="A sweep whose model samples in steps, such as diffusion.")],
    steps: Annotated[str, typer.Option(help="Numbers of sampling steps.")] = "10,25,50,250",
    samples: Annotated[str, typer.Option(help="Numbers K of samples per image.")] = "1,4,16",
    images: Annotated[int, typer.Option(min=2, help="Tuning validation pairs, at most.")] = 64,
    encoder_weights: EncoderWeights = None,
    runs: Runs = Path("runs"),
) -> None:
    """Scores and seconds by sampling steps and samples. On tuning validation pairs; the report plots them."""
    measure(name, writable(runs), steps, samples, images, encoder_weights)


def measure(name: str, runs: Path, steps: str, samples: str, images: int, encoder_weights: Path | None) -> None:
    """Print each row when it is measured."""
    from vmsbench.api.predictions import tradeoff as score

    wanted: dict[str, Any] = {"steps": numbers(steps, "--steps"), "samples": numbers(samples, "--samples")}
    wanted |= {"runs": runs, "encoder_weights": encoder_weights}

    def head(model: Path, pairs: int) -> None:
        print(f"{name}: {model.name}, {pairs} tuning validation pairs")
        print("  steps  samples   L1 of one   L1 of median      CRPS   s per image")

    found = score(name, **wanted, images=images, on_start=head, on_row=print_row)
    median, law = found.blind["pixel_median"]["l1"], found.blind["climatology"]["crps"]
    print(f"  what never looks at the image: L1 of the pixel median {median:.4f}, CRPS of climatology {law:.4f}")
    print(f"kept in {found.file}; `{command_on('report', runs / name)}` plots it", file=sys.stderr)


def print_row(row: dict[str, Any]) -> None:
    print(
        f"{row['steps']:>7} {row['samples']:>8} {row['l1']:>11.4f} {row['l1_median']:>14.4f} {row['crps']:>9.4f} "
        f"{row['seconds_per_image']:>13.3g}",
        flush=True,
    )


def numbers(text: str, option: str) -> list[int]:
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise UserError(f"{option} {text}: whole numbers with commas between, such as 10,50") from error
