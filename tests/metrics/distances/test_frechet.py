"""Frechet distance and KID against closed forms, scipy's matrix root, pytorch-fid and naive sums."""

import numpy as np
import pytest
import torch
from pytorch_fid import fid_score
from scipy import linalg

from vmsbench.errors import UserError
from vmsbench.metrics.distances.frechet import distances, frechet_distance, kernel_distance
from vmsbench.metrics.distances.inception import NoWeights

torch.set_num_threads(1)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whitened(number: int, dimensions: int, seed: int = 0) -> torch.Tensor:
    """Points of mean 0 and covariance exactly 1."""
    x = normal(number, dimensions, seed=seed)
    x = x - x.mean(dim=0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (number - 1))).T


@pytest.mark.parametrize("numbers", [(50, 50), (4, 300)])
def test_frechet_distance_of_isotropic_gaussians(numbers):
    """|shift|^2 + d (s - t)^2: by hand 3 * 2^2 + 3 * (5 - 2)^2 = 39."""
    x, y = (whitened(number, 3, seed) for seed, number in enumerate(numbers))
    assert frechet_distance(5 * x + 2, 2 * y) == pytest.approx(39, rel=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(40, 60, 5), (60, 40, 16), (500, 300, 8)])
def test_frechet_distance_is_the_one_with_scipys_matrix_root(n, m, d):
    x, y = normal(n, d, seed=1) @ normal(d, d, seed=2), 1 + normal(m, d, seed=3)
    a, b = np.cov(x.numpy(), rowvar=False), np.cov(y.numpy(), rowvar=False)
    root = linalg.sqrtm(a @ b).real
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum().item() + np.trace(a + b - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-7)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_frechet_distance_is_pytorch_fids(monkeypatch):
    x, y = normal(200, 64, seed=1), normal(150, 64, seed=2) * 1.3 + 0.2
    moments = [(z.mean(0).numpy(), np.cov(z.numpy(), rowvar=False)) for z in (x, y)]
    root = linalg.sqrtm
    # SciPy 1.18 has no disp, which pytorch-fid 0.3.0 gives
    monkeypatch.setattr(fid_score.linalg, "sqrtm", lambda matrix, disp=True: (root(matrix), 0.0))
    expected = fid_score.calculate_frechet_distance(*moments[0], *moments[1])
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-7)


def test_frechet_distance_with_fewer_maps_than_dimensions():
    """Rank-deficient covariances, against the root of an equivalent symmetric matrix."""
    x, y = normal(20, 100, seed=1), normal(30, 100, seed=2)
    a, b = (torch.from_numpy(np.cov(z.numpy(), rowvar=False)) for z in (x, y))
    values, vectors = torch.linalg.eigh(a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    trace = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
    expected = (x.mean(0) - y.mean(0)).square().sum() + a.trace() + b.trace() - 2 * trace
    assert frechet_distance(x, y) == pytest.approx(expected.item(), rel=1e-6)


def test_a_set_is_at_no_distance_from_itself_in_any_order():
    x = normal(30, 50)
    assert frechet_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-9)
    assert kernel_distance(x, x) == pytest.approx((0, 0), abs=1e-12)


def test_two_samples_of_one_law_are_at_a_distance_that_falls_with_their_number():
    def floor(n: int) -> float:
        return frechet_distance(normal(n, 32, seed=1), normal(n, 32, seed=2))

    assert floor(100) > 2 * floor(1000) > 0


def test_kid_is_the_naive_sum_and_its_error_the_naive_jackknife():
    x, y = normal(9, 4, seed=1).numpy(), normal(9, 4, seed=2).numpy() + 0.5

    def kernel(u, v):
        return (u @ v / 4 + 1) ** 3

    def estimate(rows):
        pairs = [(i, j) for i in rows for j in rows if i != j]
        return np.mean(
            [kernel(x[i], x[j]) + kernel(y[i], y[j]) - kernel(x[i], y[j]) - kernel(x[j], y[i]) for i, j in pairs]
        )

    left_out = np.array([estimate([i for i in range(9) if i != k]) for k in range(9)])
    value, error = kernel_distance(torch.from_numpy(x), torch.from_numpy(y))
    assert value == pytest.approx(estimate(range(9)), rel=1e-9)
    assert error == pytest.approx(np.sqrt(8 / 9 * ((left_out - left_out.mean()) ** 2).sum()), rel=1e-9)


@pytest.mark.parametrize(("shift", "least", "most"), [(0.0, 1.0, 1.6), (1.0, 0.8, 1.25)])
def test_kid_is_unbiased_and_its_error_is_its_spread(shift, least, most):
    """Over 300 draws, against one estimate from many; the jackknife errs upwards, by sqrt(2), for equal laws."""
    drawn = [kernel_distance(normal(40, 6, seed=2 * i), normal(40, 6, seed=2 * i + 1) + shift) for i in range(300)]
    values, errors = np.array(drawn).T
    truth = kernel_distance(normal(4000, 6, seed=9001), normal(4000, 6, seed=9002) + shift)[0] if shift else 0
    assert abs(values.mean() - truth) < 3 * values.std() / np.sqrt(300)
    assert least < errors.mean() / values.std() < most


def test_too_few_or_unpaired_maps_are_named():
    with pytest.raises(UserError, match="at least 2"):
        frechet_distance(normal(1, 3), normal(5, 3))
    with pytest.raises(UserError, match="equally many"):
        kernel_distance(normal(4, 3), normal(5, 3))


def test_without_weights_there_is_a_reason_and_no_figure():
    maps = torch.rand(4, 3, 16, 16)
    result = distances(maps, maps, maps, NoWeights("no weights at /nowhere"))
    assert (result["name"], result["n"], result["reason"]) == ("FID-2048", 4, "no weights at /nowhere")
    assert all(result[key] is None for key in ("value", "floor", "kid", "kid_error", "value_64", "weights"))
    with pytest.raises(UserError, match="3 of them for 4 true maps"):
        distances(maps, maps[:3], maps, NoWeights(""))
