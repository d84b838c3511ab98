"""The test images again: what was shown, what was true, what each model predicted, and the L1 of each.

The data are rebuilt from the finals' own configuration. Where that fails, or gives other data, the pictures do
without image and truth, and `Samples.reason` says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vmsbench.config.instantiate import build
from vmsbench.data.pairs import Dataset
from vmsbench.data.rendering import overlay
from vmsbench.metrics.baselines import PixelMedian
from vmsbench.metrics.scores import score
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Tile:
    """A picture, S x S x 3 bytes, and its L1 in [-1, 1] to the truth where it is a prediction and that is known."""

    pixels: Bytes
    l1: float | None = None


@dataclass(frozen=True)
class SampleRow:
    name: str
    rank: str
    tiles: Mapping[str, Tile]


@dataclass(frozen=True)
class Samples:
    """Rows of tiles under `columns`; `reason` says what is missing and why, and is empty where nothing is."""

    columns: tuple[str, ...]
    rows: tuple[SampleRow, ...]
    reason: str = ""


@dataclass(frozen=True)
class Truth:
    """The group's data loaded again, or None and why."""

    dataset: Dataset | None
    reason: str = ""
    median: Bytes | None = None
    categories: Mapping[str, str] | None = None


def load_truth(group: SweepGroup) -> Truth:
    """Build the group's data from the first configuration that has some; whatever goes wrong becomes the reason."""
    configs = [final.config for sweep in group.sweeps for final in sweep.finals] + [s.config for s in group.sweeps]
    data = next((config["data"] for config in configs if config.get("data")), None)
    if data is None:
        return Truth(None, "no configuration says which data it used")
    try:
        dataset: Any = build(data)
        digest = dataset.digest
    except Exception as error:
        return Truth(None, f"the data cannot be loaded any more ({type(error).__name__}: {error})")
    if digest != group.data.digest:
        return Truth(
            None, f"the data have changed since (digest {digest[:12]}, the sweeps saw {group.data.digest[:12]})"
        )
    test = dataset.test
    median = (PixelMedian(dataset.train).map.cpu().numpy() * 255).round().astype(np.uint8)
    categories = dict(zip(test.names, test.categories, strict=True)) if test.categories else None
    return Truth(dataset, "", median, categories)


def padded(pixels: Bytes, channels: int) -> Bytes:
    """C x S x S bytes with as many channels as the file's maps: predictions of two have no blue."""
    missing = channels - len(pixels)
    return np.pad(pixels, ((0, missing), (0, 0), (0, 0))) if missing > 0 else pixels


def l1(prediction: Bytes, truth: Bytes) -> float:
    """The L1 in [-1, 1] of one map (C x S x S bytes, as predicted) to another, by the one metric function."""
    predicted, true = (torch.from_numpy(np.ascontiguousarray(one))[None].float() / 255 for one in (prediction, truth))
    return float(score(predicted, true, light=True)["l1"] or 0.0)


def shown(pixels: Bytes) -> Bytes:
    """C x S x S bytes as S x S x 3: two channels with blue = 0, one channel as grey."""
    full = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else padded(pixels, 3)
    return np.ascontiguousarray(full[:3].transpose(1, 2, 0))


TOO_MUCH, TOO_LITTLE, FULL = (255, 140, 40), (70, 170, 255), 0.5


def error_map(prediction: Bytes, truth: Bytes) -> Bytes:
    """Where a map (C x S x S) says too much, orange, and too little, blue, as S x S x 3 bytes; black where it is right.

    The channels' differences are added up; from FULL of a channel's range on the colour is full.
    """
    apart = padded(prediction, len(truth)).astype(np.float32) - truth.astype(np.float32)
    share = np.clip(apart.sum(axis=0) / (255 * FULL), -1, 1)[..., None]
    colour = np.where(share > 0, np.array(TOO_MUCH, np.float32), np.array(TOO_LITTLE, np.float32))
    return np.ascontiguousarray((np.abs(share) * colour).round().astype(np.uint8))


def laid_over(image: Bytes, map_: Bytes) -> Bytes:
    """A map over its image in grey, as S x S x 3 bytes."""
    seen = overlay(torch.from_numpy(np.ascontiguousarray(image)), torch.from_numpy(np.ascontiguousarray(map_)))
    return np.ascontiguousarray(seen.numpy().transpose(1, 2, 0))


