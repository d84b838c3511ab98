"""`vmsbench evaluate`: score predicted maps, with the blind baselines next to them."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vmsbench.cli.options import ConfigDir, Json, Overrides, Runs, expanded, writable
from vmsbench.cli.wrapping import broken

Answer = dict[str, Any]
WIDTH = 80
ABREAST, MOST = 3, 10
"""How many scores at fixations a table has next to each other, and the letters of a heading, to fit the width."""
SCALES = f"{'[-1,1]':>7} {'[0,1]':>7} {'skill, %':>9}"


def evaluate(
    predictions: Annotated[
        str, typer.Argument(help="A folder of predicted maps, a .npz file, or the word: baselines.")
    ],
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    data: Annotated[
        Path | None, typer.Option(help="The folder of images and true maps (default: data.root).", callback=expanded)
    ] = None,
    split: Annotated[str, typer.Option(help="Which pairs: test or validation.")] = "test",
    name: Annotated[str | None, typer.Option(help="Keep the test scores for the report under this name.")] = None,
    validation_predictions: Annotated[
        Path | None,
        typer.Option(
            help="The same for the tuning validation pairs, to dress single answers (default: PREDICTIONS).",
            callback=expanded,
        ),
    ] = None,
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Score predicted maps, with the blind baselines next to them."""
    from vmsbench.api.evaluation import evaluate as score
    from vmsbench.files import plain

    where: Answer = {"data": data, "runs": writable(runs), "validation_predictions": validation_predictions}
    found = score(predictions, *(overrides or []), split=split, name=name, **where)
    read = [line for long in found.account for line in wrapped(long)]
    print(json.dumps(plain(found.answer()), indent=2) if as_json else "\n".join([*read, *lines(found.answer())]))
    for remark in found.remarks:
        print(f"note: {remark}", file=sys.stderr)


def wrapped(line: str) -> list[str]:
    indent = len(line) - len(line.lstrip())
    return broken(line, WIDTH, first=" " * indent, then=" " * (indent + 4))


def lines(answer: Answer) -> list[str]:
    """The table, 80 columns wide."""
    data = answer["data"]
    channels = "red, green and blue" if data["channels_scored"] == 3 else "the one channel"
    split = "test" if data["split"] == "test" else "tuning validation"
    head = [
        f"{data['images']} {split} images of {data['title']}; errors over {channels}",
        f"{'':<20} as one answer: L1           as a distribution: CRPS    CC",
        f"{'predictor':<20} {SCALES}  {SCALES} {'true':>5}",
    ]
    rows = [row(name, one) for name, one in sorted(answer["predictors"].items(), key=lambda item: answered(item[1]))]
    seen = fixation_lines(answer["predictors"])
    return [*head, *rows, *foot(answer["predictors"]), *seen, *people_lines(data.get("people") or {})]


def fixation_lines(predictors: Mapping[str, Answer]) -> list[str]:
    """The table of the scores at fixations, where the data have some, and the verdicts on given predictions."""
    seen = {name: one for name, one in predictors.items() if "fixations" in one}
    if not seen:
        return []
    keys = list(dict.fromkeys(key for one in seen.values() for key in one["fixations"]))
    ordered = sorted(seen, key=lambda name: loss_at_fixations(keys[0], seen[name]["fixations"]))
    against = {one["reference"]: None for name in seen for one in seen[name]["fixations"].values()}
    about = f"gain: over the best predictor that never looks at the image, {' or '.join(against)}"
    about += "; bits: information gain over the centre bias" if "ig" in keys else ""
    tables: list[str] = []
    for some in (keys[at : at + ABREAST] for at in range(0, len(keys), ABREAST)):
        tables += [fixation_head(some), *(fixation_row(name, some, seen[name]["fixations"]) for name in ordered)]
    given = [line for name in ordered if seen[name]["kind"] == "given" for line in fixation_verdicts(name, seen[name])]
    return [*tables, *broken(about, WIDTH), *given]


def loss_at_fixations(key: str, found: Answer) -> float:
    """What is lower for a better predictor; infinite for one without the score."""
    from vmsbench.metrics.catalog import metric

    value = found.get(key, {}).get("score")
    return math.inf if value is None else metric(key).loss(value)


def heading(key: str) -> str:
    """NSS, AUC-Judd; of a label with a unit the unit: bits."""
    from vmsbench.metrics.catalog import metric

    return metric(key).label.rpartition(", ")[2][:MOST]


def column_width(key: str) -> int:
    return max(7, len(heading(key)))


def fixation_head(keys: Sequence[str]) -> str:
    cells = (f"{heading(key):>{column_width(key)}} {'gain':>7}" for key in keys)
    return f"{'at fixations':<20} {'  '.join(cells)}"


def fixation_row(name: str, keys: Sequence[str], found: Answer) -> str:
    cells = []
    for key in keys:
        one = found.get(key, {"score": None, "gain": None})
        gain = "-" if one["gain"] is None else signed(one["gain"]["value"])
        cells.append(f"{number(one['score'], 3):>{column_width(key)}} {gain:>7}")
    return f"{name[:20]:<20} {'  '.join(cells)}"


