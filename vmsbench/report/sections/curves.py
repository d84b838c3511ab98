"""Training curves by epoch: the loss of each sweep's trials, and the scores on the tuning validation pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vmsbench.report import labels
from vmsbench.report.analysis.tracks import BlindLine, blind_line
from vmsbench.report.analysis.validation_scores import EpochEvaluation, blind_table, evaluation_of
from vmsbench.report.blocks import Block, FigureBlock, Text
from vmsbench.report.render.style import BLIND_LINE, INK, MUTED, colors, scale, second_scale, style
from vmsbench.report.topic import Topic
from vmsbench.store.experiments import EpochRecord, TrialRecord
from vmsbench.store.records import SweepGroup, SweepRecord
from vmsbench.store.values import Scores

Tables = Mapping[str, Mapping[str, Scores]]
"""What never looks at the image scores on the images of each sweep's evaluations, by the sweep's name."""


@dataclass(frozen=True)
class PanelRow:
    """A row of panels: a score of an evaluation, under what name for each sweep; none where a sweep has it not."""

    title: str
    scores: Mapping[str, str]


def curve_blocks(topic: Topic) -> list[Block]:
    group, suffix = topic.group, topic.suffix
    evaluations = {sweep.name: evaluation_of(sweep) for sweep in group.sweeps}
    made = {one: blind_table(topic, one) for one in dict.fromkeys(evaluations.values())}
    tables = {name: made[one] for name, one in evaluations.items()}
    caption = (
        "Top: the loss. Below: scores of predictions for the tuning validation pairs, on one scale for all models, in "
        "[−1, 1] on the left and in [0, 1] on the right, each with the best that never looks at the image on the same "
        f"images (dotted). {listed(group, evaluations)}"
    )
    single = [
        FigureBlock(f"curves-{sweep.name}", curves(group, [sweep], tables), curve_alt(group, sweep), "", per_row=3)
        for sweep in group.sweeps
    ]
    drawing = curves(group, group.sweeps, tables)
    together = FigureBlock(f"curves{suffix}", drawing, "Training curves of all models.", caption, aside=True)
    return [*single, together, Text(caption)]


def listed(group: SweepGroup, evaluations: Mapping[str, EpochEvaluation]) -> str:
    """How many images and samples the evaluations of each model take."""
    words = []
    for sweep in group.sweeps:
        one = evaluations[sweep.name]
        drawn = f"{one.samples} samples each" if one.samples > 1 else "one map each"
        images = "all pairs" if one.images is None else f"{one.images} of the pairs"
        words.append(f"{group.label(sweep)}: {images}, {drawn}")
    return f"An evaluation during training takes, of {'; of '.join(words)}." if words else ""


def curve_alt(group: SweepGroup, sweep: SweepRecord) -> str:
    best, key = sweep.best, evaluation_of(sweep).answer
    levels = series(best.history, key) or series(best.history, "l1") if best else []
    words = f"; the winner's validation L1 goes from {levels[0][1]:.4f} to {levels[-1][1]:.4f}" if levels else ""
    return f"Training curves of {group.label(sweep)}: {len(sweep.trials)} trials{words}."


def rows_of(group: SweepGroup, sweeps: Sequence[SweepRecord]) -> list[PanelRow]:
    """L1 as one answer; and CRPS of those that draw several samples in an evaluation."""
    answers = {sweep.name: answer_of(group, sweep) for sweep in sweeps}
    laws = {sweep.name: law for sweep in sweeps if (law := evaluation_of(sweep).law)}
    return [PanelRow("L1 as one answer", answers), *([PanelRow("CRPS of the samples", laws)] if laws else [])]


def answer_of(group: SweepGroup, sweep: SweepRecord) -> str:
    """The score of the one answer, where the histories have it; else that of one sample."""
    key = evaluation_of(sweep).answer
    return key if any(series(trial.history, key) for trial in sweep.trials) else "l1"


def curves(group: SweepGroup, sweeps: Sequence[SweepRecord], tables: Tables) -> Figure:
    """A column per sweep: what was lowered above, the scores of evaluations below, each on one scale for all."""
    shades, columns, rows = colors(group.sweeps), len(sweeps), rows_of(group, sweeps)
    scales = rows_of(group, group.sweeps)
    with style():
        figure = Figure(figsize=(3.7 * columns, 0.9 + 2.35 * (1 + len(rows))), layout="constrained")
        grid = figure.subplots(1 + len(rows), columns, squeeze=False)
        lines: dict[str, BlindLine] = {}
        for at, sweep in enumerate(sweeps):
            losses(grid[0][at], sweep, shades[sweep.name])
            grid[0][at].set_title(group.label(sweep))
            for row, axes in zip(rows, grid[1:, at], strict=True):
                line = score_panel(axes, row, sweep, shades[sweep.name], tables[sweep.name])
                lines |= {line.name: line} if line else {}
        for row, line_of_axes in zip(scales, grid[1:], strict=False):
            drawn = [level for sweep in group.sweeps for level in levels_of(row, sweep, tables[sweep.name])]
            for axes in (axes for axes in line_of_axes if axes.axison):
                scale(axes, drawn)
                if drawn:
                    second_scale(axes, "y")
        finish(group, grid, rows)
        names = [labels.predictor(name).lower() for name in lines]
        ncols = 3 if columns > 1 else 2
        figure.legend(handles=legend(names), loc="outside lower center", ncols=ncols, handlelength=2, columnspacing=1.4)
    return figure


def finish(group: SweepGroup, grid: Any, rows: Sequence[PanelRow]) -> None:
    last = max((len(trial.history) for s in group.sweeps for trial in s.trials), default=1)
    for line in grid:
        for axes in line:
            axes.set_xlim(1 - 0.04 * last, last * 1.04)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    grid[0][0].set_ylabel("loss")
    for row, line in zip(rows, grid[1:], strict=True):
        next((axes for axes in line if axes.axison), line[0]).set_ylabel(f"{row.title}, [−1, 1]")


def score_panel(
    axes: Axes, row: PanelRow, sweep: SweepRecord, color: str, table: Mapping[str, Scores]
) -> BlindLine | None:
    """A score of the evaluations; returns the blind line that was drawn with it."""
    key = row.scores.get(sweep.name)
    if key is None:
        axes.set_axis_off()
        return None
    line = blind_line(key, evaluation_of(sweep).samples, table)
    if line is not None:
        axes.axhline(line.level, zorder=3, **BLIND_LINE)
    if not thin_and_bold(axes, sweep, color, key, "scores"):
        axes.text(0.5, 0.5, "no samples scored yet", transform=axes.transAxes, color=MUTED, ha="center")
    return line


def levels_of(row: PanelRow, sweep: SweepRecord, table: Mapping[str, Scores]) -> list[float]:
    """All that the panel of a sweep shows."""
    key = row.scores.get(sweep.name)
    if key is None:
        return []
    found = [level for trial in sweep.trials for _, level in series(trial.history, key)]
    line = blind_line(key, evaluation_of(sweep).samples, table)
    return [*found, *([line.level] if line and found else [])]


def legend(blind: Sequence[str]) -> list[Line2D]:
    return [
        Line2D([], [], color=INK, lw=2, label="winner, validation"),
        Line2D([], [], color=INK, lw=1.2, ls=(0, (3, 1.5)), label="winner, training"),
        Line2D([], [], color=INK, lw=0.8, alpha=0.4, label="other trials, validation"),
        Line2D([], [], color=INK, lw=0, marker="x", ms=4, label="pruned"),
        Line2D([], [], color=INK, lw=0, marker="v", ms=4, label="failed"),
        Line2D([], [], label=" /\n".join(blind) + " (blind)" if blind else "blind", **BLIND_LINE),
    ]


def lowered(trials: Sequence[TrialRecord]) -> str:
    """The term drawn as the loss: the network's L1 where every epoch has it on both sides, else the loss itself."""
    sides = [side for trial in trials for epoch in trial.history for side in (epoch.train, epoch.validation) if side]
    shared = set.intersection(*(set(side) for side in sides)) if sides else set()
    ranked = sorted(
        shared, key=lambda key: (not key.endswith("/l1"), key != "loss", not key.startswith("network"), key)
    )
    return ranked[0] if ranked else "loss"


