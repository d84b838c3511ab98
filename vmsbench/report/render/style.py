"""The figures' one style, and those of the study as a whole: training curves, scores beside the baselines, samples.

Figures are made without pyplot, in one palette that colour-blind readers can tell apart (Okabe and Ito 2008); every L1
axis shows both scales.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from statistics import fmean
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from vmsbench.metrics.catalog import metrics
from vmsbench.report import labels
from vmsbench.report.sections.samples import Samples
from vmsbench.store.experiments import EpochRecord, TrialRecord
from vmsbench.store.records import SweepGroup, SweepRecord

INK, MUTED, HAIR, PAPER = "#1b2027", "#5d6772", "#d3d8de", "#ffffff"
FAMILY = {"unet": "#0072b2", "gan": "#d55e00", "diffusion": "#009e73"}
FURTHER = ("#cc79a7", "#e69f00", "#56b4e9")
VARIABLES = {INK: "--ink", MUTED: "--muted", HAIR: "--hair", PAPER: "--paper"} | {
    color: f"--c{at}" for at, color in enumerate((*FAMILY.values(), *FURTHER))
}
BLIND_LINE: dict[str, Any] = {"color": MUTED, "lw": 1, "ls": (0, (1, 1.5))}
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "savefig.facecolor": PAPER,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@contextmanager
def style() -> Iterator[None]:
    with matplotlib.rc_context(STYLE):
        yield


def rendered(figure: Figure, kind: str) -> bytes:
    """The figure as png (200 dots an inch) or pdf."""
    file = io.BytesIO()
    with style():
        FigureCanvasAgg(figure)
        figure.savefig(file, format=kind, dpi=200, metadata={"CreationDate": None} if kind == "pdf" else None)
    return file.getvalue()


def inline_svg(figure: Figure, name: str, alt: str) -> str:
    """The figure as an <svg> element whose colours are the page's own, so that it follows light and dark."""
    file = io.StringIO()
    with style(), matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    box = re.search(r'viewBox="[^"]*"', text)
    text = f'<svg role="img" aria-label="{alt}" {box.group() if box else ""}{text[text.index(">") :]}'
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{re.sub(r'[^A-Za-z0-9]', '-', name)}-", text)
    return re.sub("|".join(VARIABLES), lambda match: f"var({VARIABLES[match.group()]})", text)


def colors(sweeps: Sequence[SweepRecord]) -> dict[str, str]:
    """A colour per sweep's name: the family's, and further ones where a family comes twice."""
    given: dict[str, str] = {}
    spare = iter(FURTHER * len(sweeps))
    for sweep in sweeps:
        color = FAMILY.get(sweep.exp, "")
        given[sweep.name] = color if color and color not in given.values() else next(spare)
    return given


def color_of(sweep: SweepRecord) -> str:
    """The family's colour."""
    return FAMILY.get(sweep.exp, FURTHER[0])


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
        Line2D([], [], color=INK, lw=0, marker="x", ms=4, label="stopped early"),
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


def plain(value: float, _: object = None) -> str:
    """A tick's number with all the digits that it has: one that were rounded would stand at the wrong place."""
    return f"{value:.6g}".replace("-", "−")


def shorten(text: str, length: int = 34) -> str:
    """A label that leaves room for the figure; the tables have it whole."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def scale(axes: Axes, levels: Sequence[float]) -> None:
    """Logarithmic where the levels are positive and span more than a factor of four, else linear; whole epochs."""
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.grid(axis="y", color=HAIR, lw=0.6)
    axes.set_axisbelow(True)
    if not levels:
        axes.set_yticks([])
        return
    low, high = min(levels), max(levels)
    if low > 0 and high > 4 * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.12, high * 1.12)
        steps = (1, 1.5, 2, 3, 5, 7) if high < 8 * low else (1, 2, 5) if high < 60 * low else (1,)
        axes.yaxis.set_major_locator(LogLocator(subs=steps))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        room = 0.08 * (high - low) or 0.1 * abs(high) or 1
        axes.set_ylim(low - room, high + room)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(plain))


def second_scale(axes: Axes, direction: str, scale: int = 2) -> None:
    """The same score in [0, 1] on the opposite side, tick by tick: of L1 half, of MSE a quarter."""
    axis = axes.yaxis if direction == "y" else axes.xaxis
    other = axes.secondary_yaxis("right") if direction == "y" else axes.secondary_xaxis("top")
    side = other.yaxis if direction == "y" else other.xaxis
    side.set_major_locator(axis.get_major_locator())
    side.set_minor_locator(NullLocator())
    side.set_major_formatter(FuncFormatter(lambda value, _: plain(value / scale)))
    other.spines[:].set_visible(False)
    other.tick_params(length=0)
    side.set_label_text("in [0, 1]", color=MUTED)


def scores(group: SweepGroup) -> Figure:
    """A dot per predictor and score: families with each seed, blind baselines hollow, the oracle as a diamond."""
    baselines, named = group.baselines("test"), colors(group.sweeps)
    shades = {group.label(sweep): named[sweep.name] for sweep in group.sweeps}
    scored = {label: [final.scores for final in finals] for label, finals in group.models.items()}
    found = {label: seeds for label, seeds in scored.items() if any("l1" in seed for seed in seeds)}
    rows: list[str] = sorted(found, key=lambda label: -fmean(s["l1"] for s in found[label] if "l1" in s))
    rows += sorted(
        (name for name in baselines if not name.startswith("oracle")), key=lambda n: -baselines[n].get("l1", 0)
    )
    oracles = [name for name in baselines if name.startswith("oracle")]
    rows = [*oracles, *rows[len(found) :], *rows[: len(found)]]
    there = set(chain.from_iterable(chain(*found.values(), baselines.values())))
    panels = {name: metric for name, metric in metrics().items() if metric.plotted and name in there}
    with style():
        figure = Figure(figsize=(1.6 + 2.5 * max(1, len(panels)), 0.95 + 0.27 * len(rows)), layout="constrained")
        grid = figure.subplots(1, max(1, len(panels)), sharey=True, squeeze=False)[0]
        for axes, (key, metric) in zip(grid, panels.items(), strict=False):
            blind = baselines.get("pixel_median", {}).get(key)
            if blind is not None:
                axes.axvline(blind, zorder=1, **BLIND_LINE)
            for at, name in enumerate(rows):
                if name in found:
                    levels, shade = [seed[key] for seed in found[name] if key in seed], shades.get(name, INK)
                    if levels:
                        axes.plot(levels, [at] * len(levels), "|", color=shade, ms=8, mew=1, alpha=0.7)
                        axes.plot(sum(levels) / len(levels), at, "o", color=shade, ms=6.5, zorder=4)
                elif key in baselines[name]:
                    marker = "D" if name.startswith("oracle") else "o"
                    axes.plot(baselines[name][key], at, marker, mfc=PAPER, mec=MUTED, ms=5, mew=1, zorder=3)
            axes.set_xlabel(metric.title)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.xaxis.set_major_formatter(FuncFormatter(plain))
            axes.set_ylim(-0.6, len(rows) - 0.4)
            axes.set_yticks(range(len(rows)), [name if name in found else labels.predictor(name) for name in rows])
            axes.tick_params(axis="y", length=0, labelcolor=INK)
            axes.grid(axis="y", color=HAIR, lw=0.6)
            axes.set_axisbelow(True)
            axes.spines["left"].set_visible(False)
            if metric.scale:
                second_scale(axes, "x", metric.scale)
    return figure


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