def predictions(finals: Sequence[FinalRecord]) -> tuple[FinalRecord, dict[str, Bytes]] | None:
    """The first of the finals with a readable predictions.npz, and its first samples by image name."""
    for final in finals:
        try:
            with np.load(final.folder / "predictions.npz") as file:
                names, pixels = [str(name) for name in file["names"]], file["predictions"]
        except Exception:
            continue
        if pixels.dtype == np.uint8 and pixels.ndim == 4 and len(names) == len(pixels):
            return final, dict(zip(names, pixels, strict=True))
    return None


def medians(final: FinalRecord) -> dict[str, Bytes]:
    """The pixelwise medians of a final's samples by image name; empty for a model with one answer."""
    try:
        with np.load(final.folder / "predictions.npz") as file:
            return dict(zip((str(name) for name in file["names"]), file["median"], strict=True))
    except (OSError, KeyError, ValueError):
        return {}


def gather(group: SweepGroup, truth: Truth, model: str, count: int = 6) -> Samples:
    """Pictures of `count` test images: the best, median and worst by L1 of the model labelled so, else the first."""
    found = {label: read for label, finals in group.models.items() if (read := predictions(finals))}
    if not found:
        return Samples((), (), "no final has left predictions.npz")
    common = [name for name in next(iter(found.values()))[1] if all(name in images for _, images in found.values())]
    errors: dict[str, float] = {}
    middle: dict[str, Bytes] = {}
    if model in found:
        final, images = found[model]
        middle = medians(final)
        errors = {name: scores["l1"] for name, scores in final.per_image.items() if "l1" in scores and name in images}
    dataset = truth.dataset
    place = {name: at for at, name in enumerate(dataset.test.names)} if dataset else {}
    rows = []
    for name, rank in chosen(common, errors, count):
        tiles: dict[str, Tile] = {}
        real = None
        if dataset and name in place:
            at = place[name]
            real, seen = dataset.test.maps[at].cpu().numpy(), dataset.test.images[at].cpu().numpy()
            tiles["Image"] = Tile(shown(seen))
            tiles["Truth"] = Tile(shown(real))
            if model in found:
                own = found[model][1][name]
                tiles[model] = Tile(shown(own), l1(own, real))
                tiles["On the image"] = Tile(laid_over(seen, own))
                tiles["Its error"] = Tile(error_map(own, real))
                if name in middle:
                    count = found[model][0].results.get("samples", "K")
                    tiles[f"Median of {count}"] = Tile(shown(middle[name]), l1(middle[name], real))
            if truth.median is not None:
                tiles["Pixel median"] = Tile(shown(truth.median), l1(truth.median, real))
            if "oracle_median" in dataset.oracle:
                oracle = dataset.oracle["oracle_median"][at].cpu().numpy()
                tiles["Oracle median"] = Tile(shown(oracle), l1(oracle, real))
        for label, (final, images) in found.items():
            if label in tiles:
                continue
            known = final.per_image.get(name, {}).get("l1")
            tiles[label] = Tile(shown(images[name]), known if real is None else l1(images[name], real))
        rows.append(SampleRow(name, rank, tiles))
    columns = tuple(dict.fromkeys(column for row in rows for column in row.tiles))
    return Samples(columns, tuple(rows), f"Image and truth are missing: {truth.reason}." if not dataset else "")


def chosen(names: Sequence[str], errors: Mapping[str, float], count: int) -> list[tuple[str, str]]:
    """(name, rank): two best, two around the median and two worst of `count` = 6, or the first `count`."""
    ranked = sorted((name for name in names if name in errors), key=lambda name: errors[name])
    third = (count + 1) // 3
    if len(ranked) < max(count, 1):
        return [(name, "") for name in names[:count]]
    middle = count - 2 * third
    start = (len(ranked) - middle) // 2
    return (
        [(name, "best") for name in ranked[:third]]
        + [(name, "median") for name in ranked[start : start + middle]]
        + [(name, "worst") for name in ranked[-third:]]
    )


def by_category(finals: Sequence[FinalRecord], categories: Mapping[str, str], key: str = "l1") -> dict[str, float]:
    """The mean of a score over each category of the test set, over the finals' seeds."""
    errors = per_image(finals, key)
    groups: dict[str, list[float]] = {}
    for name, category in categories.items():
        if name in errors:
            groups.setdefault(category, []).append(errors[name])
    return {category: fmean(values) for category, values in groups.items()}


def per_image(finals: Sequence[FinalRecord], key: str = "l1") -> dict[str, float]:
    """A score of each test image, the mean over the finals' seeds; only images that every final scored."""
    known = [final.per_image for final in finals if final.per_image]
    if not known:
        return {}
    return {
        name: fmean(scores[name][key] for scores in known)
        for name in known[0]
        if all(key in scores.get(name, {}) for scores in known)
    }
