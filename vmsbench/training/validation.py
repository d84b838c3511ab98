"""Evaluation of a model: its own losses on held-out pairs, and the scores of the maps it samples."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from vmsbench.accelerators import backend_of, synchronize
from vmsbench.data.pairs import Pairs, signed, unit
from vmsbench.metrics.scores import Scores
from vmsbench.models.model import Model
from vmsbench.training.out_of_memory import fitting
from vmsbench.training.trainer import Diverged

FIXED_SEED = 20_201


@contextmanager
def fixed_rng(seed: int, device: torch.device) -> Iterator[None]:
    """Within the block random draws come from `seed`; after it the generators continue as if nothing had been drawn."""
    with torch.random.fork_rng([device] if backend_of(device) else [], device_type=device.type):
        torch.manual_seed(seed)
        yield


def validation_losses(model: Model, pairs: Pairs, channels: int, batch_size: int) -> dict[str, float]:
    """Each `player/term` and their `loss` on `pairs`, without updates, with the same random draws every time."""
    model.eval()
    device = pairs.images.device
    sums: dict[str, Tensor] = {}
    with torch.no_grad(), fixed_rng(FIXED_SEED, device):
        for chosen in torch.arange(len(pairs), device=device).split(batch_size):
            image, target = signed(pairs.images[chosen]), signed(pairs.maps[chosen, :channels])
            for player, terms in model.losses(image, target, pairs.features(chosen)):
                for term, value in terms.items():
                    name = f"{player}/{term}"
                    sums[name] = sums.get(name, torch.zeros((), device=device)) + value * len(chosen)
    means = {name: float(value) / len(pairs) for name, value in sums.items()}
    return means | {"loss": sum(means.values())}


@dataclass(frozen=True)
class Evaluation:
    """Scores of sampled maps.

    scores              their means, as `vmsbench.metrics.scores` names them
    per_image           the same, N values each
    samples             uint8, N x K x C x S x S
    seconds_per_image   time to sample one map
    """

    scores: dict[str, float | int | None]
    per_image: dict[str, Tensor]
    samples: Tensor
    seconds_per_image: float


@torch.no_grad()
def evaluate(model: Model, pairs: Pairs, samples: int, batch_size: int, quick: bool = False) -> Evaluation:
    """Sample `samples` maps for each of `pairs` and score them against the truth, in [0, 1] on all its channels.

    The random draws are the same every time; `quick` is for validation during training. Raises Diverged where the
    model's maps are not finite.
    """
    model.eval()
    scores = Scores(light=quick)
    drawn, seconds = [], 0.0
    device = pairs.images.device
    with fixed_rng(FIXED_SEED, device):
        for chosen in torch.arange(len(pairs), device=device).split(max(1, batch_size // samples)):
            image, features = signed(pairs.images[chosen]), pairs.features(chosen)
            start = perf_counter()
            maps = model.sample(image, samples, quick, features)
            synchronize(device)
            seconds += perf_counter() - start
            if not maps.isfinite().all():
                raise Diverged("diverged: the predicted maps contain NaN or infinity; a lower lr may help")
            predicted = ((maps + 1) / 2).clamp(0, 1)
            scores.update(predicted, unit(pairs.maps[chosen]), pairs.fixations and pairs.fixations.subset(chosen))
            drawn.append((predicted * 255).round().to(torch.uint8).cpu())
    return Evaluation(scores.result(), scores.per_image(), torch.cat(drawn), seconds / (len(pairs) * samples))


def preflight(model: Model, pairs: Pairs, batch_size: int) -> None:
    """Evaluate one whole batch, so that one that does not fit fails before hours of training.

    The result is discarded. Raises OutOfMemory.
    """
    shown = pairs.subset(range(min(batch_size, len(pairs))))
    with fitting(f"evaluating {len(shown)} pairs at once", f"evaluation.batch_size={max(1, batch_size // 2)} may fit"):
        evaluate(model, shown, 1, batch_size, quick=True)


def diversity(samples: Tensor, maps: Tensor) -> float:
    """How much predictions (uint8, N x K x C x S x S) differ from image to image, as a share of how much the true maps
    (uint8, N x M x S x S) do: the standard deviation over the images, averaged over pixels and the C channels. 0 is the
    same map for every image; 1, as different as the truth.
    """
    first, truth = samples[:, 0].float().cpu(), maps[:, : samples.shape[2]].float().cpu()
    if len(first) < 2:
        return 1.0
    return float(first.std(dim=0).mean() / truth.std(dim=0).mean().clamp(min=1e-6))
