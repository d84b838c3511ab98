"""Maps of a law that is known: a signal s for every pixel, and a truth that is uniform on 0..s."""

import torch

from vmsbench.data.pairs import Pairs
from vmsbench.metrics.predictors import ByteLaws


def drawn(number: int, seed: int) -> tuple[Pairs, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    signal = torch.randint(0, 256, (number, 1, 16, 16), generator=generator)
    truth = (torch.rand(signal.shape, generator=generator) * (signal + 1)).floor().clamp(max=255).byte()
    return Pairs(tuple(f"{seed}_{i}" for i in range(number)), torch.zeros(number, 3, 16, 16).byte(), truth), signal


def true_laws() -> ByteLaws:
    bytes_ = torch.arange(256.0).double()
    return ByteLaws(((bytes_[None] + 1) / (bytes_[:, None] + 1)).clamp(max=1))
