"""Per category: how well each model does on it, beside the map that ignores the image."""

from collections.abc import Mapping
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.report.render.style import HAIR, INK, MUTED, PAPER, colors, plain, second_scale, style
from vmsbench.report.render.tables import Cell, Column, Part, Table, words
from vmsbench.report.sections.samples import by_category
from vmsbench.report.sections.scores import both_scales, data_words
from vmsbench.store.records import SweepGroup

BLIND = "Pixel median"


def errors(group: SweepGroup, categories: Mapping[str, str], key: str = "l1") -> dict[str, dict[str, float]]:
    """{model or pixel median: {category: test score}}; empty where no final has that score per image."""
    found = {label: by_category(finals, categories, key) for label, finals in group.models.items()}
    blind = (by_category(finals, categories, f"pixel_median_{key}") for finals in group.models.values())
    found[BLIND] = next((means for means in blind if means), {})
    return {label: means for label, means in found.items() if means}


def counts(categories: Mapping[str, str]) -> dict[str, int]:
    return {category: list(categories.values()).count(category) for category in sorted(set(categories.values()))}


def category_table(group: SweepGroup, categories: Mapping[str, str], name: str = "categories") -> Table | None:
    """Test L1 per category in both scales, beside the pixel median's; None where no final has scores per image."""
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
