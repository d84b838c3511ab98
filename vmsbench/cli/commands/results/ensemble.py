"""`vmsbench ensemble`: the finals of a sweep as one predictor."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.commands.results.evaluate import lines
from vmsbench.cli.options import EncoderWeights, Json, Runs, writable
from vmsbench.config.commands import command_on


def ensemble(
    name: Annotated[str, typer.Argument(help="A sweep with two finals or more of its best configuration.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, xpu, ...")] = "auto",
    encoder_weights: EncoderWeights = None,
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Score the finals of a sweep together, as one predictor.

    Nothing is trained. The report has it in its tables, and `vmsbench predict --model NAME/ensemble` predicts with it.
    """
    from vmsbench.api.ensembles import ensemble as score
    from vmsbench.files import plain

    def begin(members: Sequence[str]) -> None:
        print(f"{name}: {len(members)} finals together, {', '.join(members)}", file=sys.stderr)

    found = score(name, runs=writable(runs), device=device, encoder_weights=encoder_weights, on_start=begin)
    answer = found.evaluation.answer()
    print(json.dumps(plain(answer | {"members": found.members}), indent=2) if as_json else "\n".join(lines(answer)))
    print(f"kept in {found.folder}; `{command_on('report', runs / name)}` has it in its tables", file=sys.stderr)
