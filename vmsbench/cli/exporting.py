"""`vmsbench export`: the winner as a file for other programs, checked for equal answers."""

import json
from pathlib import Path

from vmsbench.cli.models import model_folder


def export_model(model: str, format: str, out: Path | None, runs: Path, as_json: bool) -> None:
    from vmsbench.inference.export import TOLERANCE, export
    from vmsbench.inference.predictor import load

    folder = model_folder(model, runs)
    suffix = {"torchscript": ".pt"}.get(format, f".{format}")
    file = out or Path(f"{Path(model).name}{suffix}")
    apart = export(load(folder, "cpu"), file, format)
    if as_json:
        print(json.dumps({"file": str(file), "of": str(folder), "largest_difference": apart}))
        return
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, from {folder}")
    print(f"  the same maps, to {apart:.1g} in [0, 1] ({TOLERANCE:.1g} would be refused); what goes in and out:")
    print(f"  {file.with_suffix('.json')}")
