"""Training curves: the loss of each sweep's trials, and the validation L1 of their samples, by epoch."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vmsbench.report.blocks import Block, FigureBlock, Text
from vmsbench.report.render.style import BLIND_LINE, INK, MUTED, colors, scale, second_scale, style
from vmsbench.report.topic import Topic
from vmsbench.store.experiments import EpochRecord, TrialRecord
from vmsbench.store.records import SweepGroup, SweepRecord


def curve_blocks(topic: Topic) -> list[Block]:
    group, suffix = topic.group, topic.suffix
    caption = (
        "Top: the loss. Bottom: the L1 of predictions on the tuning validation set, on one scale for all models, in "
        "[−1, 1] on the left and in [0, 1] on the right."
    )
    single = [
        FigureBlock(f"curves-{sweep.name}", curves(group, [sweep]), curve_alt(group, sweep), "", beside=3)
        for sweep in group.sweeps
    ]
    together = FigureBlock(
        f"curves{suffix}", curves(group, group.sweeps), "Training curves of all models.", caption, aside=True
    )
    return [*single, together, Text(caption)]


def curve_alt(group: SweepGroup, sweep: SweepRecord) -> str:
    best = sweep.best
    levels = series(best.history, "l1") if best else []
    told = f"; the winner's validation L1 goes from {levels[0][1]:.4f} to {levels[-1][1]:.4f}" if levels else ""
    return f"Training curves of {group.label(sweep)}: {len(sweep.trials)} trials{told}."


def curves(group: SweepGroup, sweeps: Sequence[SweepRecord]) -> Figure:
    """A column per sweep: what was lowered above, the validation L1 of the samples below, one scale for all."""
    shades, columns = colors(group.sweeps), len(sweeps)
    with style():
        figure = Figure(figsize=(3.7 * columns, 5.6), layout="constrained")
        grid = figure.subplots(2, columns, squeeze=False, height_ratios=(1, 1))
        blind = group.baselines("validation").get("pixel_median", {}).get("l1")
        for at, sweep in enumerate(sweeps):
            losses(grid[0][at], sweep, shades[sweep.name])
            grid[0][at].set_title(group.label(sweep))
            validation_l1(grid[1][at], sweep, shades[sweep.name], blind)
        everything = [level for s in group.sweeps for trial in s.trials for _, level in series(trial.history, "l1")]
        everything += [blind] if blind is not None else []
        last = max((len(trial.history) for s in group.sweeps for trial in s.trials), default=1)
        for axes in grid.flat:
            axes.set_xlim(1 - 0.04 * last, last * 1.04)
        for axes in grid[1]:
            scale(axes, everything)
            axes.set_xlabel("epoch")
            if everything:
                second_scale(axes, "y")
        grid[0][0].set_ylabel("loss")
        grid[1][0].set_ylabel("validation L1, in [−1, 1]")
        ncols = 3 if columns > 1 else 2
        figure.legend(handles=legend(), loc="outside lower center", ncols=ncols, handlelength=2, columnspacing=1.4)
    return figure


def legend() -> list[Line2D]:
    return [
        Line2D([], [], color=INK, lw=2, label="winner, validation"),
        Line2D([], [], color=INK, lw=1.2, ls=(0, (3, 1.5)), label="winner, training"),
        Line2D([], [], color=INK, lw=0.8, alpha=0.4, label="other trials, validation"),
        Line2D([], [], color=INK, lw=0, marker="x", ms=4, label="pruned"),
        Line2D([], [], color=INK, lw=0, marker="v", ms=4, label="failed"),
        Line2D([], [], label="pixel median (blind)", **BLIND_LINE),
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


def validation_l1(axes: Axes, sweep: SweepRecord, color: str, blind: float | None) -> None:
    if blind is not None:
        axes.axhline(blind, zorder=3, **BLIND_LINE)
    drawn = thin_and_bold(axes, sweep, color, "l1", "scores")
    if not drawn:
        axes.text(0.5, 0.5, "no samples scored yet", transform=axes.transAxes, color=MUTED, ha="center")


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
