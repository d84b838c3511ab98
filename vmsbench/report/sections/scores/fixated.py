"""Saliency's scores of one answer, where the data have fixations: NSS, AUC-Judd, information gain; and what a map that
ignores the image has under each."""

from collections.abc import Sequence
from dataclasses import replace

from vmsbench.metrics.catalog import metric
from vmsbench.metrics.significance import Interval
from vmsbench.report import labels
from vmsbench.report.analysis.gains import gain_of, level_of
from vmsbench.report.analysis.ranking import Ranking
from vmsbench.report.analysis.sentences import signed
from vmsbench.report.analysis.tracks import blind_predictor
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.report.sections.scores.answers import measured_metrics, predictor_rows
from vmsbench.report.sections.scores.rows import PredictorRow, caption, ends
from vmsbench.store.records import SweepGroup


def fixation_metrics(group: SweepGroup) -> list[str]:
    """Empty where the data have no fixations."""
    return [name for name, one in measured_metrics(group).items() if one.needs == "fixations"]


def fixation_table(group: SweepGroup, ranking: Ranking, name: str = "fixations") -> Table:
    scores = fixation_metrics(group)
    columns = [Column("predictor", "Predictor", text=True)]
    for score in scores:
        columns += score_columns(score, group)
    made = tuple(
        Part(title, tuple(cells(row, scores, group) for row in rows))
        for title, rows in predictor_rows(group, ranking, without=()).items()
        if rows
    )
    columns += [Column("samples", "K"), Column("seeds", "Seeds")]
    return Table(name, caption(group, ranking, "Test scores at fixations"), tuple(columns), made, notes(scores, group))


def score_columns(score: str, group: SweepGroup) -> list[Column]:
    one, blind = metric(score), labels.predictor(blind_predictor(score, group) or "what ignores the image").lower()
    return [
        Column(score, f"{one.label} {one.arrow}"),
        Column(f"{score}_low", f"{one.label}, low", hidden=True),
        Column(f"{score}_high", f"{one.label}, high", hidden=True),
        Column(f"{score}_gain", f"over {blind}"),
        Column(f"{score}_gain_low", "Gain, low", hidden=True),
        Column(f"{score}_gain_high", "Gain, high", hidden=True),
    ]


def cells(row: PredictorRow, scores: Sequence[str], group: SweepGroup) -> tuple[Cell, ...]:
    found = [words(row.label)]
    for score in scores:
        found += score_cells(row, score, group)
    return (*found, Cell(row.samples, str(row.samples)) if row.samples else Cell(), row.seeds)


def score_cells(row: PredictorRow, score: str, group: SweepGroup) -> list[Cell]:
    """The score, its interval, how much better it is than the blind reference's, and the interval of that."""
    value, digits = row.scores.get(score), metric(score).digits
    shown = replace(number_cell(value, digits, row.spreads.get(score)), strong=score in row.strong)
    entry = row.standing.entry if row.standing else None
    level = level_of(entry, score) if entry else None
    gain = gain_of(entry, group, score) if entry else None
    return [shown, *ends(level), gain_cell(gain, value, score, group), *ends(gain)]


def gain_cell(gain: Interval | None, value: float | None, score: str, group: SweepGroup) -> Cell:
    """The gain with its interval; of what has no scores per image the difference alone."""
    digits = metric(score).digits
    if gain is not None:
        low, high = signed(gain.low, digits), signed(gain.high, digits)
        return Cell(gain.value, f"{signed(gain.value, digits)} [{low}, {high}]")
    blind = group.baselines("test").get(blind_predictor(score, group), {}).get(score)
    if value is None or blind is None:
        return Cell()
    gained = metric(score).loss(blind) - metric(score).loss(value)
    return Cell(gained, signed(gained, digits))


def notes(scores: Sequence[str], group: SweepGroup) -> tuple[str, ...]:
    rows = group.baselines("test").values()
    images = next((int(row[f"{score}_n"]) for score in scores for row in rows if f"{score}_n" in row), None)
    return (
        f"Of red and green together, at the fixations{f' of {images} test images' if images else ''}. The centre bias "
        "is the density of the training images' fixations; the information gain is over it.",
        "over: by how much the score is better than that of the best predictor under it which never looks at the "
        "image, with its 95 % interval over images and seeds. Where the interval touches 0 a model is no better.",
    )
