"""The samples of each pixel in their order, and medians.

A general sort is slow where it has to order few values very often. A sorting network (Batcher 1968, odd-even merge)
compares whole maps instead: 63 comparisons order 16 samples of every pixel at once, on any device.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor


def in_order(samples: Tensor) -> Tensor:
    """The values of the K samples, B x K x ... (floats or bytes), from the lowest to the highest."""
    values = list(samples.unbind(dim=1))
    for low, high in network(len(values)):
        pair = values[low], values[high]
        values[low], values[high] = torch.minimum(*pair), torch.maximum(*pair)
    return torch.stack(values, dim=1)


def middle(ordered: Tensor) -> Tensor:
    """The median of K ordered samples, B x K x ...: where K is even the mean of the two in the middle, as floats."""
    number = ordered.shape[1]
    return (ordered[:, (number - 1) // 2].float() + ordered[:, number // 2].float()) / 2


def median_map(maps: Tensor) -> Tensor:
    """The pixelwise median of bytes N x M x S x S, float in [0, 1]: the mean of the middle two where N is even."""
    places = (len(maps) - 1) // 2, len(maps) // 2
    pixels = np.ascontiguousarray(maps.flatten(1).cpu().numpy().T)
    low, high = np.partition(pixels, places, axis=1)[:, places].astype(np.float32).T
    return torch.from_numpy((low + high) / 510).view(maps.shape[1:]).to(maps.device)


@cache
def network(number: int) -> tuple[tuple[int, int], ...]:
    """The comparisons, in turn, that put so many values in order."""
    return tuple(_comparisons(number))


def _comparisons(number: int) -> Iterator[tuple[int, int]]:
    run = 1
    while run < number:
        step = run
        while step >= 1:
            for start in range(step % run, number - step, 2 * step):
                for low in range(start, min(start + step, number - step)):
                    if low // (2 * run) == (low + step) // (2 * run):
                        yield low, low + step
            step //= 2
        run *= 2
