"""`vmsbench evaluate`: score anybody's maps, with the blind baselines next to them."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vmsbench.cli.options import ConfigDir, Json, Overrides, Runs, writable

Answer = dict[str, Any]


def evaluate(
    predictions: Annotated[
        str, typer.Argument(help="A folder of predicted maps, a .npz file, or the word: baselines.")
    ],
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    data: Annotated[Path | None, typer.Option(help="The folder of images and true maps (default: data.root).")] = None,
    split: Annotated[str, typer.Option(help="Which pairs: test or validation.")] = "test",
    name: Annotated[str | None, typer.Option(help="Keep the test scores for the report under this name.")] = None,
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Score anybody's maps, with the blind baselines next to them."""
    from vmsbench.api.evaluation import evaluate as score
    from vmsbench.files import plain

    found = score(predictions, *(overrides or []), data=data, split=split, name=name, runs=writable(runs))
    print(json.dumps(plain(found.answer()), indent=2) if as_json else "\n".join(lines(found.answer())))
    for remark in found.remarks:
        print(f"note: {remark}", file=sys.stderr)


def lines(answer: Answer) -> list[str]:
    """The table, 80 columns wide."""
    data = answer["data"]
    channels = "red, green and blue" if data["channels_scored"] == 3 else "the one channel"
    split = "test" if data["split"] == "test" else "tuning validation"
    head = [
        f"{data['images']} {split} images of {data['title']}; errors over {channels}",
        f"{'predictor':<18} {'L1':>7} {'L1':>7} {'CRPS':>7} {'CC':>6} {'CC':>6}  skill, %, and",
        f"{'':<18} {'[-1,1]':>7} {'[0,1]':>7} {'[-1,1]':>7} {'true':>6} {'comb.':>6}  its 95 % interval",
    ]
    rows = []
    for name, one in sorted(answer["predictors"].items(), key=lambda item: item[1]["scores"]["crps"]):
        scores, gained = one["scores"], one["skill"]
        correlations = " ".join(f"{number(scores.get(f'cc_{which}'), 3):>6}" for which in ("true", "combined"))
        told = skill_words(gained) if gained else ""
        errors = " ".join(f"{scores[key]:>7.4f}" for key in ("l1", "l1_unit", "crps"))
        rows.append(f"{name[:18]:<18} {errors} {correlations} {told}")
    foot = ["skill: 1 - CRPS / CRPS of the pixel median, which never looks at an image"]
    for name, one in answer["predictors"].items():
        if one["kind"] == "given":
            foot.append(
                f"{name}: {one['verdict']}" + (" (no better than a constant map)" * (one["verdict"] == "no skill"))
            )
            fid = one["fid"]
            if fid["value"] is not None:
                floor = "" if fid["floor"] is None else f", real against real {fid['floor']:.2f}"
                foot.append(f"  {fid['name']} {fid['value']:.2f} over {fid['n']} maps{floor}; KID {fid['kid']:.4f}")
            else:
                foot.append(f"  FID n/a: {fid['reason']}")
    return head + rows + foot


def skill_words(gained: Mapping[str, float]) -> str:
    value, low, high = (100 * gained[key] for key in ("value", "low", "high"))
    return f"{value:6.1f} [{low:.1f}, {high:.1f}]"


def number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
