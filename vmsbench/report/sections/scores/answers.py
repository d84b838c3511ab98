"""The track of one answer: the best single map of each model under L1 and MSE, and what blind maps reach.

Its other scores are in tables of their own: agreement.py, fixated.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vmsbench.metrics.catalog import Metric, metrics
from vmsbench.metrics.predictors import SAMPLES
from vmsbench.metrics.references import of_one_answer
from vmsbench.report import labels
from vmsbench.report.analysis.ranking import EntryScore, Ranking
from vmsbench.report.analysis.tracks import ANSWER, blind_predictor, track_of
from vmsbench.report.cells import average
from vmsbench.report.render.tables import Cell, Column, Table, number_cell
from vmsbench.report.sections.scores.rows import PredictorRow, Shape, by_origin, reads_notes, seeds_cell, unscored
from vmsbench.store.records import SweepGroup
from vmsbench.store.values import Scores

LAWS = ("climatology", "category_climatology", "oracle_law")
"""Predictors of the other track; their one answers are rows of their own here: pixel median, pixel mean."""
OF_FIXATIONS = ("centre_bias", "category_centre_bias")
"""Predictors of fixations, and not of maps."""
ONE = (
    Column("one_l1", "L1 of one sample [−1, 1] ↓"),
    Column("one_l1_unit", "L1 of one sample [0, 1] ↓", hidden=True),
)


def answer_metrics() -> Mapping[str, Metric]:
    return {name: one for name, one in metrics().items() if track_of(name) is ANSWER}


def measured_metrics(group: SweepGroup) -> Mapping[str, Metric]:
    """Without those that need what these data do not have."""
    there = {key for row in group.baselines("test").values() for key in row}
    return {name: one for name, one in answer_metrics().items() if one.needs == "maps" or name in there}


def of_errors(shown: Mapping[str, Metric]) -> Mapping[str, Metric]:
    """The same, with all for files alone but those that are on a scale: L1, MSE."""
    return {name: one if one.scale else replace(one, shown="files") for name, one in shown.items()}


def answered(scores: Scores) -> Scores:
    """The scores of the one answer, by the names of the metrics: l1 is that of the median of K samples."""
    found = {}
    for name, value in scores.items():
        of_answer = scores.get(of_one_answer(name))
        other_scale = of_one_answer(name.removesuffix("_unit")) in scores
        if of_answer is not None or not other_scale:  # else it is of one sample, and that of the answer follows
            found[name] = value if of_answer is None else of_answer
    return found


def answer_table(group: SweepGroup, ranking: Ranking, name: str = "answers") -> Table:
    against = labels.predictor(mse_reference(group)).lower()
    skill = Column("mse_skill", f"Skill to {against} (MSE), % ↑")
    shape = Shape(ranking, of_errors(measured_metrics(group)), (*ONE, skill))
    return shape.table(name, group, predictor_rows(group, ranking), answer_notes(group, ranking))


def predictor_rows(
    group: SweepGroup, ranking: Ranking, without: Sequence[str] = OF_FIXATIONS
) -> dict[str, list[PredictorRow]]:
    """The rows of each part of a table of one answer; baselines `without` some."""
    models = [(label, model_row(one, ranking, group)) for label, one in ranking.standings.items()]
    return {
        **by_origin([*models, *((row.label, row) for row in unscored(group))], group),
        "Never look at the image": baseline_rows(group, without, oracle=False),
        "Know how the data were made": baseline_rows(group, without, oracle=True),
    }


def model_row(standing: EntryScore, ranking: Ranking, group: SweepGroup) -> PredictorRow:
    entry = standing.entry
    pairs = {key: entry.mean(key) for name in answer_metrics() for key in (name, f"{name}_unit")}
    scores = {key: mean for key, (mean, _) in pairs.items() if mean is not None}
    spreads = {key: spread for key, (_, spread) in pairs.items() if spread is not None}
    one = [average(entry.finals, key) if entry.samples > 1 else (None, None) for key in ("l1", "l1_unit")]
    return PredictorRow(
        entry.label,
        scores,
        spreads,
        entry.samples,
        standing,
        frozenset(key for label, key in ranking.bold if label == entry.label),
        entry.finals,
        seeds_cell(standing),
        (*(number_cell(mean, 4, spread) for mean, spread in one), mse_skill(scores, group)),
    )


def baseline_rows(group: SweepGroup, without: Sequence[str], oracle: bool) -> list[PredictorRow]:
    rows = []
    for key, scores in group.baselines("test").items():
        if key.startswith("oracle") == oracle and key not in (*LAWS, *without):
            sampled = "l1_median" in scores
            one = [number_cell(scores.get(key) if sampled else None, 4) for key in ("l1", "l1_unit")]
            found = answered(scores)
            further = (*one, mse_skill(found, group))
            drawn = SAMPLES if sampled else None
            rows.append(PredictorRow(labels.predictor(key), found, samples=drawn, further=further))
    return sorted(rows, key=lambda row: row.scores.get("l1", 0.0))


def mse_skill(scores: Scores, group: SweepGroup) -> Cell:
    """1 - MSE / MSE of the best blind predictor under it, in per cent."""
    blind, found = group.baselines("test").get(mse_reference(group), {}).get("mse"), scores.get("mse")
    return number_cell(100 * (1 - found / blind) if blind and found is not None else None, 1)


def mse_reference(group: SweepGroup) -> str:
    return blind_predictor("mse", group) or "pixel_mean"


def answer_notes(group: SweepGroup, ranking: Ranking) -> list[str]:
    channels = 1 if group.data.coding == "grey" else 3
    counts = sorted({standing.entry.samples for standing in ranking.standings.values()} - {1})
    notes = [
        f"L1 and MSE are means over all {channels} channels of the map files."
        if channels > 1
        else "L1 and MSE are of the one grey channel.",
        "In [0, 1] L1 is half, MSE a quarter of what it is in [−1, 1]. "
        "Models: mean ± standard deviation over seeds, where there are several.",
        skill_note(ranking, group),
        *([samples_note(counts)] if counts else []),
        *([BOLD] if ranking.bold else []),
        "Tuning used other images: the test images select nothing.",
    ]
    return notes + reads_notes(group)


BOLD = "Bold: better than every other model by more than chance."


def skill_note(ranking: Ranking, group: SweepGroup) -> str:
    if not ranking.reference:
        return "Skill needs the pixel median's score, which is missing."
    blind = labels.predictor(ranking.reference).lower()
    return (
        f"Skill = 1 − L1 / L1 of the {blind}, the best map under L1 that ignores the image, with its 95 % interval "
        "over images and seeds. Where it touches 0, or the difference from the reference is not shown after Holm's "
        "correction (table of differences), no skill is shown. Under MSE the best such map is the "
        f"{labels.predictor(mse_reference(group)).lower()}."
    )


def samples_note(counts: list[int]) -> str:
    drawn = labels.listing(str(count) for count in counts)
    uneven = " They differ in K, and more samples give a better answer." if len(counts) > 1 else ""
    return (
        f"A model that samples answers with what is best under each score: the pixelwise median of its K = {drawn} "
        "samples under L1 and SSIM, their mean under MSE, CC, SIM and KLD. The L1 of a single sample, which punishes "
        f"spread, is next to it.{uneven}"
    )
