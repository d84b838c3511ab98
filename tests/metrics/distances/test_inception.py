"""Weights found, verified and loaded, and the whole path from maps to distances, with a random Inception.

The random network is saved in the official file's format. It is a stand-in for the weights, which cannot be fetched
here, and must never be called FID.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from pytorch_fid import inception as library
from typer.testing import CliRunner

import vmsbench
from tests.support.tiny import configuration, dataset
from vmsbench.cli.app import app
from vmsbench.config.settings import with_settings
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.experiment import run
from vmsbench.files import read_json
from vmsbench.metrics.distances import inception
from vmsbench.metrics.distances.frechet import distances, frechet_distance
from vmsbench.metrics.distances.inception import OFFICIAL_FILE, NoWeights, Weights, features, find_weights
from vmsbench.sweep.finals import measure_later
from vmsbench.training.checks import check_fid

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A TORCH_HOME with a random Inception under the official name, its layers scaled to keep variance."""
    with (
        patch.object(library, "load_state_dict_from_url", lambda *_, **__: {}),
        patch.object(torchvision.models.Inception3, "load_state_dict", lambda *_: None),
    ):
        network = library.fid_inception_v3()
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    folder = tmp_path_factory.mktemp("torch")
    (folder / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(network.state_dict(), folder / "hub" / "checkpoints" / OFFICIAL_FILE)
    return folder


@pytest.fixture(scope="module")
def weights(home) -> Weights:
    found = find_weights(home / "hub" / "checkpoints" / OFFICIAL_FILE)
    assert isinstance(found, Weights)
    return found


def maps(number: int, seed: int, channels: int = 3) -> torch.Tensor:
    """Smooth random maps, bytes."""
    coarse = torch.rand(number, channels, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, 32, mode="bicubic").clamp(0, 1).mul(255).round().byte()


def test_the_file_is_found_in_torch_home_and_known_by_its_hash(home, weights, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(home))
    found = find_weights()
    assert found == weights
    assert not found.official
    assert found.name() == f"Frechet (weights {found.sha256[:6]})"
    assert "FID" not in found.name(64)


def test_only_the_official_hash_may_be_called_fid():
    assert Weights(Path("x"), inception.OFFICIAL_SHA256).name() == "FID-2048"
    assert Weights(Path("x"), inception.OFFICIAL_SHA256).name(64) == "FID-64"


def test_missing_weights_say_where_they_belong_and_how_to_carry_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    for found in (find_weights(), find_weights(tmp_path / "none.pth")):
        assert isinstance(found, NoWeights)
        for word in (str(tmp_path), "download", OFFICIAL_FILE, "95,628,359 bytes", "fid.weights=PATH"):
            assert word in found.reason


def test_the_check_of_weights_says_what_is_there_and_each_step_to_have_them(home, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    done = CliRunner().invoke(app, ["weights", "check"])
    assert done.exit_code == 1
    told = done.stdout
    for word in ("missing", str(tmp_path / "torch"), inception.URL, "sha256sum -c", "rsync", "TORCH_HOME="):
        assert word in told
    monkeypatch.setenv("TORCH_HOME", str(home))
    found = json.loads(CliRunner().invoke(app, ["weights", "check", "--json"]).stdout)
    assert found == vmsbench.check_weights().as_json()
    assert found["name"].startswith("Frechet (weights ")
    assert found["places"][found["file"]]
    assert not found["official"]


def test_fid_required_takes_other_weights_only_where_they_are_named(home, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(home))
    with pytest.raises(ConfigurationError, match="is not the official file"):
        check_fid({"fid": {"weights": None, "required": True}})
    check_fid({"fid": {"weights": str(home / "hub" / "checkpoints" / OFFICIAL_FILE), "required": True}})
    check_fid({"fid": {"weights": str(home / "none"), "required": False}})


@pytest.mark.slow
def test_a_finals_distance_is_that_of_pytorch_fids_command_on_the_maps_it_left(home, weights, tmp_path):
    config = configuration(test=True, fid={"weights": str(weights.file), "required": True})
    fid = run(with_settings(config, {"trainer.epochs": 1}), tmp_path / "final")["fid"]
    with np.load(tmp_path / "final" / "predictions.npz") as left:
        predicted = torch.from_numpy(left["predictions"])
    padded = torch.cat([predicted, torch.zeros_like(predicted[:, :1])], dim=1)
    folders = [saved(tmp_path / "a", dataset().test.maps), saved(tmp_path / "b", padded)]
    assert fid["value"] == pytest.approx(commanded(home, folders, 2048), rel=1e-3)
    assert fid["value_64"] == pytest.approx(commanded(home, folders, 64), rel=1e-3)
    assert (fid["name"], fid["n"]) == (weights.name(), 8)
    assert fid["floor"] > 0


def test_finals_made_without_weights_get_their_distances_once_there_are_some(weights, tmp_path):
    config = configuration(test=True, fid={"weights": str(tmp_path / "none"), "required": False})
    config = with_settings(config, {"trainer.epochs": 1, "data.cache": str(tmp_path / "cache")})
    without = run(config, tmp_path / "final" / "a")
    assert without["fid"]["value"] is None
    measure_later(tmp_path, config, dataset())
    assert read_json(tmp_path / "final" / "a" / "results.json") == without
    measure_later(tmp_path, with_settings(config, {"fid.weights": str(weights.file)}), dataset())
    results = read_json(tmp_path / "final" / "a" / "results.json")
    assert results["fid"]["value"] > 0
    assert results | {"fid": None} == without | {"fid": None, "test_reads": 2}


def test_a_file_cut_short_or_of_another_kind_is_no_weights(home, tmp_path):
    whole = (home / "hub" / "checkpoints" / OFFICIAL_FILE).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pth").write_text("<html>404</html>")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("cut.pth", "text.pth", "other.pth"):
        found = find_weights(tmp_path / name)
        assert isinstance(found, NoWeights)
        assert "holds no Inception weights" in found.reason


def test_no_network_is_touched(weights, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr("torch.hub.download_url_to_file", refused)
    monkeypatch.setattr("urllib.request.urlopen", refused)
    assert features(maps(2, 0), weights, (64,))[64].shape == (2, 64)


def test_features_are_the_librarys_own(home, weights, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(home))
    given = maps(3, 1)
    found = features(given, weights)
    for d in (64, 2048):
        network = library.InceptionV3([library.InceptionV3.BLOCK_INDEX_BY_DIM[d]]).eval()
        expected = network(given.float() / 255)[0].mean(dim=(2, 3))
        torch.testing.assert_close(found[d], expected, rtol=1e-4, atol=1e-4)


def test_floats_two_channels_and_grey_are_read_as_their_pictures(weights):
    given = maps(2, 2)
    as_file = features(given, weights, (64,))[64]
    assert torch.equal(features((given / 255 + 0.001).clamp(max=1), weights, (64,))[64], as_file)
    padded = torch.cat([given[:, :2], torch.zeros_like(given[:, :1])], dim=1)
    assert torch.equal(features(given[:, :2], weights, (64,))[64], features(padded, weights, (64,))[64])
    repeated = given[:, :1].repeat(1, 3, 1, 1)
    torch.testing.assert_close(features(given[:, :1], weights, (64,))[64], features(repeated, weights, (64,))[64])


def test_features_of_the_truth_are_kept_by_content(weights, tmp_path, monkeypatch):
    first = features(maps(3, 3), weights, (64,), cache=tmp_path)[64]
    monkeypatch.setattr(inception, "_network", None)
    assert torch.equal(features(maps(3, 3), weights, (64,), cache=tmp_path)[64], first)
    with pytest.raises(TypeError):
        features(maps(3, 4), weights, (64,), cache=tmp_path)


def test_wrong_scales_and_dimensions_are_named(weights):
    with pytest.raises(UserError, match=r"\[-1, 1\]"):
        features(2 * torch.rand(2, 3, 8, 8) - 1, weights)
    with pytest.raises(UserError, match="64, 192, 768, 2048"):
        features(maps(2, 0), weights, (100,))


def test_the_whole_path_gives_value_floor_and_kid(weights, tmp_path):
    truth, reference = maps(8, 5), maps(12, 6)
    black = torch.zeros(8, 2, 32, 32)
    result = distances(truth, black, reference, weights, cache=tmp_path)
    assert result["name"] == f"Frechet (weights {weights.sha256[:6]})"
    assert result["weights"] == {"file": str(weights.file), "sha256": weights.sha256}
    assert (result["n"], result["reason"]) == (8, None)
    assert result["value"] > result["floor"] > 0
    assert result["value_64"] > result["floor_64"] > 0
    assert result["kid"] > result["kid_error"] > 0
    itself = distances(truth, truth, reference[:5], weights, cache=tmp_path)
    assert itself["value"] == pytest.approx(0, abs=1e-6 * result["value"])
    assert itself["floor"] is None
    assert itself["reason"] == "no floor: 5 reference maps for 8 predictions"


PYTORCH_FID = """
import runpy, scipy.linalg
root = scipy.linalg.sqrtm
scipy.linalg.sqrtm = lambda matrix, disp=True: root(matrix) if disp else (root(matrix), 0.0)
runpy.run_module("pytorch_fid", run_name="__main__", alter_sys=True)
"""
"""Its command on any SciPy: that of 1.18 has no `disp`, by which pytorch-fid asks for an error estimate it ignores."""


def commanded(home: Path, folders: list[Path], dimensions: int) -> float:
    """What `python -m pytorch_fid` says of two folders."""
    command = [sys.executable, "-c", PYTORCH_FID, *map(str, folders), "--dims", str(dimensions)]
    environment = os.environ | {"TORCH_HOME": str(home), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [*command, "--device", "cpu", "--num-workers", "0"], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return float(ran.stdout.split("FID:")[1])


def saved(folder: Path, pictures: torch.Tensor) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(np.ascontiguousarray(picture.permute(1, 2, 0).numpy())).save(folder / f"{number:03}.png")
    return folder


def test_distances_are_those_of_pytorch_fids_command_on_the_same_files(home, weights, tmp_path):
    truth, predicted = maps(24, 7), maps(24, 8) // 2
    expected = commanded(home, [saved(tmp_path / "a", truth), saved(tmp_path / "b", predicted)], 64)
    ours = [features(images, weights, (64,))[64] for images in (truth, predicted)]
    assert frechet_distance(*ours) == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
@pytest.mark.nightly
def test_distances_at_2048_dimensions_are_the_commands_too(home, weights, tmp_path):
    truth, predicted = maps(16, 7), maps(16, 8) // 2
    expected = commanded(home, [saved(tmp_path / "a", truth), saved(tmp_path / "b", predicted)], 2048)
    assert distances(truth, predicted / 255, truth[:1], weights)["value"] == pytest.approx(expected, rel=1e-3)
