"""Scores of a map at the fixations of people: NSS, AUC-Judd and information gain.

Definitions as in the MIT/Tuebingen saliency benchmark (Bylinskii et al. 2019; Kuemmerer, Wallis and Bethge 2015).
Visual memory schemas have no fixations: NSS, AUC and information gain are for data that have them. One image at a time,
H x W; a fixation map says of every pixel whether it was fixated.
"""

import math

import torch
from torch import Tensor

from vmsbench.errors import UserError

EPSILON = 2.2204e-16


def nss(saliency: Tensor, fixations: Tensor) -> float:
    """Normalised scanpath saliency: the mean over the fixated pixels of the map in standard deviations from its mean.

    0 is chance, and a constant map's value. saliency: float, H x W; fixations: bool or 0/1, H x W.
    """
    fixated = _fixated(saliency, fixations)
    deviation = saliency.double().std(correction=0)
    if deviation <= EPSILON:
        return 0.0
    return float(((saliency.double() - saliency.double().mean()) / deviation)[fixated].mean())


def auc_judd(saliency: Tensor, fixations: Tensor) -> float:
    """The area under the curve of hits over false alarms, the map being the classifier of fixated pixels (Judd 2012).

    It is the chance that a fixated pixel has more saliency than another, ties counting half; Judd's own code breaks
    ties by noise, which is that on average. 0.5 is chance. Shapes as in `nss`; UserError where all are fixated.
    """
    fixated = _fixated(saliency, fixations)
    if bool(fixated.all()):
        raise UserError("AUC needs pixels without a fixation, and every pixel has one")
    positive, negative = saliency[fixated].double(), saliency[~fixated].double().sort().values
    below = torch.searchsorted(negative, positive, right=False)
    not_above = torch.searchsorted(negative, positive, right=True)
    return float((below + not_above).double().mean() / (2 * len(negative)))


def information_gain(saliency: Tensor, fixations: Tensor, baseline: Tensor) -> float:
    """Bits per fixation by which the map's density explains the fixated pixels better than `baseline`'s does.

    saliency, baseline  not negative, H x W: each is divided by its sum; one that sums to 0 is uniform. The baseline is
                        usually the centre bias: the mean of other images' maps.
    """
    fixated = _fixated(saliency, fixations)
    _fixated(baseline, fixations)
    gained = (_density(saliency) + EPSILON).log() - (_density(baseline) + EPSILON).log()
    return float(gained[fixated].mean() / math.log(2))


def _fixated(saliency: Tensor, fixations: Tensor) -> Tensor:
    """The fixated pixels. Raises UserError where there are none, or the shapes differ."""
    if saliency.shape != fixations.shape or saliency.ndim != 2:
        raise UserError(f"a map of {tuple(saliency.shape)} and fixations of {tuple(fixations.shape)}: needed is H x W")
    fixated = fixations.bool()
    if not bool(fixated.any()):
        raise UserError("an image without fixations has no such score; leave it out")
    return fixated


def _density(saliency: Tensor) -> Tensor:
    positive = saliency.double().clamp(min=0)
    total = positive.sum()
    return positive / total if total > 0 else torch.full_like(positive, 1 / positive.numel())
