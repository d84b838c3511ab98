"""Several finals as one predictor: the mean of their maps, or equally many draws of each; for report and predict."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.processes.running import vmsbench
from tests.support.sweeps.in_process import study
from tests.support.tiny import MODELS, configuration, dataset
from vmsbench.api.ensembles import answers, ensemble
from vmsbench.api.models import load, model_folder
from vmsbench.config.instantiate import build
from vmsbench.config.settings import with_settings
from vmsbench.data.encoded.features import Features, seen_now
from vmsbench.data.pairs import Pairs, signed, unit
from vmsbench.errors import UserError
from vmsbench.files import read_json
from vmsbench.inference.ensemble import Ensemble
from vmsbench.inference.predictor import TrainedModel
from vmsbench.inference.predictor import load as load_one
from vmsbench.metrics.scores import measure
from vmsbench.report.analysis.ranking import rank
from vmsbench.store.reader import collect, read_sweep
from vmsbench.store.sweep_folder import SweepFolder

THREE = {"finals": {"top": 1, "seeds": 3}}
ONE_CHOICE = {"space": {"parameters": [{"param": "optimizers.network.lr", "values": [0.01]}]}}


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("unet"), **THREE, **ONE_CHOICE)


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = with_settings(configuration(**MODELS["diffusion"]), {"trainer.epochs": 1})
    return study(tmp_path_factory.mktemp("diffusion"), **settings | THREE | ONE_CHOICE)


def members(folder: Path) -> list[Path]:
    return [final.folder for final in read_sweep(folder).scored]


def test_single_maps_are_averaged_and_scored_like_any_other_answer(unet: Path) -> None:
    kept = []
    for folder in members(unet):
        with np.load(folder / "predictions.npz") as file:
            kept.append(file["predictions"].astype(float))
    expected = np.stack(kept).mean(axis=0)
    result = ensemble("mine", runs=unet.parent, device="cpu")
    with np.load(result.folder / "predictions.npz") as file:
        assert np.abs(file["predictions"] - expected).max() <= 0.5  # rounded to bytes
        maps = torch.from_numpy(file["predictions"])
    scores = read_json(result.folder / "results.json")["test_scores"]
    naive = measure(unit(maps), unit(dataset().test.maps), light=True)["l1"].mean().item()
    assert scores["l1"] == pytest.approx(naive)
    assert scores["l1"] <= np.mean([read_json(f / "results.json")["test_scores"]["l1"] for f in members(unet)]) + 0.004
    assert result.evaluation.scores["ensemble"]["crps_dressed"] == pytest.approx(scores["crps_dressed"])
    with (result.folder / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(dataset().test.names)
    assert {"l1", "crps_dressed", "climatology_crps"} <= set(rows[0])


def test_samplers_contribute_equally_many_draws_which_differ(diffusion: Path) -> None:
    models = [load_one(folder, "cpu") for folder in members(diffusion)]
    same, images = Ensemble([models[0]] * 3), dataset().test.images[:4]
    drawn = same(images, 5)
    assert drawn.shape[:2] == (4, 5)
    assert torch.equal(drawn[:, :2], models[0](images, 2))
    assert not torch.equal(drawn[:, 2:4], drawn[:, :2])  # the second member draws otherwise
    assert torch.equal(Ensemble(models)(images, 1), models[0](images, 1))
    assert torch.equal(same(images, 5), drawn)
    result = ensemble("mine", runs=diffusion.parent, device="cpu")
    kept = read_json(result.folder / "results.json")
    assert kept["samples"] == models[0].samples > 1
    assert set(kept["calibration"]) == {"samples", "dressed"}


def through_an_encoder(batch_size: int) -> TrainedModel:
    torch.manual_seed(0)
    spec = MODELS["readout"]["model"] | {"flip_tta": False}
    model = build(spec, channels=2, size=32).eval()
    return TrainedModel(model, 2, 32, 1, batch_size, torch.device("cpu"))


def test_the_features_of_a_split_are_read_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, features = [], Pairs.features

    def counted(pairs: Pairs, chosen: Tensor) -> Features:
        asked.append(len(chosen))
        return features(pairs, chosen)

    monkeypatch.setattr(Pairs, "features", counted)
    found = [answers(Ensemble([through_an_encoder(size)]), dataset(), None, "test").samples for size in (3, 8)]
    assert asked == [3, 3, 2, 8]
    torch.testing.assert_close(found[0].int(), found[1].int(), atol=1, rtol=0)


@pytest.mark.parametrize("flip_tta", [False, True])
def test_an_encoder_looks_at_mirror_images_where_the_prediction_is_of_both(flip_tta: bool) -> None:
    """A frozen one, and one that is trained, whose pictures are kept."""
    predictor, images = through_an_encoder(8), dataset().test.images[:2]
    predictor.model.flip_tta = flip_tta
    assert bool(predictor.features_of(images).mirrored) == flip_tta
    spec = with_settings(MODELS["readout"]["model"], {"sight.encoder.train": True, "flip_tta": flip_tta})
    trained = build(spec, channels=2, size=32).eval()
    kept = seen_now(trained.sight.encoder.kept, images)
    passes = []
    trained.network.encoder.register_forward_hook(lambda *_: passes.append(1))
    trained.sample(signed(images), features=kept)
    assert len(passes) == 1 + flip_tta


def test_it_is_a_model_of_its_own_in_the_report_and_for_predict(unet: Path, tmp_path: Path) -> None:
    result = ensemble("mine", runs=unet.parent, device="cpu")
    (group,) = collect(unet.parent, ["mine"]).groups
    assert [*group.models] == ["UNet", "UNet, ensemble"]
    assert group.stems["UNet, ensemble"] == "ensemble-mine"
    answers = rank(group).answer
    assert answers.standings["UNet, ensemble"].seeds == 3
    assert [one.seeds for one in answers.comparisons] == [3]
    found = load("mine/ensemble", runs=unet.parent, device="cpu")
    assert isinstance(found, Ensemble)
    assert len(found.members) == len(result.members) == 3
    assert model_folder(str(result.folder), tmp_path) == result.folder
    image = np.zeros((40, 60, 3), np.uint8)
    assert found.predict(image).array.shape[1:] == (40, 60)
    with pytest.raises(UserError, match="is an ensemble, which is not one model"):
        load_one(result.folder)


def test_an_ensemble_of_other_finals_is_not_shown(unet: Path) -> None:
    result = ensemble("mine", runs=unet.parent, device="cpu")
    record = read_sweep(unet)
    assert record.ensemble is not None
    there = SweepFolder(unet).ensemble
    there.write_results(there.results() | {"members": [*result.members[:2], "0123456789ab"]})
    assert read_sweep(unet).ensemble is None


def test_one_final_is_no_ensemble(tmp_path: Path) -> None:
    folder = study(tmp_path, finals={"top": 1, "seeds": 1})
    done = vmsbench("ensemble", "mine", "--runs", str(folder.parent), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: mine has 1 final of its best configuration with weights, an ensemble needs two; "
        "`vmsbench final mine --seeds 3` trains more"
    ]