def series(history: Sequence[EpochRecord], key: str, part: str = "scores") -> list[tuple[int, float]]:
    return [(epoch.number, getattr(epoch, part)[key]) for epoch in history if key in getattr(epoch, part)]


def losses(axes: Axes, sweep: SweepRecord, color: str) -> None:
    key, best = lowered(sweep.trials), sweep.best
    drawn = thin_and_bold(axes, sweep, color, key, "validation")
    if best and (points := series(best.history, key, "train")):
        axes.plot(*zip(*points, strict=True), color=color, lw=1.2, ls=(0, (3, 1.5)), zorder=4)
        drawn += [level for _, level in points]
    axes.text(1, 1.02, key, transform=axes.transAxes, color=MUTED, fontsize=8, ha="right", va="bottom")
    scale(axes, drawn)


def thin_and_bold(axes: Axes, sweep: SweepRecord, color: str, key: str, part: str) -> list[float]:
    """Draw every trial's series, the winner's bold, with a mark where one was stopped or failed; returns the levels."""
    drawn: list[float] = []
    faint = max(0.12, min(0.4, 8 / max(1, len(sweep.trials))))
    for trial in sweep.trials:
        points = series(trial.history, key, part)
        if not points:
            continue
        epochs, levels = zip(*points, strict=True)
        best = trial is sweep.best
        axes.plot(
            epochs, levels, color=color, lw=2 if best else 0.8, alpha=1 if best else faint, zorder=5 if best else 2
        )
        mark = {"pruned": "x", "failed": "v"}.get(trial.state, "" if len(points) > 1 else ".")
        if mark:
            axes.plot(epochs[-1], levels[-1], mark, color=color, ms=4, mew=1, alpha=2 * faint, zorder=6)
        drawn += levels
    return drawn
