"""Calibration: whether the spread of what each model says is right, as a picture and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.metrics.calibration import too_few
from vmsbench.metrics.significance import Interval
from vmsbench.report import labels
from vmsbench.report.analysis.calibration import MeasuredCalibration, measured
from vmsbench.report.analysis.tracks import Kind, blind_predictor
from vmsbench.report.blocks import Block, Facts, FigureBlock, Text
from vmsbench.report.cells import average
from vmsbench.report.render.style import BLIND_LINE, HAIR, INK, PAPER, colors, plain, style
from vmsbench.report.topic import Topic
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup

WHAT: dict[Kind, str] = {"samples": "its samples", "dressed": "its one answer, dressed"}
ABOUT = (
    "From the left: the rank of the true pixel among the samples, or in the dressed law; flat (dotted) where the "
    "spread is right, high at both ends where it is too sure, in the middle where it is too wide, to one side where it "
    "is biased. The share of the pixels that central intervals hold, next to what they should hold (dotted). The "
    "spread over the error of the mean; 1 (dotted) is right, less is too sure. The energy score of whole maps, next to "
    "the best law that never looks at the image (dotted). Whiskers: 95 % intervals over the test images. Pixels where "
    "the truth and all samples are alike say nothing and are left out."
)


def calibration_blocks(topic: Topic) -> list[Block]:
    group = topic.group
    named = colors(group.sweeps)
    shades = {group.label(sweep): named[sweep.name] for sweep in group.sweeps}
    figures: list[Block] = []
    facts: list[tuple[str, str]] = []
    for label, finals in group.models.items():
        found = judged(finals)
        whole = {kind: one for kind in found if (one := energy_of(finals, kind, group)) is not None}
        words = in_words(found, whole, max((final.samples for final in finals), default=1))
        facts.append((label, words))
        drawn = {kind: one for kind, one in found.items() if one.ranks}
        if drawn:
            picture = calibration_figure(label, drawn, whole, shades.get(label, INK))
            alt = f"Calibration of {label}: {words}"
            figures.append(FigureBlock(f"calibration-{group.stems[label]}", picture, alt, ""))
    if not facts:
        return []
    return [Facts(tuple(facts)), *figures, *([Text(ABOUT)] if figures else [])]


def judged(finals: Sequence[FinalRecord]) -> dict[Kind, MeasuredCalibration]:
    """What a family's finals left: of its samples where it draws some, and of its dressed answer."""
    kinds: tuple[Kind, ...] = ("samples", "dressed")
    return {kind: found for kind in kinds if (found := measured(finals, kind)) is not None}


@dataclass(frozen=True)
class EnergyScore:
    """Over whole maps: the mean over the finals, and that of the blind predictor it is held against, by its name."""

    value: float
    blind: str
    level: float | None


def energy_of(finals: Sequence[FinalRecord], kind: Kind, group: SweepGroup) -> EnergyScore | None:
    """None where the finals did not measure it."""
    mean, _ = average(finals, "energy_dressed" if kind == "dressed" else "energy")
    blind = blind_predictor("energy", group)
    level = group.baselines("test").get(blind, {}).get("energy")
    return None if mean is None else EnergyScore(mean, labels.predictor(blind).lower() if blind else "", level)


def in_words(found: Mapping[Kind, MeasuredCalibration], whole: Mapping[Kind, EnergyScore], drawn: int) -> str:
    """drawn  the samples of each image"""
    if not found:
        return "not measured: its finals were scored before calibration was."
    said = [f"{WHAT[kind]}: {one.verdict or one.reason}{energy_words(whole.get(kind))}" for kind, one in found.items()]
    said += [] if drawn == 1 else too_few(drawn)
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def energy_words(one: EnergyScore | None) -> str:
    if one is None:
        return ""
    against = f", {one.blind} {one.level:.4f}" if one.level is not None else ""
    return f" (energy score over whole maps {one.value:.4f}{against})"


