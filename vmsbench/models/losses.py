"""How far predicted maps are from the true one, as terms of a loss: one map, or several draws (`proper_score`).

Both B x C x S x S, the true one in [-1, 1].

L1 learns the pixelwise median, MSE the mean. Scores of saliency look at shape: Pearson's correlation (cc) and the
Kullback-Leibler divergence of maps that sum to 1 (kld), each map and channel for itself. Both say nothing of how much
is remembered, so L1 stands next to them.

Every term is a mean over the maps of a batch, so that of a batch is the mean of its parts', weighted by their sizes.
"""

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional

SHAPELESS = 16 / 127.5  # a true channel whose range is no more has no shape, as in the metrics
LEAST = 1e-4  # of a map's values before they are made to sum to 1

Terms = dict[str, Tensor]


def l1(predicted: Tensor, true: Tensor, weight: float = 0.0) -> Terms:
    return {"l1": functional.l1_loss(predicted, true)}


def mse(predicted: Tensor, true: Tensor, weight: float = 0.0) -> Terms:
    return {"mse": functional.mse_loss(predicted, true)}


def l1_cc(predicted: Tensor, true: Tensor, weight: float) -> Terms:
    """L1 + weight (1 - CC)."""
    return l1(predicted, true) | {"cc": weight * mean_where(shaped(true), 1 - correlation(predicted, true))}


def l1_kld(predicted: Tensor, true: Tensor, weight: float) -> Terms:
    """L1 + weight KL(true || predicted)."""
    return l1(predicted, true) | {"kld": weight * mean_where(shaped(true), divergence(predicted, true))}


DISTANCES: dict[str, Callable[[Tensor, Tensor, float], Terms]] = {
    "l1": l1,
    "mse": mse,
    "l1_cc": l1_cc,
    "l1_kld": l1_kld,
}


def shaped(true: Tensor) -> Tensor:
    """Which channels of which maps have a shape, B x C."""
    return true.amax(dim=(2, 3)) - true.amin(dim=(2, 3)) > SHAPELESS


def mean_where(which: Tensor, values: Tensor) -> Tensor:
    """The mean over maps of the mean of each one's values at `which`, both B x C; 0 for a map that has none."""
    return ((values * which).sum(dim=1) / which.sum(dim=1).clamp(min=1)).mean()


def correlation(predicted: Tensor, true: Tensor) -> Tensor:
    """Pearson's, B x C."""
    x = predicted - predicted.mean(dim=(2, 3), keepdim=True)
    y = true - true.mean(dim=(2, 3), keepdim=True)
    each = (x.square().sum(dim=(2, 3)) + 1e-6).sqrt() * (y.square().sum(dim=(2, 3)) + 1e-6).sqrt()
    return (x * y).sum(dim=(2, 3)) / each


def divergence(predicted: Tensor, true: Tensor) -> Tensor:
    """KL(true || predicted) in nats, B x C."""
    p, q = summing_to_one(predicted), summing_to_one(true)
    return (q * (q / p).log()).sum(dim=(2, 3))


def summing_to_one(maps: Tensor) -> Tensor:
    """Maps in [-1, 1], brought to [0, 1]; a value below that is read as nothing, by a way that gradients take."""
    values = functional.softplus((maps + 1) / 2, beta=200) + LEAST
    return values / values.sum(dim=(2, 3), keepdim=True)


def absolute(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).abs().mean()


def root_mean_square(x: Tensor, y: Tensor) -> Tensor:
    """Of each map over its channels and pixels; the mean of B maps."""
    return ((x - y).square().flatten(1).mean(dim=1) + 1e-8).sqrt().mean()


APART: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"crps": absolute, "energy": root_mean_square}


def proper_score(drawn: Tensor, true: Tensor, apart: Callable[[Tensor, Tensor], Tensor], fairness: float) -> Tensor:
    """The fair score of M draws, B x M x C x S x S, of maps, B x C x S x S."""
    draws = drawn.unbind(1)
    error = torch.stack([apart(draw, true) for draw in draws]).mean()
    spread = torch.stack([apart(one, other) for one, other in combinations(draws, 2)]).mean()
    return error - fairness * spread / 2
