"""What a search spent: the epochs that stopping early saved, and the ledger of hours."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vmsbench.config.format import count, duration
from vmsbench.report.blocks import Block, FigureBlock, TableBlock, Text
from vmsbench.report.render.style import (
    BLUE,
    GREEN,
    HAIR,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    SKY,
    VERMILION,
    colors,
    plain,
    style,
)
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.report.topic import Topic
from vmsbench.store.experiments import TrialRecord
from vmsbench.store.records import SweepGroup, SweepRecord
from vmsbench.store.values import mapping, number

HOURS = {
    "useful": (BLUE, "complete trials"),
    "repeated": (SKY, "further seeds of them"),
    "finals": (GREEN, "finals"),
    "pruned": (ORANGE, "pruned"),
    "overhead": (PURPLE, "start-up, evaluation"),
    "lost": (VERMILION, "lost: failed, repeated"),
    "idle": (HAIR, "idle slots"),
}
EPOCHS = {
    "complete": "of complete trials",
    "pruned": "of pruned trials",
    "failed": "of failed trials",
    "saved": "saved by pruning",
}


def saving_blocks(topic: Topic) -> list[Block]:
    group, suffix = topic.group, topic.suffix
    blocks: list[Block] = []
    if any(sweep.trials for sweep in group.sweeps):
        text = "; ".join(
            f"{group.label(sweep)}: " + ", ".join(f"{count} {kind}" for kind, count in epochs_of(sweep).items())
            for sweep in group.sweeps
        )
        drawing = savings(group, colors(group.sweeps))
        blocks.append(FigureBlock(f"savings{suffix}", drawing, f"Epochs of the searches. {text}.", ""))
    return [*blocks, TableBlock(search_table(group, f"search{suffix}"))] if group.sweeps else []


def hour_blocks(topic: Topic) -> list[Block]:
    group, suffix = topic.group, topic.suffix
    if not counted(group):
        return [Text("The journals of these sweeps have no slot hours.")]
    table = hours_table(group, f"hours{suffix}")
    alt = "Hours of slots by what they went into; the numbers are in the table."
    return [FigureBlock(f"hours{suffix}", hours_figure(group), alt, ""), TableBlock(table)]


def planned(sweep: SweepRecord) -> int | None:
    """The epochs of a trial that is not stopped."""
    epochs = number(mapping(sweep.config.get("trainer")).get("epochs"))
    return None if epochs is None else int(epochs)


def saved(sweep: SweepRecord, trial: TrialRecord) -> int | None:
    """The epochs that stopping a trial early saved; None where it was not stopped."""
    whole = planned(sweep)
    return max(0, whole - trial.epoch) if whole is not None and trial.state == "pruned" else None


def epochs_of(sweep: SweepRecord) -> dict[str, int]:
    """Epochs by what became of them, as EPOCHS names it."""
    run = {kind: sum(t.epoch for t in sweep.trials if t.state == kind) for kind in ("complete", "pruned", "failed")}
    return run | {"saved": sum(saved(sweep, trial) or 0 for trial in sweep.trials)}


def savings(group: SweepGroup, shades: Mapping[str, str]) -> Figure:
    """A bar per sweep: epochs trained to the end filled, of stopped trials pale, failed dark, saved hollow."""
    counts = [epochs_of(sweep) for sweep in group.sweeps]
    with style():
        picture = Figure(figsize=(6.6, 1.35 + 0.34 * len(counts)), layout="constrained")
        axes = picture.subplots()
        for row, (sweep, epochs) in enumerate(zip(group.sweeps, counts, strict=True)):
            left, color = 0, shades[sweep.name]
            fills: dict[str, dict[str, Any]] = {
                "complete": {"color": color, "lw": 0},
                "pruned": {"color": color, "alpha": 0.35, "lw": 0},
                "failed": {"color": MUTED, "lw": 0},
                "saved": {"facecolor": PAPER, "edgecolor": color, "lw": 1, "ls": (0, (2, 1.5))},
            }
            for kind, fill in fills.items():
                if epochs[kind]:
                    axes.barh(row, epochs[kind], left=left, height=0.55, **fill)
                left += epochs[kind]
        finish(axes, [group.label(sweep) for sweep in group.sweeps], "epochs")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        handles = [
            Patch(color=INK, lw=0, label=EPOCHS["complete"]),
            Patch(color=INK, alpha=0.35, lw=0, label=EPOCHS["pruned"]),
            Patch(color=MUTED, lw=0, label=EPOCHS["failed"]),
            Patch(facecolor=PAPER, edgecolor=INK, lw=1, ls=(0, (2, 1.5)), label=EPOCHS["saved"]),
        ]
        picture.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=1.2, columnspacing=1.2)
    return picture


def finish(axes: Axes, names: Sequence[str], unit: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(unit)
    axes.xaxis.set_major_formatter(FuncFormatter(plain))


def search_table(group: SweepGroup, name: str = "search") -> Table:
    """How the searches went, and what stopping early saved."""
    rows = []
    for sweep in group.sweeps:
        outcomes = [trial.state for trial in sweep.trials]
        counts = [outcomes.count(kind) for kind in ("complete", "pruned", "failed", "unfinished")]
        run, spared = sum(trial.epoch for trial in sweep.trials), epochs_of(sweep)["saved"]
        known = planned(sweep) is not None
        hours = sum(trial.seconds or 0 for trial in sweep.trials)
        share = 100 * spared / (run + spared) if known and run + spared else None
        rows.append(
            (
                words(group.label(sweep)),
                Cell(len(outcomes), str(len(outcomes))),
                *(Cell(count, str(count)) for count in counts),
                Cell(run, count(run)),
                Cell(spared, count(spared)) if known else Cell(),
                number_cell(share, 0),
                Cell(hours, duration(hours)),
            )
        )
    columns = (
        Column("model", "Model", text=True),
        Column("trials", "Trials"),
        Column("complete", "Complete"),
        Column("pruned", "Stopped early"),
        Column("failed", "Failed"),
        Column("unfinished", "Unfinished"),
        Column("epochs", "Epochs run"),
        Column("epochs_saved", "Epochs saved"),
        Column("share_saved", "Saved, %"),
        Column("seconds", "Time in trials"),
    )
    notes = ("Epochs saved: what the stopped trials would have trained further. Why each was stopped is in its table.",)
    return Table(name, "The searches, and what stopping early saved.", columns, (Part("", tuple(rows)),), notes)


def counted(group: SweepGroup) -> list[SweepRecord]:
    return [sweep for sweep in group.all if any(sweep.hours.get(kind) for kind in HOURS)]


def hours_figure(group: SweepGroup) -> Figure:
    """A bar per sweep of the hours of its slots, by what they went into."""
    sweeps = counted(group)
    most = max(sum(sweep.hours.get(kind, 0.0) for kind in HOURS) for sweep in sweeps)
    unit, factor = ("hours of slots", 1.0) if most >= 2 else ("minutes of slots", 60.0)
    with style():
        picture = Figure(figsize=(6.6, 1.5 + 0.34 * len(sweeps)), layout="constrained")
        axes = picture.subplots()
        for row, sweep in enumerate(sweeps):
            left = 0.0
            for kind, (color, _) in HOURS.items():
                axes.barh(row, factor * sweep.hours.get(kind, 0.0), left=left, height=0.55, color=color, lw=0)
                left += factor * sweep.hours.get(kind, 0.0)
        finish(axes, [sweep.name for sweep in sweeps], unit)
        handles = [Patch(color=color, lw=0, label=text) for color, text in HOURS.values()]
        picture.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=1.2, columnspacing=1.2)
    return picture


def hours_table(group: SweepGroup, name: str = "hours") -> Table:
    """The ledger: hours of slots of every sweep, by what they went into."""
    rows = []
    for sweep in counted(group):
        spent = [sweep.hours.get(kind, 0.0) for kind in HOURS]
        cells = [Cell(value, duration(3600 * value) if value else "0") for value in (*spent, sum(spent))]
        rows.append((words(sweep.name), *cells))
    columns = (
        Column("sweep", "Sweep", text=True),
        *(Column(kind, kind.capitalize()) for kind in HOURS),
        Column("all", "All"),
    )
    notes = (
        "Useful: complete trials, the first seed of each. Repeated: further seeds. Overhead: start-up and "
        "evaluation. Lost: failed trials, and what was repeated after an interruption. Idle: slots without a trial. "
        "The CSV has hours.",
    )
    return Table(name, "Slot hours by use.", columns, (Part("", tuple(rows)),), notes)
