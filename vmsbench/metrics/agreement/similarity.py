"""How alike two maps are in shape: CC, SIM and KLD, as in the MIT saliency benchmark (Bylinskii et al. 2019)."""

import torch
from torch import Tensor

CONSTANT_PREDICTION = 1e-5
EPSILON = 2.2204e-16


def correlation(predicted: Tensor, true: Tensor) -> Tensor:
    """Pearson's correlation over the pixels, B x K; 0 for a constant prediction."""
    x = predicted - predicted.mean(dim=(-2, -1), keepdim=True)
    y = true - true.mean(dim=(-2, -1), keepdim=True)
    both = (x * y).sum(dim=(-2, -1))
    each = (x.square().sum(dim=(-2, -1)) * y.square().sum(dim=(-2, -1))).sqrt()
    flat = predicted.amax(dim=(-2, -1)) - predicted.amin(dim=(-2, -1)) <= CONSTANT_PREDICTION
    return torch.where(flat, 0.0, both / each.clamp(min=torch.finfo(each.dtype).tiny))


def distribution(maps: Tensor) -> Tensor:
    """Maps that sum to 1; a map that sums to 0 becomes uniform."""
    maps = maps.clamp(min=0)
    total = maps.sum(dim=(-2, -1), keepdim=True)
    uniform = 1 / (maps.shape[-2] * maps.shape[-1])
    return torch.where(total > 0, maps / total.clamp(min=torch.finfo(total.dtype).tiny), uniform)


def similarity(predicted: Tensor, true: Tensor) -> Tensor:
    """The sum of the smaller of both densities, B x K, in [0, 1]."""
    return torch.minimum(distribution(predicted), distribution(true)).sum(dim=(-2, -1))


def divergence(predicted: Tensor, true: Tensor) -> Tensor:
    """KL(true || predicted) in nats, B x K."""
    p, q = distribution(predicted), distribution(true)
    return (q * (EPSILON + q / (p + EPSILON)).log()).sum(dim=(-2, -1))
