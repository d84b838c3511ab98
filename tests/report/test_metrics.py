"""A metric that is added to the table of metrics is in the report: column, direction, mean, and what is bold."""

import csv
import json
from pathlib import Path

import pytest

from tests.support.sweep_maker import make_sweep, write
from vmsbench.metrics.catalog import METRICS, Metric
from vmsbench.report.analysis.ranking import rank
from vmsbench.report.sections.scores.answers import answer_table
from vmsbench.store.reader import collect


def add_score(sweep: Path, name: str, level: float) -> None:
    """Write a score to each final's results and, for each image, to its scores.csv."""
    for at, path in enumerate(sorted(sweep.glob("final/*/results.json"))):
        results = json.loads(path.read_text())
        results["test_scores"][name] = level + at / 100
        write(path, results)
        with (path.parent / "scores.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        with (path.parent / "scores.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, [*rows[0], name])
            table.writeheader()
            table.writerows(row | {name: level + (at + number % 3) / 100} for number, row in enumerate(rows))


@pytest.mark.parametrize(("better", "arrow", "best"), [("higher", "↑", "UNet"), ("lower", "↓", "Diffusion")])
def test_a_new_metric_has_its_column_its_direction_and_its_best_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, better: str, arrow: str, best: str
) -> None:
    monkeypatch.setitem(METRICS, "nss_true", Metric("NSS", better, digits=2, shown="report", per_image=True))  # type: ignore[arg-type]
    for exp, level in (("unet", 1.5), ("diffusion", 0.5)):
        add_score(make_sweep(tmp_path, exp), "nss_true", level)
    group = collect(tmp_path, []).groups[0]
    table = answer_table(group, rank(group).answer)
    at = [column.key for column in table.columns].index("nss_true")
    assert table.columns[at].heading == f"NSS {arrow}"
    cells = {row[0].shown: row[at] for row in table.parts[0].rows}
    assert cells["UNet"].value == pytest.approx(1.505)
    assert cells["UNet"].shown.startswith("1.5")
    assert [name for name, cell in cells.items() if cell.strong] == [best]
