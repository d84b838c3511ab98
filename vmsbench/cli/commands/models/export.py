"""`vmsbench export`: a trained model as a file for other programs, checked to give the same maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
    Json,
    Runs,
    expanded,
)


def export_command(
    model: Annotated[str, typer.Argument(help="A sweep's name, a trial's or final's folder, or an MLflow run's id.")],
    format: Annotated[str, typer.Option("--format", help="onnx or torchscript.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(help="The file (default: NAME.onnx or NAME.pt).", callback=expanded)
    ] = None,
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Write a sweep's best final as ONNX or TorchScript. The file is checked to give the same maps."""
    export_model(model, format, out, runs, as_json)


def export_model(model: str, format: str, out: Path | None, runs: Path, as_json: bool) -> None:
    from vmsbench.api.predictions import export
    from vmsbench.inference.export import TOLERANCE

    made = export(model, format=format, out=out, runs=runs)
    apart = made.largest_difference
    if as_json:
        print(json.dumps({"file": str(made.file), "of": str(made.source), "largest_difference": apart}))
        return
    print(f"{made.file}: {made.file.stat().st_size / 1e6:.1f} MB, from {made.source}")
    print(f"  same maps to within {apart:.1g} in [0, 1] (tolerance {TOLERANCE:.1g}); inputs and outputs:")
    print(f"  {made.description}")