def calibration_figure(
    label: str, found: Mapping[Kind, MeasuredCalibration], whole: Mapping[Kind, EnergyScore], color: str
) -> Figure:
    """A row for the samples and one for the dressed answer: ranks, coverage, spread over error, energy score."""
    with style():
        picture = Figure(figsize=(9.6, 0.35 + 2.15 * len(found)), layout="constrained")
        grid = picture.subplots(len(found), 4, squeeze=False, width_ratios=(1.5, 1, 1.1, 1.1))
        for line, (kind, one) in zip(grid, found.items(), strict=True):
            hollow = kind == "dressed"
            rank_panel(line[0], one.ranks, color, hollow)
            line[0].set_title(f"{label}: {WHAT[kind]}")
            coverage_panel(line[1], one, color, hollow)
            spread_panel(line[2], one.spread_skill, color, hollow)
            energy_panel(line[3], whole.get(kind), color, hollow)
    return picture


def bar_style(color: str, hollow: bool) -> dict[str, object]:
    return {"facecolor": PAPER if hollow else color, "edgecolor": color, "lw": 1.2 if hollow else 0}


def rank_panel(axes: Axes, ranks: Sequence[float], color: str, hollow: bool) -> None:
    count = len(ranks)
    axes.bar(range(count), ranks, width=0.8, zorder=2, **bar_style(color, hollow))  # type: ignore[arg-type]
    axes.axhline(1 / count, zorder=3, **(BLIND_LINE | {"color": INK}))
    axes.set_xticks([0, count - 1], ["below all", "above all"])
    axes.set_xlabel("rank of the true pixel")
    axes.set_ylabel("share of the pixels")
    axes.tick_params(axis="x", length=0)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(plain))


def coverage_panel(axes: Axes, found: MeasuredCalibration, color: str, hollow: bool) -> None:
    for at, (level, held) in enumerate(found.coverage.items()):
        axes.bar(at, 100 * held.value, width=0.6, zorder=2, **bar_style(color, hollow))  # type: ignore[arg-type]
        axes.plot([at, at], [100 * held.low, 100 * held.high], color=INK, lw=1, zorder=4)
        axes.plot([at - 0.42, at + 0.42], [level, level], zorder=3, **(BLIND_LINE | {"color": INK, "lw": 1.4}))
    axes.set_xticks(range(len(found.coverage)), [f"{level} %" for level in found.coverage])
    axes.set_xlim(-0.6, max(1, len(found.coverage)) - 0.4)
    axes.set_ylim(0, 102)
    axes.set_xlabel("central interval")
    axes.set_ylabel("holds, % of the pixels")
    axes.tick_params(axis="x", length=0)


def spread_panel(axes: Axes, ratio: Interval | None, color: str, hollow: bool) -> None:
    axes.axvline(1, zorder=1, **(BLIND_LINE | {"color": INK}))
    if ratio is not None:
        axes.plot([ratio.low, ratio.high], [0, 0], color=INK, lw=1, zorder=2)
        axes.plot(ratio.value, 0, "o", ms=7, mfc=PAPER if hollow else color, mec=color, mew=1.4, zorder=3)
        axes.annotate(
            f"{ratio.value:.2f}", (ratio.value, 0), (0, 9), textcoords="offset points", color=INK, ha="center"
        )
    alone(axes, "spread / error of the mean", max(1.5, 1.15 * ratio.high if ratio else 0.0))


def energy_panel(axes: Axes, found: EnergyScore | None, color: str, hollow: bool) -> None:
    most = max(found.value, found.level or 0.0) if found else 1.0
    if found is not None:
        axes.plot(found.value, 0, "o", ms=7, mfc=PAPER if hollow else color, mec=color, mew=1.4, zorder=3)
        axes.annotate(f"{found.value:.4f}", (found.value, 0), (0, 9), textcoords="offset points", color=INK, ha="right")
    if found is not None and found.level is not None:
        axes.axvline(found.level, zorder=1, **(BLIND_LINE | {"color": INK}))
    alone(axes, "energy score, [−1, 1]", 1.15 * most)


def alone(axes: Axes, what: str, most: float) -> None:
    """Axes with a single value on them, from 0 to `most`."""
    axes.set_xlim(0, most)
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.set_xlabel(what)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=HAIR, lw=0.6)
    axes.set_axisbelow(True)
