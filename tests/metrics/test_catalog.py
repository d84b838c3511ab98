"""One table says what each metric is: its direction, its scale, where it is shown."""

import pytest
import torch
from torch import Tensor

from vmsbench.errors import ConfigurationError
from vmsbench.metrics.catalog import METRICS, Metric, in_unit, metric, per_image, scales
from vmsbench.metrics.scores import score

TRUTH = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("samples", [1, 4])
def test_every_score_that_is_measured_is_in_the_table(samples: int) -> None:
    found = score(TRUTH[:, None].expand(-1, samples, -1, -1, -1), TRUTH)
    for name in found:
        if name != "n" and not name.endswith("_n"):
            assert metric(name).label


def test_a_perfect_prediction_has_the_perfect_value_of_every_metric() -> None:
    found = score(TRUTH, TRUTH)
    for name, one in METRICS.items():
        if name in found:
            assert found[name] == pytest.approx(one.perfect, abs=1e-5), name


def test_a_worse_prediction_has_a_greater_loss_in_every_metric() -> None:
    near, far = (score((TRUTH + scale * (torch.rand_like(TRUTH) - TRUTH)).clamp(0, 1), TRUTH) for scale in (0.1, 0.9))
    for name, one in METRICS.items():
        if name in near and one.better != "neither":
            assert one.loss(near[name]) < one.loss(far[name]), name


def test_a_score_in_both_scales_differs_by_the_factor_of_the_table() -> None:
    found = score(1 - TRUTH, TRUTH)
    for name in METRICS:
        if f"{name}_unit" in found:
            assert in_unit(name, found[name]) == pytest.approx(found[f"{name}_unit"], rel=1e-5), name
    assert in_unit("cc_true", 0.4) is None
    assert scales("l1") == ["l1", "l1_unit"]
    assert scales("cc_true") == ["cc_true"]


def test_names_that_derive_from_a_metric_keep_its_direction() -> None:
    assert metric("mse_rg_unit").better == "lower"
    assert metric("l1_median").label == "L1 of the median"
    assert metric("cc_true_mean").better == "higher"


def test_an_unknown_metric_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match="cc_treu is not a metric; did you mean cc_true"):
        metric("cc_treu")
    with pytest.raises(ConfigurationError, match="cc_true_unit is not a metric"):
        metric("cc_true_unit")


def nss(samples: Tensor, targets: Tensor) -> Tensor:
    """The normalised scanpath saliency of the green channel at the truth's brightest pixel."""
    maps = samples[:, :, 1].mean(dim=1).flatten(1)
    brightest = targets[:, 1].flatten(1).argmax(dim=1, keepdim=True)
    return ((maps.gather(1, brightest) - maps.mean(dim=1, keepdim=True)) / maps.std(dim=1, keepdim=True))[:, 0]


def test_a_new_metric_is_one_entry_and_is_measured_and_kept_for_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Metric("NSS true", "higher", digits=2, shown="report", per_image=True, measure=nss)
    monkeypatch.setitem(METRICS, "nss_true", one)
    found = score(TRUTH, TRUTH)
    assert found["nss_true"] == pytest.approx(nss(TRUTH[:, None], TRUTH).mean().item(), rel=1e-5)
    assert "nss_true" in per_image()
    assert metric("nss_true").arrow == "↑"


def test_a_score_that_is_undefined_for_some_images_says_of_how_many_it_is_the_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the table, never by the beginning of a name: ignorance is not ig."""
    monkeypatch.setitem(METRICS, "ignorance", Metric("Ignorance", measure=nss))
    monkeypatch.setitem(METRICS, "half", Metric("Half", partial=True, measure=half))
    found = score(TRUTH[:, None].expand(-1, 40, -1, -1, -1), TRUTH)
    counted = {name.removesuffix("_n") for name in found if name.endswith("_n")}
    families = {name.removesuffix("_mean").partition("_")[0] for name in counted}
    assert families == {"cc", "sim", "kld", "ssim", "coverage", "half"}
    assert (found["half_n"], "ignorance_n" in found) == (2, False)


def half(samples: Tensor, targets: Tensor) -> Tensor:
    """Undefined for the first image."""
    return torch.tensor([torch.nan, 1.0, 2.0])
