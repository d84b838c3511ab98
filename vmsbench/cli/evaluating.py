"""Predicted maps from anywhere, and the blind baselines, scored by the one metric function."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from vmsbench.config.compose import compose
from vmsbench.data.cache import expand
from vmsbench.data.layout import detect, is_vischema
from vmsbench.data.pairs import Dataset, Pairs
from vmsbench.errors import UserError
from vmsbench.files import append_line, plain, read_lines, save_json
from vmsbench.metrics.baselines import Given, Oracle, Predictor, baselines
from vmsbench.metrics.baselines import evaluate as score
from vmsbench.metrics.external import check_there, read_predictions
from vmsbench.metrics.frechet import distances
from vmsbench.metrics.inception import find_weights
from vmsbench.metrics.significance import skill, verdict
from vmsbench.sweep.tune import experiment_part, prepared
from vmsbench.training.checks import check_fid, chosen_device
from vmsbench.training.evaluation import save_predictions
from vmsbench.versions import SCHEMA, read_checked

BASELINES = "baselines"
REFERENCE = "pixel_median"
Answer = dict[str, Any]


def evaluate(
    predictions: str, overrides: list[str], data: Path | None, split: str, runs: Path, as_json: bool, name: str | None
) -> None:
    """Score `predictions` (a path, or the word baselines) beside the blind baselines, and print the table.

    With a name their test scores are kept under runs/outside/, where the report finds them.
    """
    if name is not None and (not name or "/" in name or name.startswith(".")):
        raise UserError(f"--name {name}: it is a folder's name, such as deepgaze")
    if split not in ("test", "validation"):
        raise UserError(f"--split {split}: test or validation")
    if name is not None and split != "test":
        raise UserError(f"--name {name} keeps test scores for the report; leave out --split {split}")
    if predictions != BASELINES:
        check_there(Path(predictions))
    config, dataset = prepared(experiment_part(settings_for(data, overrides)), runs)
    check_fid(config)
    pairs = dataset.test if split == "test" else dataset.validation
    blind = {n: p for n, p in baselines(dataset).items() if split == "test" or not isinstance(p, Oracle)}
    given: dict[str, Predictor] = {}
    remarks: list[str] = []
    if predictions != BASELINES:
        called = name or Path(predictions).resolve().name
        if called in blind:
            raise UserError(f"--name {called} is a baseline's; choose another --name")
        others = [other for part in (dataset.train, dataset.validation, dataset.test) for other in part.names]
        maps, remarks = read_predictions(Path(predictions), pairs, others)
        given = {called: Given(pairs.names, maps)}
    answer: Answer = {
        "data": about(dataset, pairs, split),
        "predictors": standings(given | blind, pairs),
        "remarks": remarks,
    }
    for known in given:
        answer["predictors"][known]["fid"] = frechet(given[known], pairs, dataset, config)
        if name is not None and split == "test":
            store(runs / "outside" / name, answer, maps, dataset, Path(predictions))
    if as_json:
        print(json.dumps(plain(answer), indent=2))
    else:
        print("\n".join(lines(answer)))
    for remark in remarks:
        print(f"note: {remark}", file=sys.stderr)


def settings_for(data: Path | None, overrides: list[str]) -> dict[str, Any]:
    """All settings, with the folder `data` read as what it looks like, unless data=OPTION says what it is."""
    if data is None:
        return compose("unet", overrides)
    if given := next((o for o in overrides if o.startswith("data.root=")), None):
        raise UserError(f"--data {data} and {given} both say where the data lie; give one of them")
    if any(o.startswith("data=") for o in overrides):
        settings = compose("unet", overrides)
    elif is_vischema(data):
        settings = compose("unet", ["data=vischema", *overrides])
    else:
        layout = detect(data)
        settings = compose("unet", ["data=folder", *overrides])
        settings["data"] |= {"images": layout.images.name, "maps": layout.maps.name}
        settings["data"] |= {listed: path.name for listed, path in layout.lists.items()}
        settings["data"] |= {"categories": layout.categories.name if layout.categories else None}
    settings["data"]["root"] = str(data)
    return settings


def about(dataset: Dataset, pairs: Pairs, split: str) -> Answer:
    return {
        "title": dataset.title,
        "digest": dataset.digest,
        "size": dataset.size,
        "coding": dataset.coding,
        "split": split,
        "images": len(pairs),
        "channels_scored": pairs.maps.shape[1],
    }


def standings(predictors: dict[str, Predictor], pairs: Pairs) -> dict[str, Answer]:
    """Each predictor's scores, its skill against the pixel median with its interval, and what that means."""
    scored = {name: score(predictor, pairs) for name, predictor in predictors.items()}
    blind = scored[REFERENCE].per_image()["crps"].cpu().numpy()
    found: dict[str, Answer] = {}
    for name, predictor in predictors.items():
        gained = skill(scored[name].per_image()["crps"].cpu().numpy(), blind) if blind.mean() > 0 else None
        interval = {"value": gained.value, "low": gained.low, "high": gained.high} if gained else None
        kind = "oracle" if isinstance(predictor, Oracle) else "given" if isinstance(predictor, Given) else "blind"
        word = verdict(gained, float(blind.mean())) if gained and kind == "given" else kind
        found[name] = {"kind": kind, "verdict": word, "skill": interval, "scores": scored[name].result()}
    return found


def frechet(predictor: Predictor, pairs: Pairs, dataset: Dataset, config: dict[str, Any]) -> Answer:
    """The distances of the set of predictions (the first sample of each image), where there are Inception weights."""
    maps = predictor.predict(pairs)
    first = maps[:, 0] if maps.ndim == 5 else maps
    weights, cache = find_weights(config["fid"]["weights"]), expand(config["data"]["cache"])
    device = chosen_device(config["device"])
    return distances(pairs.maps, first, dataset.train.maps, weights, device, cache=cache)


def store(folder: Path, answer: Answer, maps: Tensor, dataset: Dataset, source: Path) -> None:
    """Keep outside predictions as a final keeps its own, so that the report has them in its tables.

    Raises UserError where the name is another's already.
    """
    file = folder / "results.json"
    if file.exists() and (kept := read_checked(file)["source"]) != str(source.resolve()):
        raise UserError(f"--name {folder.name} is that of {kept}; choose another, or remove {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    append_line(folder / "test_reads.jsonl", {"time": time.time(), "digest": dataset.digest})
    samples = maps if maps.ndim == 5 else maps[:, None]
    save_predictions(folder, dataset.test, dataset.train, (samples * 255).round().byte(), per_image(maps, dataset.test))
    mine = answer["predictors"][folder.name]
    results = {
        "schema": SCHEMA,
        "exp": "outside",
        "source": str(source.resolve()),
        "samples": samples.shape[1],
        "dataset": answer["data"],
    }
    reads = len(list(read_lines(folder / "test_reads.jsonl")))
    save_json(file, results | {"test_scores": mine["scores"], "fid": mine["fid"], "test_reads": reads})


def per_image(maps: Tensor, pairs: Pairs) -> dict[str, Tensor]:
    return score(Given(pairs.names, maps), pairs, light=True).per_image()


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
