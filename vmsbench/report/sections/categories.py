"""Per category: how well each model does on it in both tracks, next to what never looks at the image."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.report import labels
from vmsbench.report.analysis.ranking import Ranking
from vmsbench.report.analysis.tracks import Entry, Track, blind_errors
from vmsbench.report.blocks import Block, FigureBlock, TableBlock, Text
from vmsbench.report.cells import both_scales, data_words
from vmsbench.report.render.style import HAIR, INK, MUTED, PAPER, colors, plain, second_scale, style
from vmsbench.report.render.tables import Cell, Column, Part, Table, words
from vmsbench.report.topic import Topic
from vmsbench.store.records import SweepGroup

BLIND = {"answer": ("pixel_median", "category_median"), "distribution": ("climatology", "category_climatology")}
Means = Mapping[str, float]


@dataclass(frozen=True)
class ByCategory:
    """A track's score per category: of each entry, and of each blind predictor, by its label."""

    track: Track
    models: Mapping[str, Means]
    blind: Mapping[str, Means]

    @property
    def all(self) -> Mapping[str, Means]:
        return {**self.models, **self.blind}


def category_blocks(topic: Topic) -> list[Block]:
    group, truth, suffix = topic.group, topic.truth, topic.suffix
    categories = truth.categories or {}
    found = [one for ranking in topic.rankings.both if (one := by_categories(group, ranking, categories)).models]
    images = image_table(topic, categories, f"images{suffix}")
    blocks: list[Block] = []
    for one in found if categories else []:
        table = category_table(group, one, categories, f"categories-{one.track.name}{suffix}")
        score = labels.metric(one.track.score)
        how = "a sampler by its samples, a single answer dressed" if one.track.name == "distribution" else (
            "a model that samples by the pixelwise median of its samples"
        )  # fmt: skip
        blocks += [
            FigureBlock(
                table.name,
                category_figure(group, one, categories),
                f"Test {score} {one.track.words} of each model on each category; the numbers are in the table.",
                f"Test {score} per category {one.track.words} ({how}), with its number of images; the hardest for "
                f"what "
                "never looks at the image (grey) on top.",
                per_row=2,
            )
        ]
    blocks += [
        TableBlock(category_table(group, one, categories, f"categories-{one.track.name}{suffix}"))
        for one in (found if categories else [])
    ]
    if not blocks:
        why = truth.reason or "the data have no categories, or no final has scores per image"
        blocks.append(Text(f"None: {why}. Give a file of categories with `data.categories=FILE`."))
    if images:
        blocks += [TableBlock(images, aside=True), Text(f"Per image: `tables/{images.name}.csv`.")]
    return blocks


def by_categories(group: SweepGroup, ranking: Ranking, categories: Mapping[str, str]) -> ByCategory:
    """Empty where no final has the track's score per image."""
    track = ranking.track
    models = {label: per_image(one.entry, track.score) for label, one in ranking.standings.items()}
    blind = {labels.predictor(name): blind_errors(group, name, track.score) for name in BLIND[track.name]}
    return ByCategory(track, means_of(models, categories), means_of(blind, categories))


def means_of(found: Mapping[str, Mapping[str, float]], categories: Mapping[str, str]) -> dict[str, Means]:
    """The means over each category's images; what has no score at all is left out."""
    means: dict[str, Means] = {}
    for label, errors in found.items():
        sorted_: dict[str, list[float]] = {}
        for name, value in errors.items():
            if name in categories:
                sorted_.setdefault(categories[name], []).append(value)
        if sorted_:
            means[label] = {category: fmean(values) for category, values in sorted_.items()}
    return means


def per_image(entry: Entry, score: str) -> dict[str, float]:
    """The score of each test image, the mean over the finals' seeds; only images that every final scored."""
    images = entry.images(score)
    return dict(zip(images, entry.per_image(score, images).mean(axis=0).tolist(), strict=True)) if images else {}


def counts(categories: Mapping[str, str]) -> dict[str, int]:
    return {category: list(categories.values()).count(category) for category in sorted(set(categories.values()))}


