"""Tables of differences: between families, and between the configurations of one that were trained again."""

from collections.abc import Sequence
from statistics import fmean

from vmsbench.config.format import describe
from vmsbench.metrics.significance import Comparison
from vmsbench.report import labels
from vmsbench.report.analysis.ranking import compared, signed
from vmsbench.report.cells import average, both_scales, tuning_columns
from vmsbench.report.render.tables import Cell, Column, Part, Table, number_cell, words
from vmsbench.store.experiments import TrialRecord
from vmsbench.store.records import SweepRecord

PAIRED = (
    "Intervals: bootstrap over the test images crossed with the seeds, paired by image. p: of the paired difference "
    "against its variance over images and seeds (of one training each: sign flips over images), corrected by Holm for "
    "all pairs of the table. A difference is shown where both agree."
)


def comparison_table(comparisons: Sequence[Comparison], caption: str, name: str) -> Table:
    """Each pair: how far apart, with the interval, the corrected p, and what that means."""
    rows = tuple(
        (
            words(f"{one.first} − {one.second}"),
            Cell(one.difference.value, signed(one.difference.value)),
            Cell(one.difference.value / 2, signed(one.difference.value / 2)),
            Cell(one.difference.low, f"[{signed(one.difference.low)}, {signed(one.difference.high)}]"),
            Cell(one.difference.high),
            Cell(one.p, f"{one.p:.4f}" if one.p >= 1e-4 else "< 0.0001"),
            words(one.verdict),
        )
        for one in comparisons
    )
    columns = (
        Column("pair", "Pair", text=True),
        Column("answer", "Δ L1 as one answer [−1, 1]"),
        Column("answer_unit", "Δ L1 as one answer [0, 1]"),
        Column("low", "95 % interval [−1, 1]"),
        Column("high", "High", hidden=True),
        Column("p", "p (Holm)"),
        Column("verdict", "Verdict", text=True),
    )
    return Table(name, caption, columns, (Part("", rows),), (PAIRED,))


def contender_table(sweep: SweepRecord) -> tuple[Table, tuple[Comparison, ...]] | None:
    """The configurations that were trained again, and how they differ; None where there is but one."""
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
                number_cell(*pair(average(finals, "crps"), 4)),
                number_cell(*pair(average(finals, "crps_unit"), 4)),
            )
        )
    search, again = tuning_columns(sweep.metric), tuning_columns(sweep.metric)
    columns = (
        Column("configuration", "By tuning score", text=True),
        Column("choice", "Choice", text=True),
        Column("seeds", "Seeds"),
        Column("search_score", f"{search[0].heading}, in the search"),
        Column("search_score_unit", search[1].heading, hidden=True),
        Column("score", f"{again[0].heading}, fresh seeds"),
        Column("score_unit", again[1].heading, hidden=True),
        Column("crps", "Test CRPS [−1, 1]"),
        Column("crps_unit", "Test CRPS [0, 1]"),
    )
    notes = (
        "Tuning scores select, test scores are results. The score in the search is of one seed and the best "
        "of many, so it is optimistic.",
    )
    caption = f"The best configurations of {sweep.name}, trained again from fresh seeds."
    table = Table(f"finals-{sweep.name}", caption, columns, (Part("", tuple(rows)),), notes)
    return table, compared(named)


def pair(found: tuple[float | None, float | None], digits: int) -> tuple[float | None, int, float | None]:
    return found[0], digits, found[1]


def option_words(trial: TrialRecord) -> str:
    short = labels.parameters(trial.choice)
    return "; ".join(f"{short[param]}: {describe(value)}" for param, value in trial.choice.items()) or "defaults"
