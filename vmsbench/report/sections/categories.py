"""Per category: how well each model does on it, next to the map that ignores the image."""

from collections.abc import Mapping
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.report.blocks import Block, FigureBlock, TableBlock, Text
from vmsbench.report.cells import both_scales, data_words
from vmsbench.report.render.style import HAIR, INK, MUTED, PAPER, colors, plain, second_scale, style
from vmsbench.report.render.tables import Cell, Column, Part, Table, words
from vmsbench.report.sections.samples import by_category, per_image
from vmsbench.report.topic import Topic
from vmsbench.store.records import SweepGroup

BLIND = "Pixel median"


def category_blocks(topic: Topic) -> list[Block]:
    group, truth, suffix = topic.group, topic.truth, topic.suffix
    categories = truth.categories or {}
    table = category_table(group, categories, f"categories{suffix}") if categories else None
    images = image_table(group, categories, f"images{suffix}")
    blocks: list[Block] = []
    if table:
        blocks.append(
            FigureBlock(
                f"categories{suffix}",
                category_figure(group, categories),
                "Test CRPS of each model on each category, ordered by that of the pixel median.",
                "Test CRPS per category, with its number of images; the category that is hardest for the "
                "pixel median on top. CRPS is "
                "the L1 of a model with one answer, and fair to one that samples; the table has the L1 of one map.",
            )
        )
        blocks.append(TableBlock(table))
    else:
        why = truth.reason or "the data have no categories, or no final has scores per image"
        blocks.append(Text(f"None: {why}. Give a file of categories with `data.categories=FILE`."))
    if images:
        blocks += [TableBlock(images, aside=True), Text(f"Per image: `tables/{images.name}.csv`.")]
    return blocks


def errors(group: SweepGroup, categories: Mapping[str, str], key: str = "l1") -> dict[str, dict[str, float]]:
    """{model or pixel median: {category: test score}}; empty where no final has that score per image."""
    found = {label: by_category(finals, categories, key) for label, finals in group.models.items()}
    blind = (by_category(finals, categories, f"pixel_median_{key}") for finals in group.models.values())
    found[BLIND] = next((means for means in blind if means), {})
    return {label: means for label, means in found.items() if means}


def counts(categories: Mapping[str, str]) -> dict[str, int]:
    return {category: list(categories.values()).count(category) for category in sorted(set(categories.values()))}


def category_table(group: SweepGroup, categories: Mapping[str, str], name: str = "categories") -> Table | None:
    """Test L1 per category in both scales, next to the pixel median's; None where no final has scores per image."""
    found = errors(group, categories)
    if not found:
        return None
    columns = [Column("category", "Category", text=True), Column("images", "Images")]
    for label in found:
        columns += [Column(f"{label} l1", f"{label} [−1, 1]"), Column(f"{label} l1_unit", f"{label} [0, 1]")]
    rows = tuple(
        (
            words(category),
            Cell(count, str(count)),
            *(c for m in found.values() for c in both_scales("l1", m.get(category))),
        )
        for category, count in counts(categories).items()
    )
    return Table(name, f"Test L1 per category ({data_words(group)}).", tuple(columns), (Part("", rows),))


def category_figure(group: SweepGroup, categories: Mapping[str, str]) -> Figure:
    """A row per category, the hardest for the pixel median on top; a dot per model, the pixel median's hollow.

    By CRPS, fair to a model that samples; by L1 where the finals have no CRPS per image.
    """
    fair, sizes, shades = errors(group, categories, "crps"), counts(categories), colors(group.sweeps)
    found = fair or errors(group, categories)
    named = {group.label(sweep): shades[sweep.name] for sweep in group.sweeps}
    order = sorted(sizes, key=lambda c: -fmean([found[BLIND][c]] if c in found.get(BLIND, {}) else [0.0]))
    with style():
        figure = Figure(figsize=(6.6, 1.25 + 0.27 * len(order)), layout="constrained")
        axes = figure.subplots()
        for label, means in found.items():
            blind = label == BLIND
            rows = [row for row, category in enumerate(order) if category in means]
            axes.plot(
                [means[order[row]] for row in rows], rows, "o", ms=5 if blind else 6, mew=1, label=label,
                mfc=PAPER if blind else named.get(label, INK), mec=MUTED if blind else named.get(label, INK),
                zorder=3 if blind else 4,
            )  # fmt: skip
        axes.set_yticks(range(len(order)), [f"{category} ({sizes[category]})" for category in order])
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="y", color=HAIR, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"test {'CRPS' if fair else 'L1'}, in [−1, 1] (lower is better)")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
        second_scale(axes, "x")
        figure.legend(loc="outside lower center", ncols=4, handletextpad=0.2, columnspacing=1.4)
    return figure


def image_table(group: SweepGroup, categories: Mapping[str, str], name: str = "images") -> Table | None:
    """Test L1 of every image in both scales, the mean over seeds; None where no final has scores per image."""
    found = {label: per_image(finals) for label, finals in group.models.items()}
    found["Pixel median"] = next(
        (errors for finals in group.models.values() if (errors := per_image(finals, "pixel_median_l1"))), {}
    )
    found = {label: errors for label, errors in found.items() if errors}
    if not found:
        return None
    columns = [Column("image", "Image", text=True), Column("category", "Category", text=True)]
    for label in found:
        columns += [Column(f"{label} l1", f"{label} [−1, 1]"), Column(f"{label} l1_unit", f"{label} [0, 1]")]
    rows = tuple(
        (
            words(image),
            words(categories.get(image)),
            *(c for m in found.values() for c in both_scales("l1", m.get(image))),
        )
        for image in next(iter(found.values()))
    )
    return Table(name, f"Test L1 per image ({data_words(group)}).", tuple(columns), (Part("", rows),))
