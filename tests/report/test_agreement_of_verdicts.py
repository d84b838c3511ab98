"""The verdict on a model, its skill and the table of differences say the same; and two seeds are called few."""

import csv
import json
from pathlib import Path

import pytest

from tests.support.sweep_maker import make_sweep, write
from vmsbench.metrics.verdicts import NO_SKILL
from vmsbench.report.analysis.ranking import Ranking, rank_in
from vmsbench.report.analysis.sentences import track_sentences
from vmsbench.report.analysis.tracks import ANSWER
from vmsbench.report.document import compose
from vmsbench.report.render.markdown import to_report
from vmsbench.store.reader import collect
from vmsbench.store.records import SweepGroup

COLUMN = "l1"


def trained(runs: Path, levels: list[float]) -> SweepGroup:
    """A sweep of a UNet with a final for each level: its errors are so many times the pixel median's."""
    folder = make_sweep(runs, "unet", seeds=len(levels))
    for final, level in zip(sorted((folder / "final").iterdir()), levels, strict=True):
        with (final / "scores.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for at, row in enumerate(rows):
            row[COLUMN] = str(level * float(row["pixel_median_l1"]) * (1 + 0.1 * (-1) ** at))
        with (final / "scores.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)
        results = json.loads((final / "results.json").read_text())
        results["test_scores"][COLUMN] = sum(float(row[COLUMN]) for row in rows) / len(rows)
        write(final / "results.json", results)
    return collect(runs, []).groups[0]


def ranked(group: SweepGroup) -> Ranking:
    return rank_in(ANSWER, group)


@pytest.mark.parametrize(
    ("levels", "shown"), [([0.8, 0.98], False), ([0.85, 0.86], True), ([0.8, 0.85, 0.9], True), ([0.85], True)]
)
def test_a_model_is_called_better_than_blind_exactly_where_the_table_shows_the_difference(tmp_path, levels, shown):
    """Of two seeds at 20 and 2 % of skill, an interval of that mean stood next to "no difference shown"."""
    ranking = ranked(trained(tmp_path, levels))
    (standing,) = ranking.standings.values()
    (against,) = (one for one in ranking.blind if one.second == ranking.reference)
    assert against.shown is shown
    assert (standing.word != NO_SKILL) is shown
    assert standing.skill is not None
    assert standing.skill.excludes(0) == against.difference.excludes(0) == (against.p_alone < 0.05)


@pytest.mark.parametrize(("seeds", "said"), [(1, False), (2, True), (3, False)])
def test_two_seeds_are_called_few(tmp_path: Path, seeds: int, said: bool) -> None:
    group = trained(tmp_path, [0.85, 0.86, 0.87][:seeds])
    assert any("Only two seeds each of UNet" in one for one in track_sentences(group, ranked(group))) is said


def test_the_table_of_differences_says_on_what_p_and_interval_rest(study: tuple[Path, Path]) -> None:
    runs, out = study
    text = (out / "report.md").read_text()
    assert "| p | p (Holm) |" in text
    assert "it leaves out 0 where p is below 0.05" in text
    with (out / "tables" / "differences-answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert (float(row["low"]) > 0 or float(row["high"]) < 0) == (float(row["p_alone"]) < 0.05)
        assert float(row["p_alone"]) <= float(row["p"])
    assert to_report(compose(collect(runs, []))).count("Only two seeds each of") == 1
