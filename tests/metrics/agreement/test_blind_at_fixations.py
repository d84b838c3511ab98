"""NSS, AUC-Judd and information gain next to what a map that ignores the image has: gain, interval, verdict, table."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data.data_folders import write_pairs, write_vischema
from tests.support.sweep_maker import make_sweep, write
from tests.support.wide import widest
from vmsbench.api.evaluation import evaluate
from vmsbench.cli.commands.results.evaluate import lines
from vmsbench.data.pairs import Pairs
from vmsbench.data.sources.fixations import Fixations, centre_bias
from vmsbench.metrics.baselines import CategoryCentreBias, CentreBias, Given, blind_predictors
from vmsbench.metrics.baselines import evaluate as score
from vmsbench.metrics.catalog import METRICS, Metric
from vmsbench.metrics.references import gain_under, reference, skill_under
from vmsbench.metrics.significance import Interval
from vmsbench.metrics.tracks.blind import blind_scores
from vmsbench.report.analysis.ranking import rank
from vmsbench.report.sections.scores.fixated import fixation_table
from vmsbench.report.sections.scores.scores import score_blocks
from vmsbench.report.topic import Topic, Truth
from vmsbench.store.reader import collect

SIDE = 16
SCORES = ("nss", "auc_judd", "ig")
torch.set_num_threads(1)


def hills(centres: torch.Tensor, width: float = 2.5) -> torch.Tensor:
    """Gaussian hills around N centres (row, column): N x SIDE x SIDE, the highest 1."""
    places = torch.arange(SIDE).float()
    across = torch.exp(-((places - centres[:, :1]) ** 2) / (2 * width**2))
    return across[:, :, None] * torch.exp(-((places - centres[:, 1:]) ** 2) / (2 * width**2))[:, None]


def looked_at(number: int, seed: int, fixations: int = 6) -> tuple[Pairs, torch.Tensor]:
    """Pairs whose map is a hill where people look, and fixations drawn from it; the hills' places favour the middle."""
    draws = torch.Generator().manual_seed(seed)
    centres = SIDE / 2 + 2.5 * torch.randn(number, 2, generator=draws)
    density = hills(centres)
    places = torch.multinomial(density.flatten(1), fixations, generator=draws)
    points = torch.zeros(number, SIDE * SIDE, dtype=torch.bool).scatter_(1, places, True).view(-1, SIDE, SIDE)
    maps = (density[:, None].expand(-1, 3, -1, -1) * 255).round().byte()
    categories = tuple("ab"[at % 2] for at in range(number))
    images = torch.zeros(number, 3, SIDE, SIDE, dtype=torch.uint8)
    names = tuple(f"{seed}-{at}.png" for at in range(number))
    return Pairs(names, images, maps, categories, fixations=Fixations(points, centre_bias(points))), density


@pytest.fixture(scope="module")
def train() -> Pairs:
    return looked_at(200, 0)[0]


def seen_by(train: Pairs, number: int, seed: int) -> tuple[Pairs, torch.Tensor]:
    """Others, which know the centre bias of `train`."""
    assert train.fixations is not None
    pairs, density = looked_at(number, seed)
    assert pairs.fixations is not None
    seen = Fixations(pairs.fixations.points, train.fixations.bias)
    return Pairs(pairs.names, pairs.images, pairs.maps, pairs.categories, fixations=seen), density


def test_the_centre_bias_is_a_predictor_whose_information_gain_is_none(train: Pairs) -> None:
    test, _ = seen_by(train, 40, 1)
    found = score(CentreBias(train), test).result()
    assert found["ig"] == pytest.approx(0, abs=1e-6)
    assert found["nss"] > 0.3
    assert found["auc_judd"] > 0.6
    black = score(blind_predictors(train)["black"], test).result()
    assert (black["nss"], black["auc_judd"]) == (0, 0.5)
    assert "centre_bias" not in blind_predictors(Pairs(train.names, train.images, train.maps))


def test_the_centre_bias_of_a_category_is_that_of_its_own_images(train: Pairs) -> None:
    assert train.fixations is not None
    points = train.fixations.points.clone()
    points[::2] = False
    points[::2, 3, 12] = True
    moved = Pairs(
        train.names, train.images, train.maps, train.categories, fixations=Fixations(points, centre_bias(points))
    )
    maps = CategoryCentreBias(moved).predict(moved.subset([0, 1]))
    assert np.unravel_index(int(maps[0, 0].argmax()), (SIDE, SIDE)) == (3, 12)
    assert maps[1, 0].argmax() != maps[0, 0].argmax()
    assert maps.max() == 1
    table = {name: score(one, moved).result() for name, one in blind_predictors(moved).items()}
    assert {reference(name, table) for name in SCORES} == {"category_centre_bias"}


