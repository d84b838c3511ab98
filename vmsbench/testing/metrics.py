"""What every metric promises: it is perfect where prediction and truth are equal, and its direction is right."""

import torch
from torch import Tensor

from vmsbench.metrics.catalog import metric
from vmsbench.metrics.scores import score

SIDE, COUNT, SAMPLES = 32, 4, 4


def metric_contract(name: str) -> None:
    """`name` is in `vmsbench.metrics.catalog.metrics()`: in METRICS, or of a plugin."""
    one, truth = metric(name), maps()
    noisy = value(name, drawn(truth, 0.5), truth)
    assert value(name, drawn(truth, 0.5), truth) == noisy, "the same maps have another score"
    if one.better in ("lower", "higher"):
        exact = value(name, drawn(truth, 0.0), truth)
        assert abs(exact - one.perfect) < 1e-4, f"the score of the truth itself is {exact:g}, not {one.perfect:g}"
        assert one.loss(exact) < one.loss(noisy), f"{one.direction}, but noise changes {exact:g} to {noisy:g}"
    each = [value(name, drawn(truth, 0.5)[at : at + 1], truth[at : at + 1]) for at in range(COUNT)]
    if one.per_image:
        assert abs(sum(each) / COUNT - noisy) < 1e-4, "the score of all images is not the mean of each one's"


def maps() -> Tensor:
    """True maps with a bright square in red and in green, COUNT x 3 x SIDE x SIDE in [0, 1]."""
    found = torch.zeros(COUNT, 3, SIDE, SIDE)
    for at in range(COUNT):
        found[at, 0, 2 + at : 12 + at, 4:20] = 0.8
        found[at, 1, 14 : 24 + at, 8 : 20 + at] = 0.6
    return found


def drawn(truth: Tensor, noise: float) -> Tensor:
    """SAMPLES predictions of each map, COUNT x SAMPLES x 3 x SIDE x SIDE: a mixture with noise from a fixed seed."""
    made = torch.rand(COUNT, SAMPLES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return truth[:, None] * (1 - noise) + made * noise


def value(name: str, samples: Tensor, truth: Tensor) -> float:
    found = score(samples, truth)
    assert name in found, f"{name} is not among the scores"
    measured = found[name]
    assert measured is not None, f"{name} is undefined for maps that have a shape"
    return float(measured)
