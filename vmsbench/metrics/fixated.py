"""Saliency's scores of predicted maps, where the data have fixations: NSS, AUC-Judd and information gain.

Of the combined map (red + green, or the one channel). The information gain is over the centre bias: the density of the
fixations of the training images. As a map that is black at a fixation would lose without end, both densities are mixed
with a hundredth of the uniform one.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from vmsbench.data.sources.fixations import Fixations
from vmsbench.metrics.agreement.fixation_metrics import auc_judd, information_gain, nss
from vmsbench.metrics.calibration import ranked

UNIFORM = 0.01


def fixation_scores(samples: Tensor, fixations: Fixations) -> Iterator[tuple[str, Tensor]]:
    """nss, auc_judd and ig of one sample, and for K > 1 `_mean` of their mean: B values each.

    samples     float in [0, 1], B x K x C x H x W

    NaN where an image has no fixation.
    """
    combined = ranked(samples).sum(dim=2)
    yield from _of(combined, fixations, "")
    if samples.shape[1] > 1:
        yield from _of(combined.mean(dim=1, keepdim=True), fixations, "_mean")


def _of(maps: Tensor, fixations: Fixations, answer: str) -> Iterator[tuple[str, Tensor]]:
    """maps B x K x H x W."""
    found = [
        [_scores(one, points, fixations.bias) for one in some]
        for some, points in zip(maps, fixations.points, strict=True)
    ]
    means = torch.tensor(found, device=maps.device, dtype=torch.float32).view(len(maps), maps.shape[1], 3).mean(dim=1)
    for at, name in enumerate(("nss", "auc_judd", "ig")):
        yield f"{name}{answer}", means[:, at]


def _scores(map_: Tensor, points: Tensor, bias: Tensor) -> tuple[float, float, float]:
    if not points.any() or points.all():
        return (float("nan"),) * 3
    return nss(map_, points), auc_judd(map_, points), information_gain(mixed(map_), points, mixed(bias))


def mixed(map_: Tensor) -> Tensor:
    """The map as a density, with a hundredth of the uniform one."""
    total, number = map_.double().sum(), map_.numel()
    density = map_.double() / total if total > 0 else torch.full_like(map_.double(), 1 / number)
    return (1 - UNIFORM) * density + UNIFORM / number
