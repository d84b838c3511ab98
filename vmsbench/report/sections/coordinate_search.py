"""The coordinate search as a picture: the values tried for each parameter, their scores, the winner, how sure it is."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.config.format import describe
from vmsbench.metrics.catalog import metric
from vmsbench.report import labels
from vmsbench.report.analysis.seed_noise import SeedNoise, gap, how_sure, noise_words, seed_noise
from vmsbench.report.analysis.tracks import BlindLine, tuning_line
from vmsbench.report.blocks import Block, FigureBlock, Text
from vmsbench.report.render.style import (
    BLIND_LINE,
    HAIR,
    INK,
    MUTED,
    PAPER,
    colors,
    plain,
    second_scale,
    shorten,
    style,
)
from vmsbench.report.topic import Topic
from vmsbench.store.records import ParameterRecord, SweepRecord

TEXT_AT = 1.03


def walk_blocks(topic: Topic) -> list[Block]:
    group = topic.group
    blocks: list[Block] = []
    shades = colors(group.sweeps)
    unsure = []
    for sweep in group.sweeps:
        if not any(step.options for step in sweep.parameters):
            continue
        noise, label = seed_noise(sweep), group.label(sweep)
        unsure += [] if noise and noise.known else [sweep]
        drawing = walk(sweep, label, shades[sweep.name], tuning_line(sweep, group), noise)
        alt = f"Coordinate search of {label}: {in_words(sweep, noise)}"
        blocks.append(
            FigureBlock(f"coordinate-search-{sweep.name}", drawing, alt, noise_words(label, noise), per_row=2)
        )
    if not blocks:
        walking = any(not sweep.winner for sweep in group.sweeps)
        return [Text("No parameter has been tried yet." if walking else "None of these sweeps used coordinate search.")]
    blocks.append(
        Text(
            "Coordinate search tunes one parameter at a time, from top to bottom, with the others held at "
            "their best values "
            "so far. A filled dot is the best value, a cross a pruned trial, an arrow a score beyond the "
            "axis. The grey "
            "band, drawn from three seeds on, shows how far apart two seeds of one configuration are one time in "
            "twenty: values within it are not shown to differ from it."
        )
    )
    blocks += [
        Text(f"How certain the choices of `{sweep.name}` are needs three seeds: `{sweep.on('final', '--seeds 5')}`")
        for sweep in unsure
    ]
    return blocks


def walk(sweep: SweepRecord, title: str, color: str, line: BlindLine | None, noise: SeedNoise | None) -> Figure:
    """Coordinates from top to bottom, their options as rows; a grey band where seeds alone would carry the winner."""
    short = labels.parameters(step.parameter for step in sweep.parameters)
    height = sum(1.25 + max(1, len(step.options)) for step in sweep.parameters)
    known = [option.score for step in sweep.parameters for option in step.options if option.score is not None]
    blind = line.level if line else None
    with style():
        figure = Figure(figsize=(6.6, 0.95 + 0.215 * height), layout="constrained")
        axes = figure.subplots()
        limits = bounds(known, blind)
        axes.set_xlim(*limits)
        axes.set_ylim(height - 0.2, -0.2)
        if line is not None and blind is not None and limits[0] <= blind <= limits[1]:
            axes.axvline(blind, zorder=1, **BLIND_LINE)
            away, side = (3, "left") if blind - limits[0] < 0.4 * (limits[1] - limits[0]) else (-3, "right")
            axes.annotate(
                line.label, (blind, 0), (away, 0), textcoords="offset points", color=MUTED, fontsize=7.5,
                va="center", ha=side,
            )  # fmt: skip
        row = 0.0
        ticks: list[float] = []
        names: list[str] = []
        for step in sweep.parameters:
            name = short[step.parameter] + ("" if step.settled else " (not done)")
            axes.text(-0.02, row, name, transform=axes.get_yaxis_transform(), ha="right", va="center", weight="bold")
            tell_certainty(axes, row, sweep, step, noise)
            row = draw_step(axes, step, row + 1, color, limits, ticks, names) + 0.25
        axes.set_title(title)
        axes.set_yticks(ticks, names)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)
        unit = ", in [−1, 1]" if metric(sweep.metric).scale else ""
        axes.set_xlabel(f"{labels.metric(sweep.metric)} on the tuning validation set{unit}")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
        if scale := metric(sweep.metric).scale:
            second_scale(axes, "x", scale)
    return figure


def tell_certainty(axes: Axes, row: float, sweep: SweepRecord, step: ParameterRecord, noise: SeedNoise | None) -> None:
    """Next to a parameter's name how sure its choice is, and the band that seeds alone span behind its options."""
    if not (sure := how_sure(sweep, step, noise)) or noise is None or step.score is None:
        return
    axes.text(TEXT_AT, row, sure, transform=axes.get_yaxis_transform(), va="center", color=MUTED, style="italic")
    width = sweep.sign * noise.apart(sweep.repeats)
    axes.add_patch(Rectangle((step.score, row + 0.5), width, len(step.options), color=HAIR, alpha=0.5, lw=0, zorder=0))


def draw_step(
    axes: Axes,
    step: ParameterRecord,
    row: float,
    color: str,
    limits: tuple[float, float],
    ticks: list[float],
    names: list[str],
) -> float:
    """Draw a parameter's options from `row` downwards; returns the row after the last."""
    right = axes.get_yaxis_transform()
    for option in step.options:
        won = step.settled and option.value == step.value
        ticks.append(row)
        names.append(shorten(describe(option.value)))
        if option.score is not None:
            place = min(option.score, limits[1])
            axes.axhline(row, color=HAIR, lw=0.6, zorder=1)
            marker = "x" if option.state == "pruned" else ">" if option.score > limits[1] else "o"
            filled = color if won or marker == "x" else PAPER
            axes.plot(
                place, row, marker, color=color, mfc=filled, ms=6 if won else 4.5, mew=1.1, zorder=4, clip_on=False
            )
        score = "" if option.score is None else f"{option.score:.4f}"
        word = "won" if won else option.state if option.state != "complete" else ""
        text = "  ".join(filter(None, [score, word]))
        axes.text(TEXT_AT, row, text, transform=right, va="center", color=INK if won else MUTED)
        row += 1
    if not step.options:
        axes.text(0.01, row, "not tried yet", transform=right, va="center", color=MUTED, style="italic")
        row += 1
    return row


def bounds(known: Sequence[float], blind: float | None) -> tuple[float, float]:
    """Limits that show the best scores apart: a few far-off ones are left to an arrow at the edge."""
    if not known:
        return 0.0, 1.0
    ranked = sorted([*known, *([blind] if blind is not None else [])])
    low, middle, high = ranked[0], ranked[len(ranked) // 2], ranked[-1]
    if middle > low:
        high = min(high, low + 4 * (middle - low))
    room = 0.12 * (high - low) or 0.1 * abs(high) or 1
    return low - room, high + room


def in_words(sweep: SweepRecord, noise: SeedNoise | None) -> str:
    """The figure in words: the value chosen for each parameter, and how certain that is."""
    short = labels.parameters(step.parameter for step in sweep.parameters)
    words = []
    for step in sweep.parameters:
        if not step.settled:
            words.append(f"{short[step.parameter]} is open")
            continue
        apart, sure = gap(sweep, step), how_sure(sweep, step, noise)
        next_best = f", next best {apart:.4f} worse" if apart is not None else ""
        words.append(f"{short[step.parameter]}: {describe(step.value)}{next_best}{f', {sure}' if sure else ''}")
    return "; ".join(words) + "."
