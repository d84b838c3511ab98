"""Columns and cells of scores that several sections share; each says its scale and which direction is better."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev

from vmsbench.metrics.catalog import Metric, in_unit, metric, scales
from vmsbench.report import labels
from vmsbench.report.render.tables import Cell, Column, number_cell
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import Scores


def score_columns(shown: Mapping[str, Metric], unit_shown: str) -> list[Column]:
    """A column per metric, for people or for the CSV alone, with the direction that is better.

    unit_shown  the metric of which people see both scales
    """
    columns = []
    for name, one in shown.items():
        hidden = one.shown == "files"
        if not one.scale:
            columns.append(Column(name, f"{one.label} {one.arrow}", hidden=hidden))
            continue
        columns.append(Column(name, f"{one.label} [−1, 1] {one.arrow}", hidden=hidden))
        columns.append(Column(f"{name}_unit", f"{one.label} [0, 1] {one.arrow}", hidden=hidden or name != unit_shown))
    return columns


def score_cells(
    shown: Mapping[str, Metric], scores: Scores, spreads: Scores, strong: Collection[str] = ()
) -> list[Cell]:
    """The cells under `score_columns`; scores in [0, 1] that are not given are those in [-1, 1], divided."""
    cells = []
    for name in shown:
        for key in scales(name):
            spread = spreads.get(key, in_unit(name, spreads.get(name)) if key != name else None)
            value = scores.get(key, in_unit(name, scores.get(name)) if key != name else None)
            cells.append(replace(number_cell(value, metric(name).digits, spread), strong=key in strong))
    return cells


def average(finals: Sequence[FinalRecord], key: str) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation over the finals that have the score; no deviation of one."""
    values = [final.scores[key] for final in finals if key in final.scores]
    return (fmean(values) if values else None), (stdev(values) if len(values) > 1 else None)


def both_scales(name: str, value: float | None) -> tuple[Cell, Cell]:
    """A score in [-1, 1] and in [0, 1]; the second is a dash for scores without a scale, such as CC."""
    return number_cell(value, 4), number_cell(in_unit(name, value), 4)


def tuning_columns(key: str) -> tuple[Column, Column]:
    name = labels.metric(key)
    if metric(key).scale is None:
        return Column("score", f"Tuning {name}"), Column("score_unit", f"{name} [0, 1]", hidden=True)
    return Column("score", f"Tuning {name} [−1, 1]"), Column("score_unit", f"Tuning {name} [0, 1]")


def data_words(group: SweepGroup) -> str:
    coding = labels.CODINGS.get(group.data.coding, group.data.coding)
    return f"{group.data.title}; {group.data.coding}: {coding}"
