"""What a final keeps: its maps, both tracks, calibration, and the blind references beside every image's scores."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.tiny import MODELS, configuration, dataset
from vmsbench.config.settings import with_settings
from vmsbench.data.pairs import Pairs, unit
from vmsbench.experiment import run
from vmsbench.metrics.baselines import Given, evaluate, score_baselines
from vmsbench.metrics.catalog import metric, per_image
from vmsbench.metrics.references import blind_columns
from vmsbench.metrics.tracks.dressed import one_answer
from vmsbench.training.final_scores import Answered, both_tracks, save_predictions

DATA = dataset()


def drawn(pairs: Pairs, number: int, seed: int = 0) -> torch.Tensor:
    noise = torch.randn(len(pairs), number, *pairs.maps.shape[1:], generator=torch.Generator().manual_seed(seed))
    return (pairs.maps[:, None] + 40 * noise).clamp(0, 255).round().to(torch.uint8)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "scores.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("final")
    samples, tuned = drawn(DATA.test, 16), drawn(DATA.validation, 16, seed=1)
    scores = evaluate(Given(DATA.test.names, unit(samples)), DATA.test).per_image()
    tracks = both_tracks(Answered(DATA.test, samples), scores, Answered(DATA.validation, tuned))
    save_predictions(folder, Answered(DATA.test, samples), DATA.train, tracks.per_image)
    return folder


def test_every_sample_is_kept_and_the_answers_that_they_give(kept):
    with np.load(kept / "predictions.npz") as file:
        maps = {name: file[name] for name in file.files}
    assert list(maps["names"]) == list(DATA.test.names)
    assert maps["samples"].shape == (8, 16, 3, 32, 32)
    np.testing.assert_array_equal(maps["predictions"], maps["samples"][:, 0])
    np.testing.assert_array_equal(maps["median"], np.median(maps["samples"], axis=1).round())
    np.testing.assert_allclose(maps["mean"], maps["samples"].mean(axis=1), atol=0.5 + 1e-4)


def test_every_score_that_has_a_reference_has_its_blind_columns_image_by_image(kept):
    rows = rows_of(kept)
    assert {name for name in per_image() if metric(name).needs == "maps"} <= set(rows[0])
    for name in per_image():
        if name.startswith(("l1", "mse", "cc", "crps", "energy")):
            assert set(blind_columns(name)) <= set(rows[0]), name
    table = score_baselines(DATA, "test")
    compared = [("climatology", "crps"), ("climatology", "energy"), ("category_climatology", "crps"),
                ("pixel_median", "l1"), ("pixel_mean", "mse"), ("category_mean", "cc_true"), ("random_train", "crps"),
                ("random_train", "l1_median")]  # fmt: skip
    for predictor, name in compared:
        mean = np.mean([float(row[f"{predictor}_{name}"]) for row in rows])
        assert mean == pytest.approx(table[predictor][name], rel=1e-4), (predictor, name)


@pytest.mark.parametrize("number", [1, 16])
def test_a_dressed_answer_is_judged_beside_the_samples(number):
    samples, tuned = drawn(DATA.test, number), drawn(DATA.validation, number, seed=1)
    scores = evaluate(Given(DATA.test.names, unit(samples)), DATA.test).per_image()
    found = both_tracks(Answered(DATA.test, samples), scores, Answered(DATA.validation, tuned))
    assert found.dressing == {"pairs": 8, "reason": None}
    assert set(found.calibration) == ({"dressed"} if number == 1 else {"samples", "dressed"})
    for one in found.calibration.values():
        assert sum(one["ranks"]) == pytest.approx(1, abs=1e-5)
        assert len(one["ranks"]) == 17
        assert 0 < one["images"] <= 8
        assert f"undefined for so few images ({one['images']})" in one["verdict"]
    assert found.scores["crps_dressed"] < scores["l1"].mean()
    assert found.scores["crps_dressed"] == pytest.approx(2 * found.scores["crps_dressed_unit"])
    assert found.scores["energy_dressed"] == pytest.approx(2 * found.scores["energy_dressed_unit"])


def test_without_the_errors_on_other_pairs_there_is_no_dressing_and_a_reason():
    samples = drawn(DATA.test, 1)
    scores = evaluate(Given(DATA.test.names, unit(samples)), DATA.test).per_image()
    found = both_tracks(Answered(DATA.test, samples), scores, None)
    assert found.dressing == {"pairs": 0, "reason": "there are no tuning validation pairs"}
    assert found.calibration == {}
    assert found.scores == {}


def test_samples_that_are_all_equal_have_a_reason_in_place_of_a_calibration():
    samples = drawn(DATA.test, 1).expand(-1, 16, -1, -1, -1)
    scores = evaluate(Given(DATA.test.names, unit(samples)), DATA.test).per_image()
    found = both_tracks(Answered(DATA.test, samples), scores, None)
    assert "all 16 samples of an image are equal" in found.calibration["samples"]["reason"]


@pytest.mark.parametrize("model", ["unet", "diffusion"])
def test_a_final_leaves_both_tracks_and_a_trial_a_dressed_tuning_score(tmp_path, model):
    config = with_settings(configuration(**MODELS[model]), {"trainer.epochs": 1})
    trial, final = run(config, tmp_path / "trial"), run(config | {"test": True}, tmp_path / "final")
    for scores in (trial["validation_scores"], final["validation_scores"], final["test_scores"]):
        assert 0 < scores["crps_dressed"] < 1
    assert "calibration" not in trial
    assert final["dressing"]["pairs"] == 8
    assert "verdict" in final["calibration"]["dressed"]
    rows = rows_of(tmp_path / "final")
    dressed = np.mean([float(row["crps_dressed"]) for row in rows])
    assert dressed == pytest.approx(final["test_scores"]["crps_dressed"])
    with np.load(tmp_path / "final" / "predictions.npz") as file:
        assert ("samples" in file.files) == (model == "diffusion")
        if model == "diffusion":
            assert torch.equal(one_answer(torch.from_numpy(file["samples"])), torch.from_numpy(file["median"]))