def fixation_verdicts(name: str, one: Answer) -> list[str]:
    from vmsbench.metrics.catalog import metric

    lines = []
    for key, found in one["fixations"].items():
        if gain := found["gain"]:
            ends = f"{signed(gain['value'])} [{signed(gain['low'])}, {signed(gain['high'])}]"
            line = f"{name}, {metric(key).label.partition(', ')[0]}: {found['verdict']}, gain {ends}"
            lines += broken(line, WIDTH, then="  ")
    return lines


def signed(value: float) -> str:
    return f"{value:+.3f}"


def people_lines(people: Answer) -> list[str]:
    """The agreement between two halves of the people, and the ceiling that it sets for every map's CC at 20 x 20."""
    if not people:
        return []
    how = "as published" if people["published"] else "measured"
    known = {which: r for which, r in people["split_half"].items() if r is not None}
    said = [f"{which} {r:.3f}, ceiling {people['ceiling'][which]:.3f}" for which, r in known.items()]
    text = f"people, half to half, {how}: CC {'; '.join(said)} ({people['source']})"
    return broken(text, WIDTH, then="  ") if said else []


def answered(one: Answer) -> float:
    """A predictor's L1 as one answer: that of its samples' median where it has several."""
    return float(one["scores"].get("l1_median", one["scores"]["l1"]))


def row(name: str, one: Answer) -> str:
    """A predictor as one answer and as a distribution; a dash where an answer that is not dressed is none."""
    scores, law = one["scores"], one["tracks"]["distribution"]
    answer = in_both_scales(answered(one), one["tracks"]["answer"]["skill"])
    undressed = law["verdict"] and law["skill"] is None
    found = in_both_scales(None if undressed else scores[law["metric"]], law["skill"])
    correlation = scores.get("cc_true_mean", scores.get("cc_true"))
    return f"{name[:20]:<20} {answer}  {found} {number(correlation, 3):>5}"


def in_both_scales(error: float | None, skill: Mapping[str, float] | None) -> str:
    half = None if error is None else error / 2
    gained = None if skill is None else round(100 * skill["value"], 1) + 0.0  # -0.0 is 0.0
    return f"{number(error, 4):>7} {number(half, 4):>7} {number(gained, 1):>9}"


def foot(predictors: Mapping[str, Answer]) -> list[str]:
    """The definition of skill; for given predictions its verdict and interval; the Frechet distances."""
    tracks = next(iter(predictors.values()))["tracks"]
    text = (
        "skill: 1 - score / the score of the best predictor that never looks at the image: "
        f"{tracks['answer']['reference']} as one answer (a sampler answers with the median of its samples), "
        f"{tracks['distribution']['reference']} as a distribution"
    )
    out = broken(text, WIDTH)
    for name, one in predictors.items():
        if one["kind"] == "given":
            for track, words in (("answer", "as one answer"), ("distribution", "as a distribution")):
                found = one["tracks"][track]
                interval = f", skill {skill_words(found['skill'])}" if found["skill"] else ""
                out += broken(f"{name}, {words}: {found['verdict']}{interval}", WIDTH, then="  ")
            for line in calibrated(one):
                out += broken(line, WIDTH, first="  ", then="  ")
            out += broken(distance_line(one["fid"]), WIDTH, first="  ", then="  ")
    return out


def calibrated(one: Answer) -> list[str]:
    """What its samples are as a distribution, and its one answer once it is dressed."""
    words = {"samples": "its samples", "dressed": "its one answer, dressed"}
    found = [f"{words[key]}: {said.get('verdict', said.get('reason'))}" for key, said in one["calibration"].items()]
    pairs, crps = one["dressing"]["pairs"], one["scores"].get("crps_dressed")
    if crps is not None and pairs:
        found.append(f"dressed with its errors on {pairs} tuning validation pairs: CRPS {crps:.4f} in [-1,1]")
    return found


def distance_line(fid: Mapping[str, Any]) -> str:
    """The distances next to those of a blind draw of training maps; where FID is n/a, an encoder's."""
    if fid["value"] is None:
        instead = fid.get("encoder")
        rest = f". {distance_line(instead)}" if instead and instead["value"] is not None else ""
        rest = f"; {instead['reason']}" if instead and not rest else rest
        return f"{'FID' if fid['name'].startswith('FID') else fid['name']} n/a: {fid['reason']}{rest}"
    floor = "" if fid["floor"] is None else f", real against real {fid['floor']:.2f}"
    blind = fid.get("random_value")
    drawn = "" if blind is None else f", random training maps {blind:.2f} (KID {fid['random_kid']:.4f})"
    return f"{fid['name']} {fid['value']:.2f} over {fid['n']} maps{floor}; KID {fid['kid']:.4f}{drawn}"


def skill_words(gained: Mapping[str, float]) -> str:
    """25.1 % [23.4, 26.8]"""
    value, low, high = (100 * gained[key] for key in ("value", "low", "high"))
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"


def number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
