"""The one answer of a predictor, and what it scores as a distribution: dressed with the errors it made elsewhere.

A single map is its own answer, samples answer with their pixelwise median. The errors are those on the tuning
validation pairs, from which no model learns its weights. On those pairs themselves the answer is dressed crosswise:
each fifth of the images with the errors on the other four, so that no image is dressed by its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vmsbench.data.pairs import Pairs, unit
from vmsbench.metrics.baselines import Given
from vmsbench.metrics.dressing import Dressed
from vmsbench.metrics.ordering import in_order, middle
from vmsbench.metrics.scores import CHUNK, energy, errors

FOLDS = 5
FEWEST = 2  # pairs, to dress one by the other


@dataclass(frozen=True)
class DressedScores:
    """What a dressed answer scores on N images.

    per_image   crps_dressed and energy_dressed, and the same with _unit, N each; the energy score is of the draws of
                whole maps that `Dressed.predict` makes
    law         its coverage, spread, mse_mean and so on, N each, as `Distribution.closed_form` names them
    ranks       the rank of the truth in its law, N x 17
    pairs       how many tuning validation pairs it was dressed with
    """

    per_image: dict[str, Tensor]
    law: dict[str, Tensor]
    ranks: Tensor
    pairs: int


def one_answer(samples: Tensor) -> Tensor:
    """The pixelwise median of K samples, bytes: N x K x C x S x S to N x C x S x S."""
    return samples[:, 0] if samples.shape[1] == 1 else middle(in_order(samples)).round().to(torch.uint8)


def mean_answer(samples: Tensor) -> Tensor:
    """The pixelwise mean of K samples, bytes: N x K x C x S x S to N x C x S x S."""
    return samples.float().mean(dim=1).round().to(torch.uint8)


def dressed(answers: Tensor, pairs: Pairs, elsewhere: Tensor, validation: Pairs) -> DressedScores:
    """The answers (bytes, N x C x S x S) for `pairs`, dressed with those `elsewhere`, on `validation` pairs (bytes).

    Raises DataError without validation pairs.
    """
    single = Given([*validation.names, *pairs.names], unit(torch.cat([elsewhere, answers])))
    law = Dressed(single, validation)
    found = law.closed_form(pairs, light=True)
    whole = named(found) | energy_scores(law, pairs)
    return DressedScores(whole, found, law.rank_histogram(pairs), len(validation))


def energy_scores(law: Dressed, pairs: Pairs) -> dict[str, Tensor]:
    """energy_dressed of each image, in both scales."""
    found: list[dict[str, Tensor]] = []
    for start in range(0, len(pairs), CHUNK):
        batch = pairs.subset(range(start, min(start + CHUNK, len(pairs))))
        samples = law.predict(batch)
        found.append(dict(energy(samples, errors(samples, unit(batch.maps)))))
    joined = {name: torch.cat([part[name] for part in found]) for name in (found[0] if found else ())}
    return {name.replace("energy", "energy_dressed"): values for name, values in joined.items()}


def crosswise(answers: Tensor, pairs: Pairs) -> dict[str, Tensor]:
    """crps_dressed and crps_dressed_unit of each of `pairs`, dressed with the errors on others of them.

    Empty for fewer than two pairs.
    """
    if len(pairs) < FEWEST:
        return {}
    folds = [list(range(start, len(pairs), FOLDS)) for start in range(min(FOLDS, len(pairs)))]
    found = [of_fold(answers, pairs, fold) for fold in folds]
    order = torch.tensor([row for fold in folds for row in fold], device=pairs.maps.device).argsort()
    return {name: torch.cat([part[name] for part in found])[order] for name in found[0]}


def of_fold(answers: Tensor, pairs: Pairs, fold: Sequence[int]) -> dict[str, Tensor]:
    held = set(fold)
    rest = [row for row in range(len(pairs)) if row not in held]
    law = Dressed(Given(pairs.names, unit(answers)), pairs.subset(rest))
    return named(law.closed_form(pairs.subset(fold), light=True))


def named(law: dict[str, Tensor]) -> dict[str, Tensor]:
    """The CRPS of a dressed law by the names under which the undressed answer's results have it."""
    return {name.replace("crps", "crps_dressed"): law[name] for name in ("crps", "crps_unit")}
