"""A metric that is added to the table of metrics is in the report: column, direction, mean, and what is bold."""

import csv
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.sweep_maker import make_sweep, write
from vmsbench.errors import UserError
from vmsbench.metrics.catalog import METRICS, Metric
from vmsbench.metrics.references import blind_columns, of_one_answer, reference
from vmsbench.metrics.scores import score
from vmsbench.metrics.tracks.blind import wanted
from vmsbench.metrics.tracks.served import served
from vmsbench.report.analysis.ranking import rank
from vmsbench.report.analysis.tracks import blind_line
from vmsbench.report.sections.scores.answers import answer_table
from vmsbench.report.sections.scores.distributions import distribution_table
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


def upside_down(samples: Tensor, targets: Tensor) -> Tensor:
    """B x K x M x H x W and B x M x H x W to B values; 0 is perfect."""
    return (samples.mean(dim=1).flip(-2) - targets).abs().mean(dim=(1, 2, 3))


def test_a_plugins_metric_is_judged_by_what_it_says_and_not_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be called as ours are: cc_mine is no CC, l1_flipped no L1."""
    monkeypatch.setitem(METRICS, "cc_mine", Metric("Mine", "lower", per_image=True, measure=upside_down))
    assert of_one_answer("cc_mine") == "cc_mine"
    assert not [column for column in wanted("pixel_mean") if "mine" in column]
    with pytest.raises(UserError, match="cc_mine has no blind reference"):
        reference("cc_mine", {"pixel_mean": {"cc_mine": 0.1}})
    flipped = Metric("Flipped", "lower", per_image=True, measure=upside_down, answer="mean", references=("pixel_mean",))
    monkeypatch.setitem(METRICS, "l1_flipped", flipped)
    dressed = Metric("Dressed up", "higher", per_image=True, measure=upside_down, references=("pixel_mean",))
    monkeypatch.setitem(METRICS, "cc_dressed_up", dressed)
    assert reference("cc_dressed_up", {"pixel_mean": {"cc_dressed_up": 0.1}, "black": {}}) == "pixel_mean"
    assert blind_columns("cc_dressed_up") == ("pixel_mean_cc_dressed_up",)
    assert of_one_answer("l1_flipped") == "l1_flipped_mean"
    assert "l1_flipped" in wanted("pixel_mean")
    assert "l1_flipped" not in wanted("pixel_median")
    assert reference("l1_flipped_mean", {"pixel_mean": {"l1_flipped": 0.1}, "black": {"l1_flipped": 0}}) == "pixel_mean"
    samples, truth = torch.rand(2, 4, 3, 24, 24), torch.rand(2, 3, 24, 24)
    scores = score(samples, truth)
    assert scores["l1_flipped_mean"] == pytest.approx(upside_down(samples, truth).mean().item())


def test_a_plugins_score_of_distributions_is_no_crps(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Metric(
        "Mine", per_image=True, measure=upside_down, track="distribution", references=("climatology", "black")
    )
    monkeypatch.setitem(METRICS, "mine", ours)
    assert served("mine", 1).startswith("tuned as a distribution: the lowest mine")
    assert reference("mine", {"climatology": {"crps": 0.1}, "black": {"mine": 0.3}}) == "black"
    line = blind_line("mine", 1, {"pixel_median": {"l1": 0.2}, "black": {"l1": 0.3, "mine": 0.4}})
    assert line is not None
    assert (line.name, line.level) == ("black", 0.4)


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


def test_a_new_score_of_distributions_has_its_column_in_their_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both scales where it has two; of a dressed answer, of which nothing measures it, a dash."""
    monkeypatch.setitem(METRICS, "iqd", Metric("IQD", scale=2, shown="report", per_image=True, track="distribution"))
    monkeypatch.setitem(METRICS, "kept", Metric("Kept", track="distribution"))
    for exp, level in (("unet", 1.5), ("diffusion", 0.5)):
        add_score(make_sweep(tmp_path, exp), "iqd", level)
    for path in tmp_path.glob("diffusion/final/*/results.json"):
        write(path, json.loads(path.read_text()) | {"samples": 16})
    path = tmp_path / "unet" / "baselines.json"
    baselines = json.loads(path.read_text())
    baselines["test"]["climatology"]["iqd"] = 0.75
    write(path, baselines)
    group = collect(tmp_path, []).groups[0]
    table = distribution_table(group, rank(group).distribution)
    keys = [column.key for column in table.columns]
    assert {"crps", "energy", "iqd", "iqd_unit"} <= set(keys)
    assert not {"kept", "spread", "crps_dressed", "energy_dressed"} & set(keys)
    assert table.columns[keys.index("iqd")].heading == "IQD [−1, 1] ↓"
    cells = {row[0].shown: row for part in table.parts for row in part.rows}
    assert cells["Diffusion"][keys.index("iqd")].value == pytest.approx(0.505)
    assert cells["Diffusion"][keys.index("iqd_unit")].value == pytest.approx(0.2525)
    assert cells["UNet, dressed"][keys.index("iqd")].value is None
    assert cells["Climatology"][keys.index("iqd")].value == 0.75
