"""What each family's finals cost, and whether that makes them comparable."""

from collections.abc import Sequence
from statistics import fmean

from vmsbench.config.format import count, duration
from vmsbench.report.cells import data_words
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import number

COST = (
    Column("parameters", "Parameters", hidden=True),
    Column("images_seen", "Images seen", hidden=True),
    Column("training_seconds", "Training, s", hidden=True),
    Column("seconds_per_image", "Inference, s per image", hidden=True),
)


def cost_cells(finals: Sequence[FinalRecord]) -> list[Cell]:
    """What the finals cost, on average, under COST; empty for what was not trained here."""
    found = [
        [v for final in finals if (v := number(final.results.get(key))) is not None]
        for key in ("parameters", "images_seen", "seconds", "seconds_per_image")
    ]
    return [Cell(fmean(values)) if values else Cell() for values in found]


def cost_table(group: SweepGroup, name: str = "cost") -> Table:
    """What each family's finals cost, and whether that makes them comparable."""
    keys = ("parameters", "images_seen", "epochs", "seconds", "seconds_per_image")
    rows, means = [], {}
    for sweep in group.sweeps:
        results = [final.results for final in sweep.scored]
        values = {key: [v for r in results if (v := number(r.get(key))) is not None] for key in keys}
        mean = {key: fmean(found) for key, found in values.items() if found}
        means[group.label(sweep)] = mean
        device = next((str(r["device"]) for r in results if r.get("device")), "")
        rows.append(
            (
                words(group.label(sweep)),
                *(Cell(mean.get(key), count(mean.get(key))) for key in keys[:3]),
                Cell(mean.get("seconds"), duration(mean.get("seconds"))),
                number_cell(mean.get("seconds_per_image"), 4),
                words(device),
            )
        )
    columns = (
        Column("model", "Model", text=True),
        Column("parameters", "Parameters"),
        Column("images_seen", "Images seen"),
        Column("epochs", "Epochs"),
        Column("seconds", "Training time"),
        Column("seconds_per_image", "Inference, s per image"),
        Column("device", "Device", text=True),
    )
    notes = ["Means over the finals; parameters are all that train, a GAN's discriminator included."]
    for key, tolerance, what in (("parameters", 1.1, "parameters differ"), ("images_seen", 1.0, "images seen differ")):
        found = [mean[key] for mean in means.values() if key in mean]
        if len(found) > 1 and max(found) > tolerance * min(found):
            extent = f"{max(found) / min(found):.2f} times" if min(found) else "greatly"
            notes.append(f"Not comparable in cost: {what} between the models by up to {extent}.")
    return Table(
        name, f"Cost of the final trainings ({data_words(group)}).", columns, (Part("", tuple(rows)),), tuple(notes)
    )
