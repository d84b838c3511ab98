"""The distance of the distribution of predicted maps from that of the true ones: Frechet distance and KID in the
features of Inception, or of another encoder where its weights cannot be had.

Both look at the maps as a set: they see blur and artefacts that no pixel score sees, and not whether a map belongs to
its image. The Frechet distance (Heusel et al. 2017) is biased upwards at small N, so it is reported with N and
with its floor at the same N: the distance of the true maps from an equally large random draw (without replacement,
seeded) of other true maps, those of the training set. A perfect sampler would score about the floor, not 0. KID
(Binkowski et al. 2018) is unbiased.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vmsbench.errors import UserError
from vmsbench.metrics.distances.encoder_features import DIMENSIONS, NAME, encoder_features, find_encoder
from vmsbench.metrics.distances.feature_cache import Features
from vmsbench.metrics.distances.inception import NoWeights, Weights, features


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """|m_x - m_y|^2 + Tr(C_x + C_y - 2 (C_x C_y)^(1/2)) of the Gaussians fitted to x (n x d) and y (m x d).

    With centred A = (x - m_x) / sqrt(n - 1), and B likewise, C_x = A'A and C_y = B'B, and the trace of the root of
    their product is the nuclear norm of A B': no matrix root, and no d x d matrix where n < d. Raises UserError for
    fewer than two rows.
    """
    x, y = x.cpu().double(), y.cpu().double()
    if len(x) < 2 or len(y) < 2:
        raise UserError(f"a Frechet distance needs at least 2 maps on each side; there are {len(x)} and {len(y)}")
    a, b = _root(x), _root(y)
    cross = torch.linalg.svdvals(a @ b.T).sum()
    means = (x.mean(dim=0) - y.mean(dim=0)).square().sum()
    return max((means + a.square().sum() + b.square().sum() - 2 * cross).item(), 0.0)


def _root(x: Tensor) -> Tensor:
    """A matrix R with R'R = the covariance of x, of min(n, d) rows."""
    centred = (x - x.mean(dim=0)) / (len(x) - 1) ** 0.5
    return centred if len(x) <= x.shape[1] else torch.linalg.qr(centred, mode="r").R


def kernel_distance(x: Tensor, y: Tensor) -> tuple[float, float]:
    """KID, the squared maximum mean discrepancy of x and y (n x d each), and its standard error by the jackknife.

    The kernel is (u.v / d + 1)^3. The estimator is the U-statistic over pairs i != j of
    k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i) (Gretton et al. 2012): unbiased, also where row i of
    both belongs to the same image. May be negative. Where the two laws are equal the jackknife's error is too large, by
    about sqrt(2). Raises UserError for fewer than 3 rows or unequal numbers.
    """
    if len(x) != len(y) or len(x) < 3:
        raise UserError(f"KID needs equally many maps on both sides, at least 3; there are {len(x)} and {len(y)}")
    x, y = x.cpu().double(), y.cpu().double()
    n = len(x)
    cross = _kernel(x, y)
    h = _kernel(x, x) + _kernel(y, y) - cross - cross.T
    rows = h.sum(dim=1) - h.diagonal()
    total = rows.sum()
    left_out = (total - 2 * rows) / ((n - 1) * (n - 2))
    error = ((n - 1) / n * (left_out - left_out.mean()).square().sum()).sqrt()
    return (total / (n * (n - 1))).item(), error.item()


def _kernel(u: Tensor, v: Tensor) -> Tensor:
    return (u @ v.T / u.shape[1] + 1) ** 3