def category_table(group: SweepGroup, found: ByCategory, categories: Mapping[str, str], name: str) -> Table:
    """The track's score per category in both scales, next to what never looks at the image."""
    score = found.track.score
    columns = [Column("category", "Category", text=True), Column("images", "Images")]
    for label in found.all:
        columns += [
            Column(f"{label} {score}", f"{label} [−1, 1]"),
            Column(f"{label} {score}_unit", f"{label} [0, 1]", hidden=True),
        ]
    rows = tuple(
        (
            words(category),
            Cell(count, str(count)),
            *(c for m in found.all.values() for c in both_scales(score, m.get(category))),
        )
        for category, count in counts(categories).items()
    )
    caption = (
        f"Test {labels.metric(score)} {found.track.words} per category ({data_words(group)}); in [0, 1] it is half."
    )
    return Table(name, caption, tuple(columns), (Part("", rows),))


def category_figure(group: SweepGroup, found: ByCategory, categories: Mapping[str, str]) -> Figure:
    """A row per category, the hardest for the blind predictor on top; a dot per model, hollow ones dressed or blind."""
    sizes, shades = counts(categories), colors(group.sweeps)
    named = {group.label(sweep): shades[sweep.name] for sweep in group.sweeps}
    hardest = next(iter(found.blind.values()), {})
    order = sorted(sizes, key=lambda category: -hardest.get(category, 0.0))
    with style():
        figure = Figure(figsize=(6.6, 1.45 + 0.27 * len(order)), layout="constrained")
        axes = figure.subplots()
        for label, means in found.all.items():
            rows = [row for row, category in enumerate(order) if category in means]
            axes.plot(
                [means[order[row]] for row in rows], rows, label=label, ls="", mew=1.2,
                **style_of(label, found, named.get(label.removesuffix(", dressed"), INK)),
            )  # fmt: skip
        axes.set_yticks(range(len(order)), [f"{category} ({sizes[category]})" for category in order])
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="y", color=HAIR, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"test {labels.metric(found.track.score)} {found.track.words}, in [−1, 1] (lower is better)")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
        second_scale(axes, "x")
        figure.legend(loc="outside lower center", ncols=3, handletextpad=0.2, columnspacing=1.4)
    return figure


def style_of(label: str, found: ByCategory, color: str) -> dict[str, Any]:
    if label in found.blind:
        marker = "o" if label == next(iter(found.blind)) else "s"
        return {"marker": marker, "ms": 5, "mfc": PAPER, "mec": MUTED, "zorder": 3}
    hollow = label.endswith(", dressed")
    return {"marker": "o", "ms": 6, "mfc": PAPER if hollow else color, "mec": color, "zorder": 4}


def image_table(topic: Topic, categories: Mapping[str, str], name: str = "images") -> Table | None:
    """Every test image's score in both tracks and scales, the mean over seeds; None where no final has any."""
    found = {}
    for ranking in topic.rankings.both:
        score = ranking.track.score
        for label, one in ranking.standings.items():
            found[label, score] = per_image(one.entry, score)
        for blind in BLIND[ranking.track.name]:
            found[labels.predictor(blind), score] = blind_errors(topic.group, blind, score)
    found = {key: errors for key, errors in found.items() if errors}
    if not found:
        return None
    columns = [Column("image", "Image", text=True), Column("category", "Category", text=True)]
    for label, score in found:
        shown = f"{label} {labels.metric(score)}"
        columns += [Column(f"{label} {score}", f"{shown} [−1, 1]"), Column(f"{label} {score}_unit", f"{shown} [0, 1]")]
    rows = tuple(
        (
            words(image),
            words(categories.get(image)),
            *(c for (_, score), m in found.items() for c in both_scales(score, m.get(image))),
        )
        for image in next(iter(found.values()))
    )
    caption = f"Test scores per image, L1 as one answer and CRPS as a distribution ({data_words(topic.group)})."
    return Table(name, caption, tuple(columns), (Part("", rows),))
