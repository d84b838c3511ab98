"""Distances between sets of maps, as table and bars: FID, or Frechet distances by other weights, and KID."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.report import labels
from vmsbench.report.blocks import Block, FigureBlock, TableBlock, Text
from vmsbench.report.cells import data_words
from vmsbench.report.render.style import INK, MUTED, colors, plain, style
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.report.topic import Topic
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import number

ABOUT = (
    "They ask whether the set of maps, one per test image, looks like a set of true maps, not whether a map belongs to "
    "its image: a blind draw of random training maps reaches the floor. So no model is called good by them, and one "
    "that "
    "is far from the floor may still be the best on every image.",
    "Frechet distances are too large at few maps; real against real is what other true maps score at the same number, "
    "the "
    "floor for any model. KID is unbiased, and may be negative.",
)
BLIND = "Random training maps"
DISTANCES = (
    ("value", 2),
    ("floor", 2),
    ("value_64", 2),
    ("floor_64", 2),
    ("kid", 4),
    ("kid_error", 4),
    ("kid_floor", 4),
)


def distance_blocks(topic: Topic) -> list[Block]:
    group, suffix = topic.group, topic.suffix
    table = distance_table(group, f"distances{suffix}")
    if not table.parts[0].rows:
        return [Text(note) for note in table.notes] or [Text("No final has been scored yet.")]
    picture = FigureBlock(
        f"distances{suffix}",
        distance_figure(group, table),
        "Distances of the predicted maps from the true ones; the numbers are in the table.",
        "How far the set of predicted maps is from the set of true ones. The black line is the floor: real maps "
        "against real maps; grey: random training maps, which never look at the image. Whiskers: the standard "
        "deviation over seeds; KID's standard error.",
    )
    return [picture, TableBlock(table)]


def name_of(fid: Mapping[str, Any] | None) -> str:
    return str((fid or {}).get("name") or "Frechet")


def measured(fid: Mapping[str, Any] | None) -> bool:
    return fid is not None and number(fid.get("value")) is not None


def distance_table(group: SweepGroup, name: str = "distances") -> Table:
    """How far the set of predicted maps is from the set of true ones, in Inception's features; no row where n/a."""
    rows: list[tuple[Cell, ...]] = []
    reasons: dict[str, list[str]] = {}
    everything = [final for finals in group.models.values() for final in finals]
    called = list(dict.fromkeys(name_of(final.fid) for final in everything if measured(final.fid)))
    title = next((name for name in called if name.startswith("FID")), called[0] if called else "FID-2048")
    for label, finals in group.models.items():
        fids = [final.fid for final in finals if final.fid and (name_of(final.fid) == title or not measured(final.fid))]
        others = {name_of(final.fid) for final in finals if measured(final.fid)} - {title}
        values = {key: [v for fid in fids if (v := number(fid.get(key))) is not None] for key, _ in DISTANCES}
        if not values["value"]:
            why = f"only {labels.listing(others)} was measured" if others else "it was not computed"
            reason = next((str(fid["reason"]) for fid in fids if fid.get("reason")), why)
            reasons.setdefault(reason, []).append(label)
            continue
        cells = []
        for key, digits in DISTANCES:
            several = len(values[key]) > 1 and "floor" not in key
            mean = fmean(values[key]) if values[key] else None
            cells.append(number_cell(mean, digits, stdev(values[key]) if several else None))
        rows.append((words(label), Cell(fids[0].get("n"), str(fids[0].get("n"))), *cells))
    small = "FID-64" if title.startswith("FID") else title.replace("Frechet", "Frechet-64")
    columns = (
        Column("model", "Model", text=True),
        Column("n", "Maps"),
        Column("value", f"{title} ↓"),
        Column("floor", "real against real"),
        Column("value_64", f"{small} ↓"),
        Column("floor_64", "real against real"),
        Column("kid", "KID ↓"),
        Column("kid_error", "KID's standard error"),
        Column("kid_floor", "real against real"),
    )
    shorter = title.replace("-2048", "")
    notes = [f"{shorter} n/a for {labels.listing(dict.fromkeys(who))}: {reason}." for reason, who in reasons.items()]
    if called and not title.startswith("FID"):
        notes.insert(0, "Not FID: the weights are not Inception's official ones. Compare only with the same file's.")
    blind = blind_row([one for one in everything if measured(one.fid) and name_of(one.fid) == title])
    if rows and blind is None:
        notes.append(
            "The distances of random training maps were not measured when these finals were scored; new finals have "
            "them."
        )
    notes += ABOUT if rows else []
    caption = f"Distances between sets of maps in Inception features ({data_words(group)})."
    parts = [Part("Models" if rows else "", tuple(rows))]
    parts += [Part("Never looks at the image", (blind,))] if rows and blind else []
    return Table(name, caption, columns, tuple(parts), tuple(notes))


def blind_row(finals: Sequence[FinalRecord]) -> tuple[Cell, ...] | None:
    """Of random training maps, by the first final that has them; with the floor, as they are one."""
    fid = next((final.fid for final in finals if number(final.fid.get("random_value")) is not None), None)
    if fid is None:
        return None
    keys = ((key if "floor" in key else f"random_{key}", digits) for key, digits in DISTANCES)
    cells = [number_cell(number(fid.get(key)), digits) for key, digits in keys]
    return (words(BLIND), Cell(fid.get("n"), str(fid.get("n"))), *cells)


PANELS = (("value", "floor", ""), ("value_64", "floor_64", ""), ("kid", "kid_floor", "kid_error"))


def distance_figure(group: SweepGroup, table: Table) -> Figure:
    """A panel per distance and a bar per model of the table; the stroke in each is the floor, real against real."""
    place = {column.key: at for at, column in enumerate(table.columns)}
    rows, named = [row for part in table.parts for row in part.rows], colors(group.sweeps)
    shades = {group.label(sweep): named[sweep.name] for sweep in group.sweeps}
    names = [row[0].shown for row in rows]
    with style():
        picture = Figure(figsize=(8.4, 1.0 + 0.34 * len(rows)), layout="constrained")
        for axes, (key, floor, error) in zip(picture.subplots(1, 3, sharey=True), PANELS, strict=True):
            for at, row in enumerate(rows):
                value, least = number(row[place[key]].value), number(row[place[floor]].value)
                if value is None:
                    continue
                own = row[place[key]].spread if not error else number(row[place[error]].value)
                axes.barh(at, value, height=0.55, color=shades.get(names[at], MUTED), lw=0, zorder=2)
                if own is not None:
                    axes.errorbar(value, at, xerr=own, color=INK, lw=1, capsize=2, zorder=3)
                if least is not None:
                    axes.plot([least, least], [at - 0.36, at + 0.36], color=INK, lw=1.6, zorder=4)
            axes.axvline(0, color=MUTED, lw=0.7, zorder=1)
            axes.set_xlabel(table.columns[place[key]].heading.replace(" ↓", " (lower is better)"))
            axes.set_yticks(range(len(rows)), names)
            axes.set_ylim(len(rows) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0, labelcolor=INK)
            axes.spines["left"].set_visible(False)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.xaxis.set_major_formatter(FuncFormatter(plain))
    return picture
