"""The verdicts of both tracks by rule: each impostor is named, and no figure of one track is held against the other."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.sweep_maker import calibration, make_sweep, tiny, write
from vmsbench.metrics.references import agreement, ceiling
from vmsbench.report import labels
from vmsbench.report.analysis.ranking import Rankings, rank
from vmsbench.report.analysis.sentences import Verdicts, judge
from vmsbench.report.analysis.tracks import blind_line, tuning_words
from vmsbench.report.document import compose
from vmsbench.report.render.markdown import to_report
from vmsbench.report.sections.scores.answers import answer_table
from vmsbench.report.sections.scores.figures import lines_of, plotted
from vmsbench.store.reader import collect
from vmsbench.store.records import SweepGroup
from vmsbench.sweep.tune import write_down

IMAGES, MEDIAN, LAW = 40, 0.13, 0.10
NAMES = [f"sun_{at}.jpg" for at in range(IMAGES)]
RANDOM = np.random.default_rng(0)
HARD = 1 + 0.4 * RANDOM.standard_normal(IMAGES).clip(-2, 2)
"""How hard each image is, for everybody."""


def errors(mean: float, noise: float = 0.03) -> np.ndarray:
    found = HARD * (1 + noise * RANDOM.standard_normal(IMAGES))
    return mean * found / found.mean()


def final_with(folder: Path, scores: dict[str, float], samples: int, held: float) -> None:
    """Rewrite a final so that it has these mean scores, by whose names each image has one."""
    columns = {name: errors(mean) for name, mean in scores.items()}
    columns |= {"pixel_median_l1": MEDIAN * HARD / HARD.mean(), "climatology_crps": LAW * HARD / HARD.mean()}
    with (folder / "scores.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", *columns])
        table.writerows(zip(NAMES, *columns.values(), strict=True))
    kinds = ("samples", "dressed") if samples > 1 else ("dressed",)
    results = json.loads((folder / "results.json").read_text())
    scores = scores | {f"{name}_unit": value / 2 for name, value in scores.items()}
    results |= {"samples": samples, "test_scores": scores, "calibration": {kind: calibration(held) for kind in kinds}}
    for split in ("train_scores", "validation_scores"):
        results[split] = scores
    write(folder / "results.json", results)


def group_with(runs: Path, models: dict[str, dict[str, float]], held: float = 0.5) -> SweepGroup:
    """A sweep for each, with two finals; those with an l1_median draw 16 samples."""
    for exp, scores in models.items():
        folder = make_sweep(runs, exp)
        for final in sorted((folder / "final").iterdir()):
            final_with(final, scores, 16 if "l1_median" in scores else 1, held)
        blind = json.loads((folder / "baselines.json").read_text())
        for split in blind.values():
            split["pixel_median"]["l1"], split["climatology"]["crps"] = MEDIAN, LAW
        write(folder / "baselines.json", blind)
    (group,) = collect(runs, []).groups
    return group


def sampler(one: float, answer: float, crps: float, dressed: float) -> dict[str, float]:
    return {"l1": one, "l1_median": answer, "crps": crps, "crps_dressed": dressed}


def single(l1: float, dressed: float) -> dict[str, float]:
    return {"l1": l1, "crps": l1, "crps_dressed": dressed}


def verdicts(group: SweepGroup) -> tuple[Rankings, Verdicts]:
    rankings = rank(group)
    return rankings, judge(group, rankings)


def test_a_sampler_of_training_maps_has_no_skill_in_either_track_however_far_below_the_pixel_median_its_crps(
    tmp_path: Path,
) -> None:
    rankings, said = verdicts(group_with(tmp_path, {"diffusion": sampler(0.198, MEDIAN * 1.001, LAW * 1.001, LAW)}))
    assert rankings.answer.standings["Diffusion"].word == "no skill shown"
    assert rankings.distribution.standings["Diffusion"].word == "no skill shown"
    assert "Not shown to be better than a constant map: Diffusion." in said.sentences["As one answer"]
    assert said.sentences["As a distribution"][1].startswith("Not shown to be better than climatology: Diffusion")


def test_a_single_answer_with_noise_added_until_its_crps_is_best_is_beaten_by_the_answer_dressed(
    tmp_path: Path,
) -> None:
    models = {"unet": single(0.105, 0.080), "diffusion": sampler(0.13, 0.105, 0.088, 0.080)}
    rankings, said = verdicts(group_with(tmp_path, models))
    text = " ".join(said.sentences["As a distribution"])
    assert "Diffusion's samples are worse than its own one answer, dressed" in text
    assert "UNet (dressed) is better than Diffusion" in text
    assert next(iter(rankings.distribution.standings)) != "Diffusion"


def test_a_sampler_whose_spread_knows_the_image_is_better_than_its_own_answer_dressed(tmp_path: Path) -> None:
    models = {"unet": single(0.105, 0.085), "diffusion": sampler(0.13, 0.104, 0.070, 0.085)}
    _, said = verdicts(group_with(tmp_path, models))
    text = " ".join(said.sentences["As a distribution"])
    assert "Diffusion's samples are better than its own one answer, dressed: their spread says something" in text
    assert "Diffusion is better than UNet (dressed)" in text


@pytest.mark.parametrize(
    ("models", "lead", "lack"),
    [
        ({"unet": single(0.10, LAW * 1.001), "gan": single(0.12, 0.09)},
         "Best as one answer, and not shown to be better than climatology as a distribution.", "UNet"),
        ({"unet": single(0.10, 0.09), "diffusion": sampler(0.19, MEDIAN * 1.001, 0.07, LAW)},
         "Best as a distribution, and not shown to be better than a constant map as one answer.", "Diffusion"),
    ],
)  # fmt: skip
def test_a_family_that_leads_in_one_track_and_is_blind_in_the_other_is_described_so(
    models: dict, lead: str, lack: str, tmp_path: Path
) -> None:
    _, said = verdicts(group_with(tmp_path, models))
    assert said.families[lack].startswith(lead)
    assert not any(text.startswith("Best") for family, text in said.families.items() if family != lack)


def test_between_answers_that_are_equally_good_no_difference_is_shown(tmp_path: Path) -> None:
    rankings, said = verdicts(group_with(tmp_path, {"unet": single(0.1, 0.08), "gan": single(0.1, 0.08)}))
    for title in ("As one answer", "As a distribution"):
        assert any("No difference shown between" in one for one in said.sentences[title])
    assert not rankings.answer.bold | rankings.distribution.bold


@pytest.mark.parametrize(("held", "word"), [(0.31, "too sure: 50 % intervals hold 31 %"), (0.5, "calibrated")])
def test_a_spread_that_is_wrong_is_said_with_the_share_that_its_intervals_hold(
    held: float, word: str, tmp_path: Path
) -> None:
    group = group_with(tmp_path, {"diffusion": sampler(0.13, 0.1, 0.08, 0.085)}, held)
    _, said = verdicts(group)
    assert f"; {word}" in said.families["Diffusion"]
    text = to_report(compose(collect(tmp_path, [])))
    assert "## Calibration" in text
    assert f"**Diffusion**: Its samples: {word}" in text
    assert "(plots/calibration-diffusion.png)" in text


def test_samples_that_are_all_equal_are_told_in_place_of_a_calibration(tmp_path: Path) -> None:
    group_with(tmp_path, {"diffusion": sampler(0.1, 0.1, 0.1, 0.08)})
    reason = "all 16 samples of an image are equal: one answer, not a distribution"
    for path in tmp_path.glob("diffusion/final/*/results.json"):
        results = json.loads(path.read_text())
        write(path, results | {"calibration": {"samples": {"reason": reason}}})
    text = to_report(compose(collect(tmp_path, [])))
    assert f"**Diffusion**: Its samples: {reason}." in text


def test_overfit_is_told_in_the_track_of_the_score(tmp_path: Path) -> None:
    group = group_with(tmp_path, {"unet": single(0.1, 0.08)})
    for path in tmp_path.glob("unet/final/*/results.json"):
        results = json.loads(path.read_text())
        write(path, results | {"train_scores": {"l1": 0.02}})
    (group,) = collect(tmp_path, []).groups
    rankings, said = verdicts(group)
    assert rankings.answer.standings["UNet"].word == "overfit"
    assert rankings.distribution.standings["UNet, dressed"].word == "ok"
    assert "overfit: UNet" in said.sentences["As one answer"][1]


def test_every_family_states_its_number_of_samples_and_a_dressed_one_the_pairs_it_was_dressed_by(
    tmp_path: Path,
) -> None:
    group_with(tmp_path, {"unet": single(0.1, 0.08), "diffusion": sampler(0.13, 0.1, 0.08, 0.085)})
    text = to_report(compose(collect(tmp_path, [])))
    assert "by its 16 samples" in text
    assert "K = 16 samples" in text
    assert "L1 of one sample [−1, 1] ↓" in text
    assert text.count("Random training maps") == 3
    assert "| Random training maps |" in text.split("Scores as a distribution")[1].split("###")[0]


@pytest.mark.parametrize(
    ("metric", "samples", "said"),
    [
        ("crps", 1, "was tuned by CRPS, which of a single answer is its L1: it serves the track as one answer"),
        ("crps", 16, "was tuned by CRPS, which serves the track as a distribution"),
        ("crps_dressed", 1, "was tuned by CRPS dressed, which serves the track as a distribution"),
        ("energy", 1, "was tuned by Energy score, which of a single answer is its distance from the truth: it serves"),
        ("energy", 16, "was tuned by Energy score, which serves the track as a distribution"),
        ("l1", 1, "was tuned by L1, which serves the track as one answer"),
        ("l1_median", 16, "was tuned by L1 of the median, which serves the track as one answer"),
        ("l1", 16, "was tuned by L1 of one of its samples, which punishes spread"),
    ],
)
def test_each_sweep_says_which_track_its_tuning_score_serves(
    metric: str, samples: int, said: str, tmp_path: Path
) -> None:
    folder = make_sweep(tmp_path, "unet", seeds=0)
    about = json.loads((folder / "sweep.json").read_text())
    about["config"] |= {"metric": metric, "evaluation": {"final_samples": samples}}
    write(folder / "sweep.json", about)
    (sweep,) = collect(tmp_path, []).sweeps
    assert tuning_words(sweep).startswith(said)


LAWS = {"climatology": {"crps": 0.1, "energy": 9.0}, "category_climatology": {"crps": 0.09, "energy": 9.5}}
ANSWERS = {
    "pixel_median": {"l1": 0.13, "mse": 0.2, "energy": 14.0},
    "pixel_mean": {"l1": 0.16, "mse": 0.1, "energy": 12.0},
}


@pytest.mark.parametrize(
    ("score", "drawn", "name", "level"),
    [
        ("crps", 1, "pixel_median", 0.13),
        ("crps", 16, "category_climatology", 0.09),
        ("crps_dressed", 1, "category_climatology", 0.09),
        ("crps_dressed", 16, "category_climatology", 0.09),
        ("energy", 1, "pixel_mean", 12.0),
        ("energy", 16, "climatology", 9.0),
        ("l1_median", 16, "pixel_median", 0.13),
    ],
)
def test_the_blind_line_of_a_score_is_of_its_track(score: str, drawn: int, name: str, level: float) -> None:
    line = blind_line(score, drawn, ANSWERS | LAWS)
    assert line is not None
    assert (line.name, line.level) == (name, level)
    assert blind_line(score, drawn, {}) is None


def test_what_people_reach_on_vischema_is_shown_as_published_and_on_other_data_not_at_all(tmp_path: Path) -> None:
    group_with(tmp_path / "other", {"unet": single(0.1, 0.08)})
    assert "published" not in to_report(compose(collect(tmp_path / "other", [])))
    group_with(tmp_path / "york", {"unet": single(0.1, 0.08)})
    about = json.loads((tmp_path / "york" / "unet" / "sweep.json").read_text())
    about["dataset"]["title"] = "VISCHEMA PLUS, 24 px"
    write(tmp_path / "york" / "unet" / "sweep.json", about)
    text = to_report(compose(collect(tmp_path / "york", [])))
    assert "| Half the people to the other half (published) |" in text
    for figure in ("0.700", "0.670", "0.440", "0.907", "0.896", "0.782"):
        assert f"| {figure} |" in text
    assert "| Ceiling for any map (published) | 0.896 | 0.782 | – | 0.907 | – | – | – | – |" in text, "and no skill"
    assert "People, as published, not measured here: Akagunduz, Bors and Evans 2020" in text


def test_people_who_were_measured_are_lines_of_the_table_and_the_plot_and_come_before_the_published(
    tmp_path: Path,
) -> None:
    """As a sweep on data with two halves leaves them, whatever the data are called."""
    random = torch.Generator().manual_seed(0)
    truth = tiny().test.maps.float()
    halves = torch.stack([truth + 60 * torch.rand(truth.shape, generator=random) for _ in range(2)])
    dataset = replace(tiny(), repeats=halves.clamp(0, 255).byte(), title="VISCHEMA PLUS, 24 px")
    group_with(tmp_path / "runs", {"unet": single(0.1, 0.08)})
    (tmp_path / "new").mkdir()
    settings: dict = {"data": {}, "space": {"parameters": []}, "searcher": {}, "pruner": {}}
    write_down(settings, {"exp": "unet", "data": {}}, dataset, tmp_path / "new", "vmsbench tune")
    shutil.copy(tmp_path / "new" / "people.json", tmp_path / "runs" / "unet" / "people.json")
    (group,) = collect(tmp_path / "runs", []).groups
    r = agreement(dataset.repeats)["combined"]
    assert 0.5 < r < 1
    assert lines_of(group, "cc_combined_20").people == {
        "split half (measured)": pytest.approx(r), "ceiling (measured)": pytest.approx(ceiling(r))
    }  # fmt: skip
    text = to_report(compose(collect(tmp_path / "runs", [])))
    assert "| Half the people to the other half (measured) |" in text
    assert f"| {r:.3f} |" in text
    assert "People, measured: 2 maps of each test image, at 20 x 20" in text
    assert "published" not in text


def test_what_was_read_stands_in_the_report_as_the_sweep_wrote_it_down(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "unet")
    table = [["maps", "vms/, 40 pictures; colour, red and green used"], ["train", "column 1 of train.csv, 40 names"]]
    write(folder / "provenance.json", {"table": table, "warnings": ["3 maps are black"], "drawn": ["validation"]})
    text = to_report(compose(collect(tmp_path, []))).split("## Data")[1].split("\n## ")[0]
    assert "- **Maps**: vms/, 40 pictures; colour, red and green used" in text
    assert "column 1 of train.csv, 40 names" in text
    assert "40 train, 8 validation (tuning), 20 test (validation drawn by a seed" in text
    assert "3 maps are black" in text


def test_the_line_of_every_panel_is_the_blind_predictor_that_skill_under_its_score_is_against(tmp_path: Path) -> None:
    """Here the category's maps are better under L1 and CRPS and no better under MSE and CC; each line is the better."""
    group_with(tmp_path, {"unet": single(0.1, 0.08)})
    file = tmp_path / "unet" / "baselines.json"
    blind = json.loads(file.read_text())
    for split in blind.values():
        split["category_median"] = split["pixel_median"] | {"l1": 0.9 * MEDIAN}
        split["category_mean"] = split["pixel_mean"] | {"mse": 2 * split["pixel_mean"]["mse"]}
        split["category_climatology"] = split["climatology"] | {"crps": 0.9 * LAW, "energy": 2 * LAW}
    write(file, blind)
    for path in tmp_path.glob("unet/final/*/scores.csv"):
        with path.open() as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["category_median_l1"] = 0.9 * float(row["pixel_median_l1"])
            row["category_climatology_crps"] = 0.9 * float(row["climatology_crps"])
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    (group,) = collect(tmp_path, []).groups
    rankings = rank(group)
    drawn = {key: lines_of(group, key).blind for ranking in rankings.both for key in plotted(ranking)}
    test = group.baselines("test")
    assert drawn["l1"] == {"category_median": pytest.approx(0.9 * MEDIAN)}
    assert drawn["mse"] == {"pixel_mean": test["pixel_mean"]["mse"]}
    assert drawn["crps"] == {"category_climatology": pytest.approx(0.9 * LAW)}
    assert drawn["energy"] == {"climatology": test["climatology"]["energy"]}
    for ranking in rankings.both:
        assert list(drawn[ranking.track.score]) == [ranking.reference]
    headings = [column.heading for column in answer_table(group, rankings.answer).columns]
    assert "Skill to category median (L1), % ↑" in headings
    assert "Skill to pixel mean (MSE), % ↑" in headings


def test_finals_of_an_older_version_say_what_cannot_be_known_and_the_command_that_measures_it(tmp_path: Path) -> None:
    group_with(tmp_path, {"diffusion": sampler(0.13, 0.1, 0.08, 0.085)})
    for path in tmp_path.glob("diffusion/final/*/results.json"):
        results = json.loads(path.read_text())
        write(path, {key: value for key, value in results.items() if key not in ("calibration", "dressing")})
    text = to_report(compose(collect(tmp_path, [])))
    assert "`diffusion` was scored by an older version and kept one sample and the median of each image" in text
    assert f"`vmsbench final diffusion --rescore --runs {tmp_path}`" in text


def test_predictors_are_called_by_their_words_once_each() -> None:
    told = "category_climatology is better than climatology"
    assert labels.with_predictors(told) == "Category climatology is better than Climatology"