def test_each_score_is_held_against_the_best_blind_predictor_under_it() -> None:
    table = {
        "pixel_mean": {"nss": 1.2, "auc_judd": 0.7, "ig": -0.1},
        "centre_bias": {"nss": 1.0, "auc_judd": 0.8, "ig": 0.0},
        "category_mean": {"nss": None, "auc_judd": 0.75, "ig": -0.2},
    }
    assert [reference(name, table) for name in SCORES] == ["pixel_mean", "centre_bias", "centre_bias"]
    assert reference("nss_mean", table) == "pixel_mean"


def test_skill_is_in_parts_of_what_is_perfect_and_where_nothing_is_perfect_there_is_the_gain() -> None:
    mine, blind = np.array([0.8, 0.9, np.nan, 0.85]), np.array([0.6, 0.8, 0.7, 0.7])
    gained = gain_under("auc_judd", {"auc_judd": mine}, {"auc_judd": blind})
    assert gained is not None
    assert gained.value == pytest.approx(np.mean([0.2, 0.1, 0.15]))
    assert gained.low < gained.value < gained.high
    skill = skill_under("auc_judd", {"auc_judd": mine}, {"auc_judd": blind})
    assert skill is not None
    assert skill.value == pytest.approx(0.15 / 0.3)
    assert skill_under("nss", {"nss": mine}, {"nss": blind}) is None
    assert gain_under("nss", {"nss": mine * np.nan}, {"nss": blind}) is None
    lower = gain_under("l1", {"l1": [0.1, 0.2]}, {"l1": [0.2, 0.4]})
    assert lower is not None
    assert lower.value == pytest.approx(0.15)


def test_the_map_of_the_law_gains_and_a_blind_sampler_called_a_model_does_not(train: Pairs) -> None:
    test, density = seen_by(train, 60, 2)
    blind = {name: score(one, test).per_image() for name, one in blind_predictors(train).items()}
    table = {name: {key: values.nanmean().item() for key, values in row.items()} for name, row in blind.items()}
    law = score(Given(test.names, density[:, None].expand(-1, 3, -1, -1)), test).per_image()
    for name in SCORES:
        theirs = blind[reference(name, table)]
        known, drawn = (gain_under(name, one, theirs) for one in (law, blind["random_train"]))
        assert known is not None
        assert drawn is not None
        assert known.low > 0, name
        assert not drawn.low > 0, name
        mean = gain_under(f"{name}_mean", blind["random_train"], theirs)
        assert mean is not None
        assert not mean.low > 0, name


def test_intervals_of_scores_at_fixations_hold_the_true_gain_19_times_in_20(train: Pairs) -> None:
    """Studies of 60 images, drawn from 2000 whose own mean gain is the truth."""
    everyone, density = seen_by(train, 2000, 3)
    mine = score(Given(everyone.names, density[:, None].expand(-1, 3, -1, -1)), everyone).per_image()
    theirs = score(CentreBias(train), everyone).per_image()
    for name in SCORES:
        truth = (mine[name] - theirs[name]).mean().item()
        found: list[Interval] = []
        for study in range(200):
            some = np.random.default_rng(study).choice(2000, 60, replace=False)
            gained = gain_under(name, {name: mine[name][some]}, {name: theirs[name][some]})
            assert gained is not None
            found.append(gained)
        assert 0.9 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.99, name


def test_what_a_final_keeps_has_the_blind_scores_at_fixations_image_by_image(train: Pairs) -> None:
    test, _ = seen_by(train, 10, 4)
    columns = blind_scores(train, test)
    for name in SCORES:
        of = {f"{one}_{name}" for one in ("centre_bias", "category_centre_bias", "pixel_mean", "category_mean")}
        assert {*of, f"random_train_{name}", f"random_train_{name}_mean"} <= set(columns)
    assert columns["centre_bias_nss"].shape == (10,)
    assert not any("nss" in name for name in blind_scores(train, Pairs(test.names, test.images, test.maps)))


def written(root: Path) -> list[str]:
    """A folder of pairs of which people looked at a place of each image's own."""
    names = write_pairs(root, 40, side=SIDE)
    (root / "seen").mkdir()
    pairs, _ = looked_at(40, 5)
    assert pairs.fixations is not None
    for name, points in zip(names, pairs.fixations.points, strict=True):
        Image.fromarray(points.byte().numpy() * 255).save(root / "seen" / name)
    return names


