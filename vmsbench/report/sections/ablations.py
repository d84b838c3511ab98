"""Ablations: what each named option of one choice is worth, seed by seed, beside the map that ignores the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.report import labels
from vmsbench.report.render import style
from vmsbench.report.render.tables import Cell, Column, Part, Table, figure, words
from vmsbench.store.records import SweepGroup, SweepRecord


@dataclass(frozen=True)
class Ablation:
    """The tuning scores of each option of `param`, by the option's name; one per seed that was trained to its end."""

    sweep: SweepRecord
    param: str
    scores: Mapping[str, Sequence[float]]


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
        if trial.state == "complete" and trial.score is not None and trial.choice.get(param) == value
    ]


def drawn(ablation: Ablation, title: str, color: str, blind: float | None) -> Figure:
    """A row per option: a stroke for each seed, a dot at their mean; the dotted line is the pixel median."""
    names = list(ablation.scores)
    with style.style():
        picture = Figure(figsize=(5.2, 1.1 + 0.3 * len(names)), layout="constrained")
        axes = picture.subplots()
        if blind is not None:
            axes.axvline(blind, zorder=1, **style.BLIND_LINE)
        for row, scores in enumerate(ablation.scores.values()):
            if scores:
                axes.plot(scores, [row] * len(scores), "|", color=color, ms=9, mew=1.2)
                axes.plot(fmean(scores), row, "o", color=color, ms=6, zorder=4)
        axes.set_title(title)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=style.INK)
        axes.grid(axis="y", color=style.HAIR, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"{labels.metric(ablation.sweep.metric)} on the tuning validation set, in [−1, 1]")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(style.plain))
    return picture


def ablation_table(group: SweepGroup, found: Sequence[Ablation], name: str) -> Table:
    """Mean, spread and number of seeds of each option; no option is called better than another by it."""
    parts = []
    for ablation in found:
        rows = []
        for option, scores in ablation.scores.items():
            mean = fmean(scores) if scores else None
            spread = max(scores) - min(scores) if len(scores) > 1 else None
            rows.append((words(option), figure(mean, 4), figure(spread, 4), Cell(len(scores), str(len(scores)))))
        parts.append(Part(f"{group.label(ablation.sweep)}: {ablation.param}", tuple(rows)))
    columns = (
        Column("option", "Option", text=True),
        Column("score", f"Tuning {labels.metric(found[0].sweep.metric)} ↓"),
        Column("range", "Range over seeds"),
        Column("seeds", "Seeds"),
    )
    caption = "Ablations, on the tuning validation set. A difference within the range over seeds shows nothing."
    return Table(name, caption, columns, tuple(parts))
