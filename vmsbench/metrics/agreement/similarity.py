"""How alike two maps are: CC, SIM and KLD, as in the MIT saliency benchmark (Bylinskii et al. 2019), and SSIM."""

import torch
from torch import Tensor
from torch.nn import functional

from vmsbench.errors import UserError

CONSTANT_PREDICTION = 1e-5
EPSILON = 2.2204e-16
WINDOW, DEVIATION = 11, 1.5  # px, of SSIM's Gaussian
STABLE = (0.01, 0.03)  # of the range; they keep SSIM's quotients from 0 / 0


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


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of maps in [0, 1], N x C x H x W: N values, 1 for equal maps.

    A Gaussian window of 11 px and standard deviation 1.5; means over the windows that lie within the map and over the
    channels. Raises UserError for maps smaller than the window, or of different shapes.
    """
    if first.shape != second.shape or min(first.shape[-2:]) < WINDOW:
        raise UserError(
            f"SSIM compares maps of one shape and at least {WINDOW} x {WINDOW} px; here are {tuple(first.shape)} and "
            f"{tuple(second.shape)}"
        )
    x, y = first, second.to(first.dtype)
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x, variance_y = _smooth(x * x) - mean_x**2, _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    light, contrast = (factor**2 for factor in STABLE)
    similar = (2 * mean_x * mean_y + light) * (2 * covariance + contrast)
    return (similar / ((mean_x**2 + mean_y**2 + light) * (variance_x + variance_y + contrast))).mean(dim=(1, 2, 3))


def _smooth(maps: Tensor) -> Tensor:
    """The Gaussian mean of every window that lies within the map."""
    steps = torch.arange(WINDOW, dtype=maps.dtype, device=maps.device) - WINDOW // 2
    weights = torch.exp(-steps.square() / (2 * DEVIATION**2))
    weights = weights / weights.sum()
    flat = maps.flatten(0, 1)[:, None]
    down = functional.conv2d(flat, weights[None, None, :, None])
    return functional.conv2d(down, weights[None, None, None, :]).view(*maps.shape[:2], *down.shape[-2:-1], -1)