def distances(
    truth_maps: Tensor,
    predicted_maps: Tensor,
    reference_maps: Tensor,
    weights: Weights | NoWeights,
    device: torch.device | str = "cpu",
    seed: int = 0,
    cache: Path | None = None,
) -> dict[str, Any]:
    """The distances of predicted from true maps, ready for results.json.

    truth_maps      N x M x H x W, bytes or floats in [0, 1], as are the others
    predicted_maps  N x C x H x W, of the same images; missing blue is 0
    reference_maps  R x M x H x W: other true maps (the training set's), from which N are drawn for the floor
    cache           a folder where the features of the truth and the reference are kept for the next model

    Returns name ("FID-2048" or "Frechet (weights abc123)"), value, floor, n, reason (why a figure is missing, or None),
    kid, kid_error, kid_floor, value_64, floor_64, and weights: {file, sha256} or None; also random_value, random_kid,
    random_kid_error and random_value_64, those of a sampler that draws N other reference maps whatever the image: no
    model is good by these distances that only comes near it. Floors and random_... are None where there are
    fewer than N reference maps. Without weights, or with fewer than 3 maps, every figure is None; without weights
    `encoder` has the same figures by `encoder_distances`.
    """
    if len(truth_maps) != len(predicted_maps):
        raise UserError(f"predictions: {len(predicted_maps)} of them for {len(truth_maps)} true maps")
    result = empty_result("FID-2048", (2048, 64), len(predicted_maps))
    if isinstance(weights, NoWeights):
        instead = encoder_distances(truth_maps, predicted_maps, reference_maps, device, seed, cache)
        return result | {"reason": weights.reason, "encoder": instead}
    result |= {"name": weights.name(), "weights": {"file": str(weights.file), "sha256": weights.sha256}}

    def extract(maps: Tensor, cache: Path | None) -> Features:
        return features(maps, weights, device=device, cache=cache)

    return result | figures_by(extract, truth_maps, predicted_maps, reference_maps, seed, cache)


def encoder_distances(
    truth_maps: Tensor,
    predicted_maps: Tensor,
    reference_maps: Tensor,
    device: torch.device | str = "cpu",
    seed: int = 0,
    cache: Path | None = None,
) -> dict[str, Any]:
    """As `distances`, in the features of the encoder of `vmsbench.metrics.distances.encoder_features`, and named by it.

    Without value_64 and so on; where the encoder's package is not installed every figure is None.
    """
    result = empty_result(f"Frechet ({NAME})", (DIMENSIONS,), len(predicted_maps))
    package = find_encoder()
    if isinstance(package, str):
        return result | {"reason": package}
    result |= {"weights": {"file": package.name, "sha256": package.sha256}}

    def extract(maps: Tensor, cache: Path | None) -> Features:
        return encoder_features(maps, device, cache)

    return result | figures_by(extract, truth_maps, predicted_maps, reference_maps, seed, cache)


def empty_result(name: str, dimensions: Sequence[int], n: int) -> dict[str, Any]:
    """The result without a figure."""
    suffixes = [suffix(d, dimensions) for d in dimensions]
    figures = [*(f"value{end}" for end in suffixes), "kid", "kid_error"]
    drawn = [*(f"floor{end}" for end in suffixes), "kid_floor", *(f"random_{figure}" for figure in figures)]
    return {"name": name, "n": n, "reason": None, "weights": None} | dict.fromkeys((*figures, *drawn))


def figures_by(
    extract: Callable[[Tensor, Path | None], Features],
    truth_maps: Tensor,
    predicted_maps: Tensor,
    reference_maps: Tensor,
    seed: int,
    cache: Path | None,
) -> dict[str, Any]:
    """The figures of `distances`, and reason, by the features that `extract` finds in maps and caches in a folder."""
    n = len(predicted_maps)
    if n < 3:
        return {"reason": f"{n} maps are too few; at least 3 are needed"}
    truth = extract(truth_maps, cache)
    found: dict[str, Any] = frechet_and_kid(truth, extract(predicted_maps, None))
    if len(reference_maps) < n:
        return found | {"reason": f"no floor: {len(reference_maps)} reference maps for {n} predictions"}
    real, blind = (
        frechet_and_kid(truth, extract(reference_maps[chosen.to(reference_maps.device)], cache))
        for chosen in draw_references(len(reference_maps), n, seed)
    )
    found |= {name.replace("value", "floor"): value for name, value in real.items() if name.startswith("value")}
    return found | {"kid_floor": real["kid"]} | {f"random_{name}": value for name, value in blind.items()}


def frechet_and_kid(truth: Features, other: Features) -> dict[str, Any]:
    """Both distances of two sets of maps: Frechet's in features of each dimension, KID in the most."""
    kid, kid_error = kernel_distance(truth[max(truth)], other[max(truth)])
    values = {f"value{suffix(d, truth)}": frechet_distance(truth[d], other[d]) for d in truth}
    return values | {"kid": kid, "kid_error": kid_error}


def suffix(dimension: int, dimensions: Collection[int]) -> str:
    """Of the figures' names: none for the most dimensions there are, else _64."""
    return "" if dimension == max(dimensions) else f"_{dimension}"


def draw_references(number: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Which `count` of `number` maps are the floor, and which the sampler that draws maps and never looks at the image:
    others, as far as there are some."""
    order = torch.randperm(number, generator=torch.Generator().manual_seed(seed))
    return order[:count], order[-count:]
