"""Distances between sets of maps, as table and bars: FID, or Frechet distances by other weights or in an
encoder's features, and KID."""

from collections.abc import Callable, Mapping, Sequence
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
from vmsbench.store.values import mapping, number

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
ENCODER = (
    "Not FID: without Inception's weights these are distances in the features of another network, which names the 1000 "
    "things of ImageNet as Inception does. Compare them only with others of the same network."
)
FILE = "Not FID: the weights are not Inception's official ones. Compare only with the same file's."
DISTANCES = (
    ("value", 2),
    ("floor", 2),
    ("value_64", 2),
    ("floor_64", 2),
    ("kid", 4),
    ("kid_error", 4),
    ("kid_floor", 4),
)
Fid = Mapping[str, Any]


def distance_blocks(topic: Topic) -> list[Block]:
    """FID and KID, or what has another file's name; and, of finals without them, the same in an encoder's features."""
    group, suffix = topic.group, topic.suffix
    table = distance_table(group, f"distances{suffix}")
    instead = distance_table(group, f"encoder-distances{suffix}", in_encoder)
    shown = [one for one in (table, instead) if one.parts[0].rows]
    blocks: list[Block] = []
    for one in shown:
        picture = FigureBlock(
            one.name,
            distance_figure(group, one),
            "Distances of the predicted maps from the true ones; the numbers are in the table.",
            "How far the set of predicted maps is from the set of true ones. The black line is the floor: real maps "
            "against real maps; grey: random training maps, which never look at the image. Whiskers: the standard "
            "deviation over seeds; KID's standard error.",
        )
        blocks += [picture, TableBlock(one)]
    if not blocks and not group.models:
        return [Text("No final has been scored yet.")]
    notes = [] if table in shown else list(table.notes)
    notes += list(instead.notes) if not shown else []
    return [*(Text(note) for note in dict.fromkeys(notes)), *blocks]


def in_inception(final: FinalRecord) -> Fid:
    return final.fid


def in_encoder(final: FinalRecord) -> Fid:
    """Where there are no Inception weights, the distances in an encoder's features."""
    return mapping(final.fid.get("encoder"))


def name_of(fid: Fid) -> str:
    return str(fid.get("name") or "Frechet")


def measured(fid: Fid) -> bool:
    return number(fid.get("value")) is not None


def distance_table(
    group: SweepGroup, name: str = "distances", of: Callable[[FinalRecord], Fid] = in_inception
) -> Table:
    """How far the set of predicted maps is from the set of true ones, in a network's features; no row where n/a."""
    fids = {label: [found for final in finals if (found := of(final))] for label, finals in group.models.items()}
    there = [fid for found in fids.values() for fid in found if measured(fid)]
    called = list(dict.fromkeys(map(name_of, there)))
    title = next((name for name in called if name.startswith("FID")), called[0] if called else "FID-2048")
    rows = [
        model_row(label, chosen)
        for label, found in fids.items()
        if (chosen := [fid for fid in found if measured(fid) and name_of(fid) == title])
    ]
    kept = kept_columns(title, of)
    blind = blind_row([fid for fid in there if name_of(fid) == title])
    notes = absences(fids, title, of)
    if rows:
        notes = [*own_notes(title, of), *notes, *ABOUT]
        notes += [] if blind else ["Random training maps were not measured here; new finals have them."]
    parts = [Part("Models" if rows else "", tuple(pick(row, kept) for row in rows))]
    parts += [Part("Never looks at the image", (pick(blind, kept),))] if rows and blind else []
    caption = f"Distances between sets of maps in the features of {network_of(title, of)} ({data_words(group)})."
    columns = tuple(column for column, stays in zip(columns_of(title), kept, strict=True) if stays)
    return Table(name, caption, columns, tuple(parts), tuple(notes))


def network_of(title: str, of: Callable[[FinalRecord], Fid]) -> str:
    """Whose features: Inception's, or those of the encoder in the distance's name; one without a name says so."""
    if of is in_inception:
        return "Inception"
    return title.partition("(")[2].rstrip(")") or "an encoder whose name is missing"


def columns_of(title: str) -> tuple[Column, ...]:
    small = "FID-64" if title.startswith("FID") else title.replace("Frechet", "Frechet-64")
    return (
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


def kept_columns(title: str, of: Callable[[FinalRecord], Fid]) -> list[bool]:
    """All columns; an encoder has features of one dimension alone."""
    return [of is in_inception or not column.key.endswith("_64") for column in columns_of(title)]


def pick(row: Sequence[Cell], kept: Sequence[bool]) -> tuple[Cell, ...]:
    return tuple(cell for cell, stays in zip(row, kept, strict=True) if stays)


def model_row(label: str, fids: Sequence[Fid]) -> tuple[Cell, ...]:
    """Means over the finals, with the standard deviation where there are several."""
    cells = []
    for key, digits in DISTANCES:
        values = [found for fid in fids if (found := number(fid.get(key))) is not None]
        several = len(values) > 1 and "floor" not in key
        cells.append(number_cell(fmean(values) if values else None, digits, stdev(values) if several else None))
    return (words(label), Cell(fids[0].get("n"), str(fids[0].get("n"))), *cells)


def own_notes(title: str, of: Callable[[FinalRecord], Fid]) -> list[str]:
    if of is in_encoder:
        return [ENCODER]
    return [] if title.startswith("FID") else [FILE]


def absences(fids: Mapping[str, Sequence[Fid]], title: str, of: Callable[[FinalRecord], Fid]) -> list[str]:
    """Why models have no row, a note for each reason; of an encoder's distances where that was tried."""
    reasons: dict[str, list[str]] = {}
    for label, found in fids.items():
        others = {name_of(fid) for fid in found if measured(fid)} - {title}
        if any(measured(fid) and name_of(fid) == title for fid in found) or (of is in_encoder and not found):
            continue
        why = f"only {labels.listing(others)} was measured" if others else "it was not computed"
        reason = next((str(fid["reason"]) for fid in found if fid.get("reason")), why)
        reasons.setdefault(reason, []).append(label)
    shorter = title.replace("-2048", "") if of is in_inception else "The distance in an encoder's features is"
    return [f"{shorter} n/a for {labels.listing(dict.fromkeys(who))}: {reason}." for reason, who in reasons.items()]


def blind_row(fids: Sequence[Fid]) -> tuple[Cell, ...] | None:
    """Of random training maps, by the first final that has them; with the floor, as they are one."""
    fid = next((fid for fid in fids if number(fid.get("random_value")) is not None), None)
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
        panels = [panel for panel in PANELS if panel[0] in place]
        picture = Figure(figsize=(8.4, 1.0 + 0.34 * len(rows)), layout="constrained")
        for axes, (key, floor, error) in zip(picture.subplots(1, len(panels), sharey=True), panels, strict=True):
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
