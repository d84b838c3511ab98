"""Ablations: what each named option of one choice is worth, seed by seed, next to the map that ignores the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.report import labels
from vmsbench.report.analysis.tracks import BlindLine, tuning_line
from vmsbench.report.blocks import Block, FigureBlock, TableBlock, Text
from vmsbench.report.gaps import data_words_of
from vmsbench.report.render.style import BLIND_LINE, HAIR, INK, MUTED, color_of, plain, style
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.report.topic import Topic
from vmsbench.store.records import SweepGroup, SweepRecord


@dataclass(frozen=True)
class Ablation:
    """The tuning scores of each option of `param`, by the option's name; one per seed that was trained to its end."""

    sweep: SweepRecord
    param: str
    scores: Mapping[str, Sequence[float]]


def ablation_blocks(topic: Topic) -> list[Block]:
    group, suffix = topic.group, topic.suffix
    found = ablations(group)
    if not found:
        exp, data = group.all[0].exp, data_words_of(group)
        return [
            Text(
                f"None yet: `vmsbench ablate augment --exp {exp}{data}` makes one of the augmentation, "
                f"`vmsbench ablate target --exp {exp}{data}` one of the target."
            )
        ]
    blocks: list[Block] = [
        FigureBlock(
            f"ablation-{one.sweep.name}",
            drawn(one, f"{one.sweep.family}: {one.param}", color_of(one.sweep), tuning_line(one.sweep, group)),
            f"Tuning score of each option of {one.param}; the numbers are in the table below.",
            "",
            per_row=2,
        )
        for one in found
    ]
    text = "A tick for each seed, a dot at their mean; the dotted line is the best that never looks at the image."
    return [*blocks, Text(text), TableBlock(ablation_table(group, found, f"ablations{suffix}"))]


def ablations(group: SweepGroup) -> list[Ablation]:
    found = []
    for sweep in group.ablated:
        param, names = str(sweep.space[0]["param"]), [str(option["name"]) for option in sweep.space[0]["values"]]
        found.append(Ablation(sweep, param, {name: scores_of(sweep, param, name) for name in names}))
    return found


def scores_of(sweep: SweepRecord, param: str, value: Any) -> list[float]:
    return [
        trial.score
        for trial in sweep.trials
        if trial.state == "complete" and trial.score is not None and trial.params.get(param) == value
    ]


def drawn(ablation: Ablation, title: str, color: str, line: BlindLine | None) -> Figure:
    """A row per option: a stroke for each seed, a dot at their mean; the dotted line never looks at the image."""
    names = list(ablation.scores)
    with style():
        picture = Figure(figsize=(5.2, 1.1 + 0.3 * len(names)), layout="constrained")
        axes = picture.subplots()
        if line is not None:
            axes.axvline(line.level, zorder=1, **BLIND_LINE)
            axes.annotate(
                line.label, (line.level, 1), (3, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
                fontsize=7, color=MUTED, va="bottom",
            )  # fmt: skip
        for row, scores in enumerate(ablation.scores.values()):
            if scores:
                axes.plot(scores, [row] * len(scores), "|", color=color, ms=9, mew=1.2)
                axes.plot(fmean(scores), row, "o", color=color, ms=6, zorder=4)
        axes.set_title(title)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="y", color=HAIR, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"{labels.metric(ablation.sweep.metric)} on the tuning validation set, in [−1, 1]")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
    return picture


def ablation_table(group: SweepGroup, found: Sequence[Ablation], name: str) -> Table:
    """Mean, spread and number of seeds of each option; no option is called better than another by it."""
    parts = []
    for ablation in found:
        rows = []
        for option, scores in ablation.scores.items():
            mean = fmean(scores) if scores else None
            spread = max(scores) - min(scores) if len(scores) > 1 else None
            rows.append(
                (words(option), number_cell(mean, 4), number_cell(spread, 4), Cell(len(scores), str(len(scores))))
            )
        parts.append(Part(f"{group.label(ablation.sweep)}: {ablation.param}", tuple(rows)))
    columns = (
        Column("option", "Option", text=True),
        Column("score", f"Tuning {labels.metric(found[0].sweep.metric)} ↓"),
        Column("range", "Range over seeds"),
        Column("seeds", "Seeds"),
    )
    caption = "Ablations, on the tuning validation set. A difference within the range over seeds is not evidence."
    return Table(name, caption, columns, tuple(parts))
