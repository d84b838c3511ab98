"""What both tables of scores share: their shape, skill with its interval, and the predictors of the baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vmsbench.metrics.catalog import Metric
from vmsbench.metrics.significance import Interval
from vmsbench.report import labels
from vmsbench.report.analysis.ranking import EntryScore, Ranking
from vmsbench.report.analysis.sentences import percent
from vmsbench.report.cells import data_words, score_cells, score_columns
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.report.sections.scores.cost import COST, cost_cells
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import Scores, number


@dataclass(frozen=True)
class PredictorRow:
    """A predictor: its scores by the metrics' names, its number of samples, and where it stands if it is a model."""

    label: str
    scores: Scores
    spreads: Scores = field(default_factory=dict)
    samples: int | None = None
    standing: EntryScore | None = None
    strong: frozenset[str] = frozenset()
    finals: Sequence[FinalRecord] = ()
    seeds: Cell = field(default_factory=Cell)
    further: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Shape:
    """A table's columns: the metrics, and `further` ones behind them."""

    ranking: Ranking
    metrics: Mapping[str, Metric]
    further: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        score = self.ranking.track.score
        name = labels.metric(score)
        against = labels.predictor(self.ranking.reference).lower() if self.ranking.reference else "no reference"
        return (
            Column("predictor", "Predictor", text=True),
            Column("verdict", "Verdict", text=True),
            Column("skill", f"Skill to {against} ({name}), % ↑"),
            Column("skill_low", "Skill, low", hidden=True),
            Column("skill_high", "Skill, high", hidden=True),
            Column("score_low", f"{name}, low", hidden=True),
            Column("score_high", f"{name}, high", hidden=True),
            *score_columns(self.metrics, score),
            *self.further,
            Column("samples", "K"),
            Column("seeds", "Seeds"),
            *COST,
        )

    def cells(self, row: PredictorRow, blind: float | None) -> tuple[Cell, ...]:
        further = row.further or (Cell(),) * len(self.further)
        return (
            words(row.label),
            words(row.standing.word if row.standing else ""),
            *skill_cells(row.standing, row.scores.get(self.ranking.track.score), blind),
            *score_cells(self.metrics, row.scores, row.spreads, row.strong),
            *further,
            Cell(row.samples, str(row.samples)) if row.samples else Cell(),
            row.seeds,
            *cost_cells(row.finals),
        )

    def table(
        self, name: str, group: SweepGroup, parts: Mapping[str, Sequence[PredictorRow]], notes: Sequence[str]
    ) -> Table:
        blind = group.baselines("test").get(self.ranking.reference, {}).get(self.ranking.track.score)
        made = tuple(
            Part(title, tuple(self.cells(row, blind) for row in rows)) for title, rows in parts.items() if rows
        )
        return Table(name, caption(group, self.ranking), self.columns, made, tuple(notes))


def by_origin(rows: Sequence[tuple[str, PredictorRow]], group: SweepGroup) -> dict[str, list[PredictorRow]]:
    """The rows of models, each with its model's label, under a heading for what they have seen: these pictures alone,
    others too, or nothing that is known here."""
    outside = {group.outside_label(one) for one in group.outside}
    own = [(label in group.encoded, row) for label, row in rows if label not in outside]
    alone, encoded = ([row for seen, row in own if seen is kind] for kind in (False, True))
    return {
        "Models of these pictures alone" if encoded else "Models": alone,
        "Models that have seen other pictures too, through an encoder": encoded,
        "Models from elsewhere": [row for label, row in rows if label in outside],
    }


def caption(group: SweepGroup, ranking: Ranking, what: str = "Test scores") -> str:
    images = f"{group.data.test} images" if group.data.test else "images"
    return f"{what} {ranking.track.words}: {images} that were not used for selection ({data_words(group)})."


def skill_cells(standing: EntryScore | None, score: float | None, blind: float | None) -> list[Cell]:
    """The skill, and the intervals of skill and score where they are known."""
    if standing is None or standing.skill is None or standing.error is None:
        skill = number_cell(100 * (1 - score / blind) if blind and score is not None else None, 1)
        return [skill, *([Cell()] * 4)]
    gained, error = standing.skill, standing.error
    shown = Cell(100 * gained.value, percent(gained).replace(" %", ""))
    return [shown, Cell(100 * gained.low), Cell(100 * gained.high), Cell(error.low), Cell(error.high)]


def ends(interval: Interval | None) -> tuple[Cell, Cell]:
    """The two ends of an interval, for the CSV; empty where there is none."""
    return (Cell(interval.low), Cell(interval.high)) if interval else (Cell(), Cell())


def seeds_cell(standing: EntryScore) -> Cell:
    return Cell(standing.seeds, str(standing.seeds))


def unscored(group: SweepGroup) -> list[PredictorRow]:
    """A row for each family that has no test score yet."""
    labels_ = (group.label(sweep) for sweep in group.sweeps if not sweep.scored)
    return [PredictorRow(label, {}, seeds=Cell(0, "none yet")) for label in labels_]


def reads_notes(group: SweepGroup) -> list[str]:
    """How often the test images were read, and by whom."""
    read = [int(reads) for s in group.sweeps for f in s.finals if (reads := number(f.results.get("test_reads")))]
    notes = [ensemble_note(group.ensemble_label(s), one) for s in group.sweeps if (one := s.ensemble)]
    notes += [
        f"{one.id} comes from outside: its maps were scored on the test images "
        f"{labels.times(int(number(one.results.get('test_reads')) or 1))}, how it was trained is not known here."
        for one in group.outside
    ]
    if read:
        times = labels.times(sum(read))
        trainings = f"{len(read)} final training{'s' if len(read) > 1 else ''}"
        notes.append(f"The test images were read {times}, by {trainings}, and by no trial of a search.")
    return notes


def ensemble_note(label: str, one: FinalRecord) -> str:
    together = "as many draws of each" if one.samples > 1 else "the mean of their maps"
    times = labels.times(int(number(one.results.get("test_reads")) or 1))
    return (
        f"{label}: {len(one.results['members'])} finals as one predictor, {together}; it read the test images {times}."
    )
