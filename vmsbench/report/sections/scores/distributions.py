"""The track of distributions: samplers by their samples, single answers dressed, and climatology that never looks."""

from collections.abc import Mapping

from vmsbench.metrics.catalog import Metric, metrics, scales
from vmsbench.metrics.predictors import SAMPLES
from vmsbench.report import labels
from vmsbench.report.analysis.calibration import MeasuredCalibration, measured
from vmsbench.report.analysis.ranking import EntryScore, Ranking
from vmsbench.report.analysis.tracks import DISTRIBUTION, track_of
from vmsbench.report.cells import average
from vmsbench.report.render.tables import Cell, Column, Table, number_cell
from vmsbench.report.sections.scores.rows import PredictorRow, Shape, by_origin, seeds_cell
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import Scores

SAMPLERS = ("climatology", "category_climatology", "random_train", "oracle_law")
"""The predictors of the baselines that are distributions."""
EXACT = ("climatology", "category_climatology")
FURTHER = (
    Column("coverage_50", "50 % intervals hold, %"),
    Column("coverage_90", "90 % intervals hold, %"),
    Column("spread_skill", "Spread / error → 1"),
    Column("undressed", "CRPS of the answer undressed [−1, 1]"),
    Column("undressed_unit", "CRPS of the answer undressed [0, 1]", hidden=True),
    Column("dressed_on", "Dressed by pairs", hidden=True),
)


def law_metrics() -> Mapping[str, Metric]:
    """The scores of distributions that the report shows: CRPS, the energy score and plugins' own."""
    return {name: one for name, one in metrics().items() if track_of(name) is DISTRIBUTION and one.shown != "files"}


def law_scores() -> list[str]:
    """Their names in results, in each scale that they have."""
    return [key for name in law_metrics() for key in scales(name)]


def distribution_table(group: SweepGroup, ranking: Ranking, name: str = "distributions") -> Table:
    shape = Shape(ranking, law_metrics(), FURTHER)
    models = [(one.entry.family, model_row(one, ranking)) for one in ranking.standings.values()]
    undressed = [
        undressed_row(label, finals) for label, finals in group.models.items() if lacking(label, ranking, finals)
    ]
    parts = {
        **by_origin(models, group),
        "Single answers, not dressed: no distributions": undressed,
        "Never look at the image": baseline_rows(group, oracle=False),
        "Knows how the data were made": baseline_rows(group, oracle=True),
    }
    return shape.table(name, group, parts, notes(group, ranking))


def lacking(label: str, ranking: Ranking, finals: tuple[FinalRecord, ...]) -> bool:
    """Whether a family gave single answers that have not been dressed."""
    return ranking.best(label) is None and all(final.samples == 1 for final in finals)


def undressed_row(label: str, finals: tuple[FinalRecord, ...]) -> PredictorRow:
    return PredictorRow(label, {}, further=(Cell(), Cell(), Cell(), *undressed_cells(finals), Cell()))


def undressed_cells(finals: tuple[FinalRecord, ...]) -> list[Cell]:
    return [number_cell(mean, 4, spread) for mean, spread in (average(finals, "crps"), average(finals, "crps_unit"))]


def model_row(standing: EntryScore, ranking: Ranking) -> PredictorRow:
    entry = standing.entry
    pairs = {key: entry.mean(key) for key in law_scores()}
    scores = {key: mean for key, (mean, _) in pairs.items() if mean is not None}
    spreads = {key: spread for key, (_, spread) in pairs.items() if spread is not None}
    single = entry.kind == "dressed" and entry.samples == 1
    dressed_on = entry.finals[0].dressing.get("pairs") if entry.kind == "dressed" else None
    undressed = undressed_cells(entry.finals) if single else [Cell(), Cell()]
    return PredictorRow(
        entry.label,
        scores,
        spreads,
        entry.samples if entry.kind == "samples" else None,
        standing,
        frozenset(key for label, key in ranking.bold if label == entry.label),
        entry.finals,
        seeds_cell(standing),
        (*calibration_cells(measured(entry.finals, entry.kind)), *undressed, Cell(dressed_on)),
    )


def calibration_cells(found: MeasuredCalibration | None) -> list[Cell]:
    coverage = found.coverage if found else {}
    cells = [share_cell(coverage[level].value if level in coverage else None) for level in (50, 90)]
    return [*cells, number_cell(found.spread_skill.value if found and found.spread_skill else None, 2)]


def share_cell(share: float | None) -> Cell:
    return Cell(share, f"{100 * share:.0f}") if share is not None else Cell()


def baseline_rows(group: SweepGroup, oracle: bool) -> list[PredictorRow]:
    """The blind samplers and laws, or the samples of the law that made the data; each by its own K."""
    rows = []
    for key, scores in group.baselines("test").items():
        if key in SAMPLERS and key.startswith("oracle") == oracle and "spread" in scores:
            further = (
                *(share_cell(scores.get(f"coverage_{level}")) for level in (50, 90)),
                number_cell(scores.get("spread_skill"), 2),
                *(Cell(), Cell(), Cell()),
            )
            drawn = None if key in EXACT else SAMPLES
            rows.append(PredictorRow(labels.predictor(key), kept(scores), samples=drawn, further=further))
    return sorted(rows, key=lambda row: row.scores.get("crps", 0.0))


def kept(scores: Scores) -> Scores:
    return {key: scores[key] for key in law_scores() if key in scores}


def notes(group: SweepGroup, ranking: Ranking) -> list[str]:
    samplers = {one.entry.samples for one in ranking.standings.values() if one.entry.kind == "samples"}
    said = [
        "CRPS and energy score are in [−1, 1]; in [0, 1] they are half of it. CRPS is the fair estimator over K "
        "samples, and of laws that are known (climatology, dressed answers) exact. The energy score is of whole maps: "
        "it sees whether a sample hangs together, which CRPS, pixel by pixel, cannot. Of a dressed answer it is that "
        "of 16 draws, in which the pixels of a channel rise and fall together.",
        "Dressed: a single answer turned into a distribution by the errors that it made on the tuning validation pairs "
        "(EasyUQ). A sampler's dressed answer is the median of its samples. The CRPS of an answer that is not dressed "
        "is its L1 and no score of a distribution.",
        "K: how many samples of each image were scored; a dash is a law, which needs none.",
    ]
    if len(samplers) > 1:
        counts = labels.listing(str(count) for count in sorted(samplers))
        said.append(
            f"The samplers were scored by different K ({counts}); fair CRPS allows it, the energy score less so."
        )
    if ranking.reference:
        said.append(
            f"Skill = 1 − CRPS / CRPS of {labels.predictor(ranking.reference).lower()}, which draws training maps and "
            "never looks at the image: an ensemble of them has this CRPS for its spread alone."
        )
    else:
        said.append("Skill needs climatology's score, which is missing.")
    return said
