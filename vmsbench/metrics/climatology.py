"""Climatology: the law of the training maps, whatever the image; the reference for every sampler.

A term of forecasting: the distribution of what has been seen, the same for every day. All training maps are its
ensemble, and its fair CRPS is exact, by counting each pixel's bytes. A sampler that draws training maps at random has
that CRPS without looking at an image; no distribution that ignores the image has a better one.
"""

from collections.abc import Callable, Iterator
from functools import cached_property

import torch
from torch import Tensor

from vmsbench.data.pairs import Pairs, unit
from vmsbench.errors import DataError
from vmsbench.metrics.calibration import LEVELS, least_samples
from vmsbench.metrics.ordering import in_order, middle
from vmsbench.metrics.predictors import SAMPLES, ByteLaws, Distribution, PixelLaws, Predictor, generator
from vmsbench.metrics.scores import errors, of_answers, of_distribution

CHUNK = 16
COLUMNS = 4096  # pixels counted at once: about 40 MB of tables
FEW = 128  # maps that are sooner compared with each truth than counted into tables
FEWEST = 2  # maps of a category, for a law of its own


class RandomTrain(Predictor):
    """The maps of K random training images, none twice if there are enough: a sampler that ignores the image."""

    def __init__(self, train: Pairs, seed: int = 0, samples: int = SAMPLES) -> None:
        self.maps = training_maps(train)
        self.seed, self.samples = seed, samples

    def predict(self, pairs: Pairs) -> Tensor:
        drawn = [self._draw(name) for name in pairs.names]
        chosen = torch.tensor(drawn, dtype=torch.long, device=self.maps.device).view(len(pairs), self.samples)
        return unit(self.maps[chosen]).to(pairs.maps.device)

    def _draw(self, name: str) -> list[int]:
        number = len(self.maps)
        return generator(self.seed, name).choice(number, self.samples, replace=number < self.samples).tolist()


class Climatology(Distribution):
    """All training maps as one ensemble. Its one answers are the pixelwise median and mean of the training maps."""

    def __init__(self, train: Pairs, seed: int = 0, samples: int = SAMPLES) -> None:
        self.maps = training_maps(train)
        self.sampler = RandomTrain(train, seed, samples)

    def predict(self, pairs: Pairs) -> Tensor:
        return self.sampler.predict(pairs)

    def laws(self, pairs: Pairs) -> Iterator[PixelLaws]:
        flat = self.maps.to(pairs.maps.device).flatten(1)
        for start in range(0, flat.shape[1], COLUMNS):
            columns = flat[:, start : start + COLUMNS].long()
            number = columns.shape[1]
            rows = torch.arange(number, device=flat.device)
            laws = ByteLaws.counted(rows.expand_as(columns).flatten(), columns.flatten(), number, len(flat))
            yield PixelLaws(slice(start, start + number), rows, laws)

    def score(self, pairs: Pairs, light: bool = False) -> dict[str, Tensor]:
        """With the energy score of the whole ensemble in place of that of the samples."""
        return super().score(pairs, light) | self.energy(pairs)

    def exact(self, pairs: Pairs) -> dict[str, Tensor]:
        """What it scores as a law, without a draw: CRPS, energy, spread, coverage and those of its one answers."""
        if least_samples(max(LEVELS)) <= len(self.maps) <= FEW:
            return ensemble_scores(self.maps.to(pairs.maps.device), pairs)
        return self.closed_form(pairs, light=True) | self.energy(pairs)

    def energy(self, pairs: Pairs) -> dict[str, Tensor]:
        error = distances(self.maps.to(pairs.maps.device), pairs.maps).mean(dim=0)
        in_unit = error - self._between / 2
        return {"energy": 2 * in_unit, "energy_unit": in_unit}

    @cached_property
    def _between(self) -> float:
        """The mean distance between two different training maps."""
        number, between = len(self.maps), distances(self.maps, self.maps)
        return float(between.sum() - between.trace()) / max(number * (number - 1), 1)


class CategoryClimatology(Predictor):
    """The climatology of the image's category; of all training maps where that is unknown or has a single map."""

    def __init__(self, train: Pairs, seed: int = 0, samples: int = SAMPLES) -> None:
        if not train.categories:
            raise DataError("category_climatology: the training pairs have no categories")
        self.everywhere = Climatology(train, seed, samples)
        self.known: dict[str, Climatology] = {}
        for category in sorted(set(train.categories)):
            members = [index for index, name in enumerate(train.categories) if name == category]
            if len(members) >= FEWEST:
                self.known[category] = Climatology(train.subset(members), seed, samples)

    def predict(self, pairs: Pairs) -> Tensor:
        return self._each(pairs, lambda one, some: {"maps": one.predict(some)})["maps"]

    def score(self, pairs: Pairs, light: bool = False) -> dict[str, Tensor]:
        return self._each(pairs, lambda one, some: one.score(some, light))

    def exact(self, pairs: Pairs) -> dict[str, Tensor]:
        """As that of `Climatology`."""
        return self._each(pairs, lambda one, some: one.exact(some))

    def rank_histogram(self, pairs: Pairs, bins: int = SAMPLES + 1) -> Tensor:
        """As that of a `Distribution`."""
        return self._each(pairs, lambda one, some: {"ranks": one.rank_histogram(some, bins)})["ranks"]

    def _each(self, pairs: Pairs, ask: Callable[[Climatology, Pairs], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The predictions of each category's climatology for its images, in the order of `pairs`."""
        categories = pairs.categories or ("",) * len(pairs)
        named = [category if category in self.known else "" for category in categories]
        groups = {
            name: [row for row, other in enumerate(named) if other == name] for name in dict.fromkeys(named or [""])
        }
        answers = [ask(self.known.get(name, self.everywhere), pairs.subset(rows)) for name, rows in groups.items()]
        order = torch.tensor([row for rows in groups.values() for row in rows], device=pairs.maps.device).argsort()
        return {name: torch.cat([answer[name] for answer in answers])[order] for name in answers[0]}


def training_maps(train: Pairs) -> Tensor:
    if len(train) == 0:
        raise DataError("baselines: there are no training pairs to build them from")
    return train.maps


def ensemble_scores(maps: Tensor, pairs: Pairs) -> dict[str, Tensor]:
    """The scores of one ensemble, bytes K x M x S x S, as the law of each of `pairs`; as `Climatology.exact` has them.

    For K > 1, and few enough for the distance of each from each truth.
    """
    samples = unit(maps)[None]
    ordered = in_order(samples)
    found: list[dict[str, Tensor]] = []
    for truth in unit(pairs.maps).split(CHUNK):
        laws = dict(of_distribution(samples, ordered, truth, errors(samples, truth)))
        laws |= dict(of_answers(samples.mean(dim=1), middle(ordered), truth, light=True))
        found.append({name: values.expand(len(truth)) for name, values in laws.items()})
    return {name: torch.cat([part[name] for part in found]) for name in (found[0] if found else ())}


def distances(first: Tensor, second: Tensor) -> Tensor:
    """The root of the mean square between maps, bytes N x ... and M x ..., in [0, 1]: N x M."""
    first, second = first.flatten(1), second.flatten(1)
    total = torch.zeros(len(first), len(second), dtype=torch.float64, device=first.device)
    for start in range(0, first.shape[1], COLUMNS):
        a, b = (unit(maps[:, start : start + COLUMNS]) for maps in (first, second))
        squares = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T
        total += squares.clamp(min=0)
    return (total / first.shape[1]).sqrt().float()
