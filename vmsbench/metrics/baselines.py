"""Predictors that ignore the image, and the oracle: what every model has to be held against.

They are built from training pairs and predict like any model, so they stand in the same table, scored by the same
function. A model that does not beat `pixel_median` has learned nothing from the images.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from vmsbench.data.pairs import Dataset, Pairs, unit
from vmsbench.errors import DataError
from vmsbench.metrics.scores import CHUNK, Scores

COLUMNS = 16384


class Predictor(ABC):
    """Predicts maps for pairs; it must not look at the pairs' own maps."""

    @abstractmethod
    def predict(self, pairs: Pairs) -> Tensor:
        """Float in [0, 1], N x M x S x S, or N x K x M x S x S for K samples; on the pairs' device.

        The same for the same names, in whatever batches. The tensor may be a view of fewer maps: do not write into it.
        Raises DataError where it cannot predict them.
        """


class ConstantMap(Predictor):
    """The same map (float in [0, 1], M x S x S) for every image."""

    def __init__(self, map: Tensor) -> None:
        self.map = map

    def predict(self, pairs: Pairs) -> Tensor:
        return self.map.to(pairs.maps.device).expand(len(pairs), *self.map.shape)


class Black(ConstantMap):
    """Nobody remembers anything: 0 everywhere."""

    def __init__(self, train: Pairs) -> None:
        super().__init__(torch.zeros(train.maps.shape[1:], device=train.maps.device))


class PixelMean(ConstantMap):
    """The mean training map: the best constant map under MSE."""

    def __init__(self, train: Pairs) -> None:
        super().__init__(_trained(train).mean(dim=0, dtype=torch.float32) / 255)


class PixelMedian(ConstantMap):
    """The pixelwise median of the training maps: the best constant map under L1, and the origin of skill."""

    def __init__(self, train: Pairs) -> None:
        super().__init__(_median(_trained(train)))


class CategoryMedian(Predictor):
    """The pixelwise median of the training maps of the image's category; of all of them where it is unknown."""

    def __init__(self, train: Pairs) -> None:
        if not train.categories:
            raise DataError("category_median: the training pairs have no categories")
        self.everywhere = _median(_trained(train))
        self.medians: dict[str, Tensor] = {}
        for category in sorted(set(train.categories)):
            members = [index for index, name in enumerate(train.categories) if name == category]
            self.medians[category] = _median(train.maps[members])

    def predict(self, pairs: Pairs) -> Tensor:
        categories = pairs.categories or ("",) * len(pairs)
        if not categories:
            return self.everywhere.to(pairs.maps.device).expand(0, *self.everywhere.shape)
        chosen = [self.medians.get(category, self.everywhere) for category in categories]
        return torch.stack(chosen).to(pairs.maps.device)


class RandomTrain(Predictor):
    """The map of a random training image: a sampler with the right law and no idea of the image."""

    def __init__(self, train: Pairs, seed: int = 0) -> None:
        self.maps = _trained(train)
        self.seed = seed

    def predict(self, pairs: Pairs) -> Tensor:
        drawn = [self._draw(name) for name in pairs.names]
        chosen = torch.tensor(drawn, dtype=torch.long, device=self.maps.device)
        return unit(self.maps[chosen]).to(pairs.maps.device)

    def _draw(self, name: str) -> int:
        """By the image's name, so that neither batches nor their order change what is drawn."""
        digest = hashlib.sha256(f"{self.seed} {name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % len(self.maps)


class Given(Predictor):
    """Predictions made elsewhere, by image name: float in [0, 1], N x M x S x S, or N x K x M x S x S samples."""

    source = "the predictions given"

    def __init__(self, names: Sequence[str], maps: Tensor) -> None:
        if len(names) != len(maps):
            raise DataError(f"{self.source}: {len(maps)} maps for {len(names)} names")
        self.maps = maps
        self.rows = {name: row for row, name in enumerate(names)}

    def predict(self, pairs: Pairs) -> Tensor:
        unknown = [name for name in pairs.names if name not in self.rows]
        if unknown:
            raise DataError(
                f"{self.source}: no map for {unknown[0]} ({len(unknown)} of {len(pairs)} images are not in it)"
            )
        rows = torch.tensor([self.rows[name] for name in pairs.names], dtype=torch.long, device=self.maps.device)
        return self.maps[rows].to(pairs.maps.device)


class Oracle(Given):
    """The best possible predictions, known where the data's makers are: maps, uint8 N x M x S x S, by image name."""

    source = "oracle"

    def __init__(self, names: Sequence[str], maps: Tensor) -> None:
        super().__init__(names, unit(maps))


def baselines(dataset: Dataset, seed: int = 0) -> dict[str, Predictor]:
    """Every predictor the dataset allows, built from its training pairs alone, in the order of the tables.

    category_median only where there are categories, the oracles (test images only) only where the data has them.
    """
    train = dataset.train
    predictors: dict[str, Predictor] = {
        "black": Black(train),
        "pixel_mean": PixelMean(train),
        "pixel_median": PixelMedian(train),
    }
    if train.categories:
        predictors["category_median"] = CategoryMedian(train)
    predictors["random_train"] = RandomTrain(train, seed)
    return predictors | {name: Oracle(dataset.test.names, maps) for name, maps in sorted(dataset.oracle.items())}


def evaluate(predictor: Predictor, pairs: Pairs, light: bool = False) -> Scores:
    """The scores of `predictor` on `pairs`, image by image in their order."""
    scores = Scores(light)
    for start in range(0, len(pairs), CHUNK):
        batch = pairs.subset(range(start, min(start + CHUNK, len(pairs))))
        scores.update(predictor.predict(batch), unit(batch.maps))
    return scores


def score_baselines(
    dataset: Dataset, split: Literal["validation", "test"], seed: int = 0
) -> dict[str, dict[str, float | int | None]]:
    """{predictor: {score: value}} on one split, in table order; the oracles stand in the test split alone."""
    pairs = dataset.test if split == "test" else dataset.validation
    return {
        name: evaluate(predictor, pairs).result()
        for name, predictor in baselines(dataset, seed).items()
        if split == "test" or not isinstance(predictor, Oracle)
    }


def _trained(train: Pairs) -> Tensor:
    if len(train) == 0:
        raise DataError("baselines: there are no training pairs to build them from")
    return train.maps


def _median(maps: Tensor) -> Tensor:
    """The pixelwise median of bytes N x M x S x S in [0, 1]: the mean of the middle two where N is even."""
    number = len(maps)
    medians = []
    for columns in maps.flatten(1).split(COLUMNS, dim=1):
        ordered = columns.sort(dim=0).values
        medians.append((ordered[(number - 1) // 2].float() + ordered[number // 2].float()) / 510)
    return torch.cat(medians).view(maps.shape[1:])
