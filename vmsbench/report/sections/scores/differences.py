"""Tables of differences: between models and what never looks, and between configurations that were trained again."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from vmsbench.config.format import describe
from vmsbench.metrics.significance import Comparison
from vmsbench.report import labels
from vmsbench.report.analysis.ranking import Ranking, compared
from vmsbench.report.analysis.sentences import signed
from vmsbench.report.analysis.tracks import ANSWER, DISTRIBUTION, Track, entries
from vmsbench.report.cells import both_scales, tuning_columns
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.store.experiments import FinalRecord, TrialRecord
from vmsbench.store.records import SweepGroup, SweepRecord

PAIRED = (
    "Interval and p are of one test, paired by image: the difference against its variance over test images and seeds "
    "(of one training each: over images), by Student's t with Satterthwaite's degrees of freedom. An interval is of "
    "its pair alone: it leaves out 0 where p is below 0.05. A difference is shown where p is below 0.05 after Holm's "
    "correction for all pairs {of}, and the verdict above goes by that."
)


def ranking_table(ranking: Ranking, caption: str, name: str) -> Table:
    """The entries of a track two by two, and each with what never looks at the image."""
    parts = {"Between the models": ranking.comparisons, "With what never looks at the image": ranking.blind}
    return comparison_table(ranking.track, parts, caption, name)


def comparison_table(track: Track, parts: Mapping[str, Sequence[Comparison]], caption: str, name: str) -> Table:
    """Each pair: how far apart under the track's score, with the interval, the corrected p, and what that means."""
    what = f"Δ {labels.metric(track.score)}"
    columns = (
        Column("pair", "Pair", text=True),
        Column("difference", f"{what} [−1, 1]"),
        Column("difference_unit", f"{what} [0, 1]"),
        Column("low", "95 % interval [−1, 1]"),
        Column("high", "High", hidden=True),
        Column("p_alone", "p"),
        Column("p", "p (Holm)"),
        Column("verdict", "Verdict", text=True),
    )
    made = tuple(Part(title, tuple(comparison_row(one) for one in found)) for title, found in parts.items() if found)
    of = "of each part of the table" if len(made) > 1 else "of the table"
    return Table(name, caption, columns, made, (PAIRED.format(of=of),))


def comparison_row(one: Comparison) -> tuple[Cell, ...]:
    first, second = (labels.PREDICTORS.get(name, name) for name in (one.first, one.second))
    apart = one.difference
    return (
        words(f"{first} − {second}"),
        Cell(apart.value, signed(apart.value)),
        Cell(apart.value / 2, signed(apart.value / 2)),
        Cell(apart.low, f"[{signed(apart.low)}, {signed(apart.high)}]"),
        Cell(apart.high),
        *(Cell(p, f"{p:.4f}" if p >= 1e-4 else "< 0.0001") for p in (one.p_alone, one.p)),
        words(labels.with_predictors(one.verdict)),
    )


def contender_table(sweep: SweepRecord, group: SweepGroup) -> tuple[Table, tuple[Comparison, ...]] | None:
    """The configurations that were trained again, and how they differ as one answer; None where there is but one."""
    if len(sweep.finalists) < 2:
        return None
    trials, chosen = {trial.id: trial for trial in sweep.trials}, sweep.scored[0].of
    rows: list[tuple[Cell, ...]] = []
    named = {}
    for of, finals in sweep.finalists.items():
        rank = finals[0].rank or len(rows) + 1
        named[f"rank {rank}"] = finals
        trial = trials.get(of)
        tuning = [final.tuning[sweep.metric] for final in finals if sweep.metric in final.tuning]
        rows.append(
            (
                words(f"rank {rank}" + (" (stands for the family)" if of == chosen else "")),
                words(option_words(trial) if trial else of),
                Cell(len(finals), str(len(finals))),
                *both_scales(sweep.metric, trial.score if trial else None),
                *both_scales(sweep.metric, fmean(tuning) if tuning else None),
                *test_cells(finals),
            )
        )
    blind = tuple(blind_row(name, group) for name in ("pixel_median", "climatology") if name in group.baselines("test"))
    search, again = tuning_columns(sweep.metric), tuning_columns(sweep.metric)
    columns = (
        Column("configuration", "By tuning score", text=True),
        Column("params", "Parameters", text=True),
        Column("seeds", "Seeds"),
        Column("search_score", f"{search[0].heading}, in the search"),
        Column("search_score_unit", search[1].heading, hidden=True),
        Column("score", f"{again[0].heading}, fresh seeds"),
        Column("score_unit", again[1].heading, hidden=True),
        Column("l1", "Test L1 as one answer [−1, 1]"),
        Column("l1_unit", "Test L1 as one answer [0, 1]"),
        Column("crps", "Test CRPS as a distribution [−1, 1]"),
        Column("crps_unit", "Test CRPS as a distribution [0, 1]", hidden=True),
    )
    notes = (
        "Tuning scores select, test scores are results. The score in the search is of one seed and the best "
        "of many, so it is optimistic.",
        "As a distribution: a sampler by its samples, a single answer dressed.",
    )
    caption = f"The best configurations of {sweep.name}, trained again from fresh seeds."
    parts = (Part("Configurations", tuple(rows)), *([Part("Never look at the image", blind)] if blind else []))
    table = Table(f"finals-{sweep.name}", caption, columns, parts, notes)
    return table, compared(entries(ANSWER, named), ANSWER.score)


def test_cells(finals: tuple[FinalRecord, ...]) -> list[Cell]:
    """L1 as one answer and CRPS as a distribution, each in both scales."""
    cells = []
    for track in (ANSWER, DISTRIBUTION):
        entry = next(iter(entries(track, {"": finals}).values()), None)
        for score in (track.score, f"{track.score}_unit"):
            mean, spread = entry.mean(score) if entry else (None, None)
            cells.append(number_cell(mean, 4, spread))
    return cells


def blind_row(name: str, group: SweepGroup) -> tuple[Cell, ...]:
    """The pixel median in the columns of L1, climatology in those of CRPS."""
    scores, score = group.baselines("test")[name], "l1" if name == "pixel_median" else "crps"
    found, empty = list(both_scales(score, scores.get(score))), [Cell(), Cell()]
    cells = [*found, *empty] if score == "l1" else [*empty, *found]
    return (words(labels.predictor(name)), *([Cell()] * 6), *cells)


def option_words(trial: TrialRecord) -> str:
    short = labels.parameters(trial.params)
    return "; ".join(f"{short[param]}: {describe(value)}" for param, value in trial.params.items()) or "defaults"
