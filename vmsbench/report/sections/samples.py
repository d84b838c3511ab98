"""The test images again: what was shown, what was true, what each model predicted, and the L1 of each.

The data are rebuilt from the finals' own configuration. Where that fails, or gives other data, the pictures do
without image and truth, and `Samples.reason` says why.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from vmsbench.config.instantiate import build
from vmsbench.data.rendering import overlay
from vmsbench.metrics.baselines import PixelMedian
from vmsbench.metrics.scores import score
from vmsbench.report import labels
from vmsbench.report.blocks import Block, Bytes, Caution, FigureBlock, SampleGrid, SampleRow, Samples, Tile
from vmsbench.report.render.style import MUTED, style
from vmsbench.report.topic import Topic, Truth
from vmsbench.store.experiment_folder import PREDICTIONS
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup


def sample_blocks(topic: Topic) -> list[Block]:
    """For each model the test images on which it did best, middling and worst, with what the others made of them."""
    group, truth = topic.group, topic.truth
    blocks: list[Block] = []
    for model in group.models:
        samples = gather(group, truth, model)
        if samples.reason and Caution(samples.reason) not in blocks:
            blocks.append(Caution(samples.reason))
        if not samples.rows:
            continue
        sampled = any(column.startswith("Median of") for column in samples.columns)
        choice = f"the best, median and worst by L1 of {model} as one answer" if samples.rows[0].rank else "the first"
        caption = (
            f"{model}: test images, {choice}. Maps: green is true memory, red false memory. "
            "Under each prediction its L1 in [−1, 1]; half of it is the L1 in [0, 1]. "
            "Error: orange is too high, blue too low, black is right."
            + (
                " Of a model that samples, the pixelwise median is its one answer; one sample is next to it."
                if sampled
                else ""
            )
        )
        alt = f"{len(samples.rows)} test images, {choice}, with {labels.listing(c.lower() for c in samples.columns)}."
        picture = FigureBlock(f"samples-{group.stems[model]}", sample_grid(samples), alt, caption)
        blocks.append(SampleGrid(samples, picture))
        if not samples.rows[0].rank:
            break
    return blocks


def load_truth(group: SweepGroup) -> Truth:
    """Build the group's data from the first configuration that has some; whatever goes wrong becomes the reason."""
    configs = [final.config for sweep in group.sweeps for final in sweep.finals] + [s.config for s in group.sweeps]
    data = next((config["data"] for config in configs if config.get("data")), None)
    if data is None:
        return Truth(None, "no configuration says which data it used")
    try:
        dataset: Any = build(data)
        digest = dataset.digest
    except Exception as error:  # a dataset, perhaps a plugin's, may raise anything; the report goes without it
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
            with np.load(final.folder / PREDICTIONS) as file:
                names, pixels = [str(name) for name in file["names"]], file["predictions"]
        except Exception:  # numpy raises many kinds of error for a damaged archive; the next final may be whole
            continue
        if pixels.dtype == np.uint8 and pixels.ndim == 4 and len(names) == len(pixels):
            return final, dict(zip(names, pixels, strict=True))
    return None


def medians(final: FinalRecord) -> dict[str, Bytes]:
    """The pixelwise medians of a final's samples by image name; empty for a model with one answer."""
    try:
        with np.load(final.folder / PREDICTIONS) as file:
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
    answers = {label: images | medians(final) for label, (final, images) in found.items()}
    sampled = medians(found[model][0]) if model in found else {}
    if model in found:
        errors = answer_errors(*found[model])
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
                one, own = found[model][1][name], answers[model][name]
                if name in sampled:
                    tiles["One sample"] = Tile(shown(one), l1(one, real))
                called = f"Median of {found[model][0].samples}" if name in sampled else model
                tiles[called] = Tile(shown(own), l1(own, real))
                tiles["On the image"] = Tile(laid_over(seen, own))
                tiles["Its error"] = Tile(error_map(own, real))
            if truth.median is not None:
                tiles["Pixel median"] = Tile(shown(truth.median), l1(truth.median, real))
            if "oracle_median" in dataset.oracle:
                oracle = dataset.oracle["oracle_median"][at].cpu().numpy()
                tiles["Oracle median"] = Tile(shown(oracle), l1(oracle, real))
        for label, (final, _) in found.items():
            if label in tiles or (label == model and real is not None):
                continue
            known, map_ = final.per_image.get(name, {}).get(answer_key(final)), answers[label][name]
            tiles[label] = Tile(shown(map_), known if real is None else l1(map_, real))
        rows.append(SampleRow(name, rank, tiles))
    columns = tuple(dict.fromkeys(column for row in rows for column in row.tiles))
    return Samples(columns, tuple(rows), f"Image and truth are missing: {truth.reason}." if not dataset else "")


def answer_key(final: FinalRecord) -> str:
    return "l1_median" if any("l1_median" in row for row in final.per_image.values()) else "l1"


def answer_errors(final: FinalRecord, images: Mapping[str, Bytes]) -> dict[str, float]:
    """The L1 of the one answer for each of the images that has one."""
    key = answer_key(final)
    return {name: scores[key] for name, scores in final.per_image.items() if key in scores and name in images}


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


def sample_grid(samples: Samples) -> Figure:
    """A row per test image, a column per predictor, the L1 in [-1, 1] under each prediction."""
    across, down = max(1, len(samples.columns)), max(1, len(samples.rows))
    with style():
        figure = Figure(figsize=(0.45 + 1.12 * across, 0.55 + 1.3 * down))
        grid = figure.subplots(down, across, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for row, line in zip(samples.rows, grid, strict=False):
            line[0].text(
                -0.1, 0.5, row.rank, transform=line[0].transAxes, rotation=90, va="center", ha="right", color=MUTED
            )
            for column, axes in zip(samples.columns, line, strict=True):
                if column in row.tiles:
                    tile = row.tiles[column]
                    axes.imshow(tile.pixels, interpolation="nearest")
                    if tile.l1 is not None:
                        axes.text(
                            0.5, -0.04, f"{tile.l1:.3f}", transform=axes.transAxes, ha="center", va="top", color=MUTED
                        )
        for axes, column in zip(grid[0], samples.columns, strict=False):
            axes.text(0.5, 1.05, column, transform=axes.transAxes, ha="center", va="bottom", weight="bold", fontsize=8)
        edge, top = 0.3 / figure.get_figwidth(), 0.3 / figure.get_figheight()
        figure.text(
            0.99, 0.02 / figure.get_figheight(), "below each prediction: L1 in [−1, 1]", ha="right", color=MUTED
        )
        figure.subplots_adjust(edge, 0.4 / figure.get_figheight(), 0.99, 1 - top, wspace=0.06, hspace=0.2)
    return figure
