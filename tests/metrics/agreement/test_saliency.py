"""Saliency's scores against naive rewrites, and against torchmetrics, scikit-learn, scipy and pysaliency."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import zscore
from sklearn.metrics import roc_auc_score
from torchmetrics.functional.image import structural_similarity_index_measure

from tests.support.data import pysaliency_values
from vmsbench.errors import UserError
from vmsbench.metrics.agreement.fixation_metrics import auc_judd, information_gain, nss
from vmsbench.metrics.agreement.similarity import ssim

SALIENCY = torch.from_numpy(np.random.default_rng(0).integers(0, 12, (17, 23)) / 11.0)  # with ties
FIXATIONS = torch.from_numpy(np.random.default_rng(1).random((17, 23)) < 0.1)
CENTRE = torch.from_numpy(np.random.default_rng(2).random((17, 23)) + 0.1)


def test_nss_is_the_mean_z_score_of_the_fixated_pixels():
    x = SALIENCY.numpy()
    expected = np.mean([(x[r, c] - x.mean()) / x.std() for r, c in zip(*np.nonzero(FIXATIONS.numpy()), strict=True)])
    assert nss(SALIENCY, FIXATIONS) == pytest.approx(expected)
    assert nss(3 * SALIENCY + 2, FIXATIONS) == pytest.approx(expected)
    assert nss(torch.full_like(SALIENCY, 0.4), FIXATIONS) == 0


def test_auc_is_the_chance_that_a_fixated_pixel_stands_above_another():
    x, fixated = SALIENCY.numpy(), FIXATIONS.numpy()
    wins = [(a > b) + (a == b) / 2 for a, b in itertools.product(x[fixated], x[~fixated])]
    assert auc_judd(SALIENCY, FIXATIONS) == pytest.approx(np.mean(wins))
    assert auc_judd(FIXATIONS.double(), FIXATIONS) == 1
    assert auc_judd(1 - FIXATIONS.double(), FIXATIONS) == 0
    assert auc_judd(torch.full_like(SALIENCY, 0.4), FIXATIONS) == 0.5


def test_auc_is_the_area_under_the_curve_of_judds_thresholds():
    """Without ties: hits over false alarms at every fixated value, by trapezoids."""
    values = torch.from_numpy(np.random.default_rng(3).permutation(17 * 23).reshape(17, 23) / 400.0)
    hits, alarms = [0.0], [0.0]
    for threshold in sorted(values[FIXATIONS].tolist(), reverse=True):
        above = values >= threshold
        hits.append((above & FIXATIONS).sum().item() / FIXATIONS.sum().item())
        alarms.append((above & ~FIXATIONS).sum().item() / (~FIXATIONS).sum().item())
    area = np.trapezoid([*hits, 1.0], [*alarms, 1.0])
    assert auc_judd(values, FIXATIONS) == pytest.approx(area, abs=1.0 / FIXATIONS.sum().item() / 2)


def test_information_gain_is_the_mean_log_ratio_in_bits():
    p, q = SALIENCY.numpy() / SALIENCY.numpy().sum(), CENTRE.numpy() / CENTRE.numpy().sum()
    fixated = FIXATIONS.numpy()
    expected = np.mean(np.log2(p[fixated] + 2.2204e-16) - np.log2(q[fixated] + 2.2204e-16))
    assert information_gain(SALIENCY, FIXATIONS, CENTRE) == pytest.approx(expected)
    assert information_gain(CENTRE, FIXATIONS, CENTRE) == 0
    sure = information_gain(FIXATIONS.double(), FIXATIONS, torch.zeros_like(CENTRE))
    assert sure == pytest.approx(np.log2(FIXATIONS.numel() / FIXATIONS.sum().item()))


def test_structural_similarity_is_its_definition_window_by_window():
    first, second = (torch.from_numpy(np.random.default_rng(seed).random((1, 1, 13, 12))) for seed in (4, 5))
    steps = np.arange(11) - 5
    weights = np.exp(-(steps[:, None] ** 2 + steps**2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for row, column in itertools.product(range(3), range(2)):
        x, y = (maps[0, 0, row : row + 11, column : column + 11].numpy() for maps in (first, second))
        mx, my = (weights * x).sum(), (weights * y).sum()
        vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
        both = (weights * (x - mx) * (y - my)).sum()
        found.append((2 * mx * my + 1e-4) * (2 * both + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))
    assert ssim(first, second).item() == pytest.approx(np.mean(found))
    assert ssim(first, first).item() == pytest.approx(1)


def test_structural_similarity_is_torchmetrics():
    """Over the windows within the map: torchmetrics averages its mirrored border in as well."""
    first, second = (torch.rand(4, 3, 32, 40, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    second = 0.7 * first + 0.3 * second
    options = {"data_range": 1.0, "reduction": "none", "return_full_image": True}
    _, windows = structural_similarity_index_measure(first, second, **options)
    expected = windows[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))
    torch.testing.assert_close(ssim(first, second).float(), expected, atol=1e-4, rtol=0)


def test_auc_is_scikit_learns_and_nss_is_scipys_z_score():
    """scikit-learn comes with MLflow."""
    x, fixated = SALIENCY.numpy(), FIXATIONS.numpy()
    assert auc_judd(SALIENCY, FIXATIONS) == pytest.approx(roc_auc_score(fixated.ravel(), x.ravel()))
    assert nss(SALIENCY, FIXATIONS) == pytest.approx(zscore(x, axis=None)[fixated].mean())


def test_what_has_no_score_is_named():
    nobody = torch.zeros_like(FIXATIONS)
    for scored in (nss, auc_judd):
        with pytest.raises(UserError, match="without fixations"):
            scored(SALIENCY, nobody)
    with pytest.raises(UserError, match="every pixel has one"):
        auc_judd(SALIENCY, ~nobody)
    with pytest.raises(UserError, match=r"needed is H x W"):
        information_gain(SALIENCY, FIXATIONS, CENTRE[:5])
    with pytest.raises(UserError, match="at least 11 x 11"):
        ssim(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20))


@pytest.mark.parametrize("number", range(pysaliency_values.MAPS))
def test_scores_at_fixations_are_those_of_pysaliency(number: int) -> None:
    expected = json.loads(Path(pysaliency_values.__file__).with_suffix(".json").read_text())[number]
    saliency, fixated, bias = map(torch.from_numpy, pysaliency_values.drawn(number))
    assert nss(saliency, fixated) == pytest.approx(expected["nss"], abs=1e-9)
    assert auc_judd(saliency, fixated) == pytest.approx(expected["auc_judd"], abs=1e-9)
    assert information_gain(saliency, fixated, bias) == pytest.approx(expected["ig"], abs=1e-9)
