"""Scores of one answer that ask where a map rises and falls: CC, SSIM and plugins' own, with blind maps and people."""

from collections.abc import Mapping

from vmsbench.metrics.catalog import Metric, metric
from vmsbench.report import labels
from vmsbench.report.analysis.gains import level_of, skill_of
from vmsbench.report.analysis.people import people, people_note
from vmsbench.report.analysis.ranking import Ranking
from vmsbench.report.analysis.sentences import percent
from vmsbench.report.analysis.tracks import blind_predictor
from vmsbench.report.cells import score_cells, score_columns
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.report.sections.scores.answers import measured_metrics, predictor_rows
from vmsbench.report.sections.scores.rows import PredictorRow, caption, ends
from vmsbench.store.records import SweepGroup

ENDS = ("low", "high")
SKILL = "cc_combined_20"
"""The score with a column of skill: the one in which people's agreement has been published."""


def agreement_table(group: SweepGroup, ranking: Ranking, name: str = "agreement") -> Table:
    shown = agreement_metrics(group)
    people_rows = [PredictorRow(line.label, line.scores) for line in people(group)]
    parts = predictor_rows(group, ranking) | {"People": people_rows}
    made = tuple(Part(title, tuple(cells(row, shown, group) for row in rows)) for title, rows in parts.items() if rows)
    return Table(
        name, caption(group, ranking, "Test CC and SSIM"), columns(shown, group), made, tuple(notes(shown, group))
    )


def agreement_metrics(group: SweepGroup) -> Mapping[str, Metric]:
    """The scores of one answer that are neither errors nor about fixations, those for people."""
    return {
        name: one
        for name, one in measured_metrics(group).items()
        if one.needs == "maps" and one.shown != "files" and not one.scale
    }


def columns(shown: Mapping[str, Metric], group: SweepGroup) -> tuple[Column, ...]:
    against = labels.predictor(blind_predictor(SKILL, group) or "pixel_mean").lower()
    return (
        Column("predictor", "Predictor", text=True),
        *score_columns(shown, ""),
        Column("skill", f"Skill to {against} ({metric(SKILL).label}), % ↑"),
        Column("skill_low", "Skill, low", hidden=True),
        Column("skill_high", "Skill, high", hidden=True),
        Column("samples", "K"),
        Column("seeds", "Seeds"),
        *(Column(f"{name}_{end}", f"{shown[name].label}, {end}", hidden=True) for name in shown for end in ENDS),
    )


def cells(row: PredictorRow, shown: Mapping[str, Metric], group: SweepGroup) -> tuple[Cell, ...]:
    return (
        words(row.label),
        *score_cells(shown, row.scores, row.spreads, row.strong),
        *skill_cells(row, group),
        Cell(row.samples, str(row.samples)) if row.samples else Cell(),
        row.seeds,
        *(cell for name in shown for cell in ends(level_of(row.standing.entry, name) if row.standing else None)),
    )


def skill_cells(row: PredictorRow, group: SweepGroup) -> tuple[Cell, Cell, Cell]:
    """The skill with the ends of its interval; none of people, whose figures may be published ones of other images."""
    if row.label in {line.label for line in people(group)}:
        return Cell(), Cell(), Cell()
    gained = skill_of(row.standing.entry, group, SKILL) if row.standing else None
    if gained:
        shown = Cell(100 * gained.value, percent(gained).replace(" %", ""))
        return shown, Cell(100 * gained.low), Cell(100 * gained.high)
    blind = group.baselines("test").get(blind_predictor(SKILL, group), {}).get(SKILL)
    found = row.scores.get(SKILL)
    if blind is None or found is None or blind >= 1:
        return Cell(), Cell(), Cell()
    return number_cell(100 * (found - blind) / (1 - blind), 1), Cell(), Cell()


def notes(shown: Mapping[str, Metric], group: SweepGroup) -> list[str]:
    found = [
        "CC and SSIM are 1 for a perfect map. CC is the mean over the images whose true map has a shape.",
        reference_note(shown, group),
        people_note(group),
    ]
    return [note for note in found if note]


def reference_note(shown: Mapping[str, Metric], group: SweepGroup) -> str:
    """The best blind predictor under each score."""
    under: dict[str, list[str]] = {}
    for name, one in shown.items():
        if blind := blind_predictor(name, group):
            under.setdefault(blind, []).append(one.label)
    said = [f"the {labels.predictor(blind).lower()} under {labels.listing(names)}" for blind, names in under.items()]
    return f"The best map that ignores the image: {'; '.join(said)}." if said else ""
