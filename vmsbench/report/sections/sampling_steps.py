"""The effect of more samples and more sampling steps, as `vmsbench tradeoff` measures it."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from vmsbench.config.format import duration
from vmsbench.report import labels
from vmsbench.report.blocks import Block, FigureBlock, TableBlock, Text
from vmsbench.report.render.style import BLIND_LINE, HAIR, MUTED, colors, plain, second_scale, style
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.report.topic import Topic
from vmsbench.store.records import SweepRecord
from vmsbench.store.values import mapping, number

MARKERS = ("o", "s", "^", "D", "v", "P")


def tradeoff_blocks(topic: Topic) -> list[Block]:
    group = topic.group
    blocks: list[Block] = []
    shades = colors(group.sweeps)
    for sweep in (sweep for sweep in group.sweeps if sweep.sampling_steps):
        if not rows_of(sweep):
            blocks.append(Text(f"Not measured for `{sweep.name}`; `{sweep.on('tradeoff')}` does it."))
            continue
        table = tradeoff_table(sweep)
        alt = "CRPS and L1 of the median map by steps, samples and seconds; the numbers are in the table."
        caption = (
            "The effect of more sampling steps and samples. Left: CRPS of the K samples as a distribution; of one "
            "sample "
            "it is its L1. Right: the L1 of one answer, the pixelwise median of K samples, against the time that all K "
            f"take. {line_words(sweep)}"
        )
        drawing = tradeoff_figure(sweep, shades[sweep.name])
        blocks += [FigureBlock(table.name, drawing, alt, caption), TableBlock(table)]
    return blocks


def rows_of(sweep: SweepRecord) -> list[dict[str, float]]:
    """The measured rows that have all that is drawn."""
    needed = ("steps", "samples", "seconds_per_image", "l1", "crps", "l1_mean", "l1_median")
    found = [{key: number(value) for key, value in mapping(row).items()} for row in sweep.tradeoff.get("rows") or ()]
    whole = [row for row in found if all(row.get(key) is not None for key in needed)]
    return [{key: value for key, value in row.items() if value is not None} for row in whole]


def blind_of(sweep: SweepRecord, score: str) -> dict[str, float]:
    """What never looks at the image scores on the same images, by predictor; empty where it was not measured."""
    found = {name: number(mapping(row).get(score)) for name, row in mapping(sweep.tradeoff.get("blind")).items()}
    if score == "l1" and not found:
        found["pixel_median"] = number(sweep.tradeoff.get("pixel_median"))
    return {name: level for name, level in found.items() if level is not None}


def line_words(sweep: SweepRecord) -> str:
    if not blind_of(sweep, "crps"):
        return (
            f"Climatology's CRPS on these images was not measured when this was made: `{sweep.on('tradeoff')}` does it."
        )
    return "Dotted: what never looks at the image, on the same images."


def tradeoff_figure(sweep: SweepRecord, color: str) -> Figure:
    """CRPS against steps, and the L1 of the pixelwise median against the time for it; a line per number of samples."""
    rows = rows_of(sweep)
    with style():
        picture = Figure(figsize=(8.2, 3.2), layout="constrained")
        left, right = picture.subplots(1, 2)
        for at, count in enumerate(sorted({row["samples"] for row in rows})):
            line = sorted((row for row in rows if row["samples"] == count), key=lambda row: row["steps"])
            drawn: dict[str, Any] = {"color": color, "lw": 1.2, "marker": MARKERS[at % len(MARKERS)], "ms": 5}
            drawn |= {"mfc": "none" if at % 2 else color, "label": f"K = {count:.0f}"}
            left.plot([row["steps"] for row in line], [row["crps"] for row in line], **drawn)
            right.plot([row["seconds_per_image"] for row in line], [row["l1_median"] for row in line], **drawn)
        for axes, level, score in ((left, "crps", "crps"), (right, "l1_median", "l1")):
            finish(axes, [row[level] for row in rows], blind_of(sweep, score))
        left.xaxis.set_major_locator(FixedLocator(sorted({row["steps"] for row in rows})))
        left.set_title("CRPS (lower is better)")
        left.set_xlabel("sampling steps")
        left.set_ylabel("in [−1, 1]")
        right.set_xlabel("seconds per image, for all K samples")
        right.set_title("L1 of the median (lower is better)")
        right.set_ylabel("in [−1, 1]")
        handles, names = left.get_legend_handles_labels()
        picture.legend(handles, names, loc="outside lower center", ncols=len(names))
    return picture


def finish(axes: Axes, levels: list[float], blind: dict[str, float]) -> None:
    for name, level in blind.items():
        if level < 1.6 * max(levels):
            axes.axhline(level, zorder=1, **BLIND_LINE)
            axes.annotate(
                labels.predictor(name).lower(), (1, level), (-2, 2), xycoords=("axes fraction", "data"),
                textcoords="offset points", fontsize=7, color=MUTED, ha="right",
            )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(plain))
    axes.grid(axis="y", color=HAIR, lw=0.6)
    axes.set_axisbelow(True)
    second_scale(axes, "y")


def tradeoff_table(sweep: SweepRecord) -> Table:
    """Every number of steps and of samples, with its scores in both scales and its time."""
    rows = []
    for row in rows_of(sweep):
        scores = [cell for key in ("l1", "l1_median", "l1_mean", "crps") for cell in (row[key], row[key] / 2)]
        rows.append(
            (
                Cell(int(row["steps"]), f"{row['steps']:.0f}"),
                Cell(int(row["samples"]), f"{row['samples']:.0f}"),
                *(number_cell(value, 4) for value in scores),
                Cell(row["seconds_per_image"], duration(row["seconds_per_image"])),
            )
        )
    columns = (
        Column("steps", "Steps"),
        Column("samples", "K"),
        Column("l1", "L1 of one [−1, 1] ↓"),
        Column("l1_unit", "L1 of one [0, 1]", hidden=True),
        Column("l1_median", "L1 of the median [−1, 1] ↓"),
        Column("l1_median_unit", "L1 of the median [0, 1] ↓"),
        Column("l1_mean", "L1 of the mean [−1, 1] ↓"),
        Column("l1_mean_unit", "L1 of the mean [0, 1]", hidden=True),
        Column("crps", "CRPS [−1, 1] ↓"),
        Column("crps_unit", "CRPS [0, 1] ↓"),
        Column("seconds_per_image", "Time per image"),
    )
    about = sweep.tradeoff
    caption = (
        f"Samples and steps of {sweep.name}: `{about.get('model')}` on {about.get('images')} tuning validation images, "
        f"on {about.get('device')}; the test images were not read."
    )
    blind = tuple(
        blind_cells(name, level, score) for score in ("l1", "crps") for name, level in blind_of(sweep, score).items()
    )
    parts = (Part("", tuple(rows)), *([Part("Never look at the image", blind)] if blind else []))
    notes = (
        "K samples of an image: their pixelwise median or mean is one map. CRPS of one sample is its L1. The time is "
        "for all K.",
    )
    return Table(f"tradeoff-{sweep.name}", caption, columns, parts, notes)


def blind_cells(name: str, level: float, score: str) -> tuple[Cell, ...]:
    """The row of a blind predictor: its L1 under that of the median, or its CRPS."""
    pair, empty = [number_cell(level, 4), number_cell(level / 2, 4)], [Cell(), Cell()]
    scores = [*empty, *pair, *empty, *empty] if score == "l1" else [*empty, *empty, *empty, *pair]
    return (words(labels.predictor(name)), Cell(), *scores, Cell())
