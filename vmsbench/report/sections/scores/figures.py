"""The scores of a track as dots: models with each seed, what never looks at the image, the oracle, lines for people."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.metrics.catalog import metric, metrics
from vmsbench.report import labels
from vmsbench.report.analysis.people import people
from vmsbench.report.analysis.ranking import Ranking
from vmsbench.report.analysis.tracks import ANSWER, blind_predictor, track_of
from vmsbench.report.render.style import (
    BLIND_LINE,
    HAIR,
    INK,
    MUTED,
    PAPER,
    PEOPLE_LINE,
    colors,
    plain,
    second_scale,
    style,
)
from vmsbench.report.sections.scores.answers import LAWS, OF_FIXATIONS, answered
from vmsbench.report.sections.scores.distributions import SAMPLERS
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import Scores


@dataclass(frozen=True)
class Dots:
    """A row of the figure: a value per seed, or the one of a baseline."""

    label: str
    seeds: Sequence[Scores]
    color: str = MUTED
    model: bool = False
    oracle: bool = False
    hollow: bool = False


@dataclass(frozen=True)
class ReferenceLines:
    """Vertical lines of a panel, by what they are called; blind ones are dotted, people's dashed."""

    blind: Mapping[str, float] = field(default_factory=dict)
    people: Mapping[str, float] = field(default_factory=dict)


def track_figure(group: SweepGroup, ranking: Ranking) -> Figure:
    """A panel per score of the track, a row per predictor: the best model lowest of the three groups on top."""
    rows = [*oracle_rows(group, ranking), *blind_rows(group, ranking), *model_rows(group, ranking)]
    there = {key for row in rows for seed in row.seeds for key in seed}
    panels = [key for key in plotted(ranking) if key in there] or [ranking.track.score]
    with style():
        figure = Figure(figsize=(1.9 + 2.9 * len(panels), 1.25 + 0.27 * len(rows)), layout="constrained")
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, key in zip(grid, panels, strict=True):
            draw_panel(axes, rows, key, lines_of(group, key))
        grid[0].set_yticks(range(len(rows)), [row.label for row in rows])
    return figure


def plotted(ranking: Ranking) -> list[str]:
    """The scores of the track that have a panel."""
    return [name for name, one in metrics().items() if one.plotted and track_of(name) is ranking.track]


def model_rows(group: SweepGroup, ranking: Ranking) -> list[Dots]:
    named = colors(group.sweeps)
    shades = {group.label(sweep): named[sweep.name] for sweep in group.sweeps}
    rows = []
    for standing in reversed(list(ranking.standings.values())):
        entry = standing.entry
        seeds = [
            {key: value for key in plotted(ranking) if (value := entry.score(key, final)) is not None}
            for final in entry.finals
        ]
        shade = shades.get(entry.family, INK)
        rows.append(Dots(entry.label, seeds, shade, model=True, hollow=entry.kind == "dressed"))
    return rows


def baselines_of(group: SweepGroup, ranking: Ranking, oracle: bool) -> list[Dots]:
    kept: Callable[[str], bool] = (
        (lambda key: key not in (*LAWS, *OF_FIXATIONS)) if ranking.track is ANSWER else (lambda key: key in SAMPLERS)
    )
    found = [
        Dots(labels.predictor(key), [answered(scores) if ranking.track is ANSWER else scores], oracle=oracle)
        for key, scores in group.baselines("test").items()
        if key.startswith("oracle") == oracle and kept(key) and (ranking.track is ANSWER or "spread" in scores)
    ]
    return sorted(found, key=lambda row: -row.seeds[0].get(ranking.track.score, 0.0))


def oracle_rows(group: SweepGroup, ranking: Ranking) -> list[Dots]:
    return baselines_of(group, ranking, oracle=True)


def blind_rows(group: SweepGroup, ranking: Ranking) -> list[Dots]:
    return baselines_of(group, ranking, oracle=False)


def lines_of(group: SweepGroup, key: str) -> ReferenceLines:
    """The blind reference of this score, the one that skill under it is against, and people's correlations."""
    name, table = blind_predictor(key, group), group.baselines("test")
    found = {name: table[name][key]} if key in table.get(name, {}) else {}
    reached = {line.short: line.scores[key] for line in people(group) if key in line.scores}
    return ReferenceLines(found, reached)


def draw_panel(axes: Axes, rows: Sequence[Dots], key: str, lines: ReferenceLines) -> None:
    for level in lines.blind.values():
        axes.axvline(level, zorder=1, **BLIND_LINE)
    for name, level in lines.people.items():
        axes.axvline(level, zorder=1, **PEOPLE_LINE)
        axes.annotate(
            name, (level, 0), (-3, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
            rotation=90, fontsize=6.5, color=MUTED, ha="right", va="bottom",
        )  # fmt: skip
    for at, row in enumerate(rows):
        draw_row(axes, at, row, [seed[key] for seed in row.seeds if key in seed])
    shown = metric(key)
    axes.set_xlabel(shown.title)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="y", color=HAIR, lw=0.6)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    if shown.scale:
        second_scale(axes, "x", shown.scale)


def draw_row(axes: Axes, at: int, row: Dots, levels: Sequence[float]) -> None:
    if not levels:
        return
    if not row.model:
        axes.plot(levels[0], at, "D" if row.oracle else "o", mfc=PAPER, mec=MUTED, ms=5, mew=1, zorder=3)
        return
    axes.plot(levels, [at] * len(levels), "|", color=row.color, ms=8, mew=1, alpha=0.7)
    fill = PAPER if row.hollow else row.color
    axes.plot(sum(levels) / len(levels), at, "o", mfc=fill, mec=row.color, ms=6.5, mew=1.4, zorder=4)