def missed(samples: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """B x K x M x H x W and B x M x H x W to B values; 0 is perfect."""
    return (samples.mean(dim=1) - targets).abs().mean(dim=(1, 2, 3))


def test_evaluate_says_the_gain_over_the_centre_bias_and_what_it_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under every score at fixations, a plugin's too: its own direction, in a table of its own where they are many."""
    ours = Metric("Missed", per_image=True, needs="fixations", references=("pixel_mean",), measure=missed)
    monkeypatch.setitem(METRICS, "missed", ours)
    names = written(tmp_path / "data")
    settings = ["data=folder", "data.maps=maps", "data.fixations=seen", "data.test_fraction=0.5", f"data.size={SIDE}"]
    where = {"runs": tmp_path / "runs"}
    (tmp_path / "good").mkdir()
    (tmp_path / "blind").mkdir()
    for at, name in enumerate(names):
        seen = np.asarray(Image.open(tmp_path / "data" / "seen" / name)) // 2 + 20
        Image.fromarray(np.stack([seen] * 3, axis=2)).save(tmp_path / "good" / name)
        noise = np.random.default_rng(at).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / "blind" / name)
    data = [*settings, f"data.root={tmp_path / 'data'}"]
    good, blind = (evaluate(tmp_path / name, *data, **where).predictors[name] for name in ("good", "blind"))
    for name in SCORES:
        assert good["fixations"][name]["verdict"] == "ok"
        assert good["fixations"][name]["gain"]["low"] > 0
        assert "which never looks" in blind["fixations"][name]["verdict"]
    shown = lines(evaluate(tmp_path / "good", *data, **where).answer())
    assert widest(shown) <= 80
    text = " ".join(" ".join(shown).split())
    assert "at fixations NSS gain AUC-Judd gain bits gain" in text
    assert "good, Information gain: ok, gain +" in text
    assert good["fixations"]["missed"]["reference"] == "pixel_mean"
    assert "at fixations Missed gain" in text
    assert "good, Missed:" in text
    plain = write_vischema(tmp_path / "other", count=24, tests=6)
    assert plain
    alone = evaluate("baselines", "data.size=24", data=tmp_path / "other", **where)
    assert "centre_bias" not in alone.predictors
    assert "at fixations" not in "\n".join(lines(alone.answer()))


def add_scores(final: Path, gain: float) -> None:
    """NSS, AUC and information gain of each image, those of the centre bias, and their means."""
    random = np.random.default_rng(0)
    with (final / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name in SCORES:
            blind = 0.6 + 0.05 * random.standard_normal()
            row[f"centre_bias_{name}"], row[name] = str(blind), str(blind + gain + 0.02 * random.standard_normal())
    rows[0]["nss"] = "nan"
    with (final / "scores.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    results = json.loads((final / "results.json").read_text())
    results["test_scores"] |= dict.fromkeys(SCORES, 0.6 + gain)
    write(final / "results.json", results)


def test_the_report_has_a_table_with_each_score_its_gain_and_the_interval_of_that(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path, "unet")
    (group,) = collect(tmp_path, []).groups
    kinds = [type(block).__name__ for block in score_blocks(Topic(group, Truth(None), rank(group), None))]  # type: ignore[arg-type]
    for final in sorted((folder / "final").iterdir()):
        add_scores(final, 0.1)
    blind = json.loads((folder / "baselines.json").read_text())
    for split in blind.values():
        split["centre_bias"] = split["black"] | dict.fromkeys(SCORES, 0.6) | {"nss_n": 19}
        split["pixel_mean"] |= dict.fromkeys(SCORES, 0.5)
    write(folder / "baselines.json", blind)
    (group,) = collect(tmp_path, []).groups
    ranking = rank(group).answer
    table = fixation_table(group, ranking)
    at = {column.key: number for number, column in enumerate(table.columns)}
    assert table.columns[at["nss_gain"]].heading == "over centre bias"
    rows = {row[0].shown: row for part in table.parts for row in part.rows}
    for name in SCORES:
        cell = rows["UNet"][at[f"{name}_gain"]]
        assert cell.value == pytest.approx(0.1, abs=0.02)
        assert 0 < rows["UNet"][at[f"{name}_gain_low"]].value < cell.value < rows["UNet"][at[f"{name}_gain_high"]].value
        assert cell.shown.startswith(f"+{cell.value:.2f}")
        assert rows["Pixel mean"][at[f"{name}_gain"]].value == pytest.approx(-0.1)
        assert rows["Centre bias"][at[f"{name}_gain"]].value == 0
    assert "at the fixations of 19 test images" in table.notes[0]
    found = [type(block).__name__ for block in score_blocks(Topic(group, Truth(None), rank(group), None))]  # type: ignore[arg-type]
    assert found.count("TableBlock") == kinds.count("TableBlock") + 1
