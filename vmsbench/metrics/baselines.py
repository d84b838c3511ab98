"""Predictors that ignore the image, and the oracle: the references for every model.

They are built from training pairs and predict like any model, so they are in the same table, scored by the same
function. A model has learned something from the images where it beats the best of them under its score: that is
`vmsbench.metrics.references`.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from vmsbench.data.pairs import Dataset, Pairs, unit
from vmsbench.data.sources.fixations import centre_bias
from vmsbench.errors import DataError
from vmsbench.metrics.climatology import CategoryClimatology, Climatology, RandomTrain, training_maps
from vmsbench.metrics.ordering import median_map
from vmsbench.metrics.predictors import Predictor
from vmsbench.metrics.scores import CHUNK, Scores
from vmsbench.processes import keep_freed_memory


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
        super().__init__(_mean(training_maps(train)))


class PixelMedian(ConstantMap):
    """The pixelwise median of the training maps: the best constant map under L1."""

    def __init__(self, train: Pairs) -> None:
        super().__init__(median_map(training_maps(train)))


class CentreBias(ConstantMap):
    """Where people look in any image: the density of the training images' fixations, 1 where it is highest."""

    def __init__(self, train: Pairs) -> None:
        super().__init__(_density(train))


class ConstantByCategory(Predictor):
    """One map for each category, made of its training pairs (a float map in [0, 1]) by `made`; one made of all of them
    where the image's category is unknown."""

    def __init__(self, train: Pairs, made: Callable[[Pairs], Tensor], name: str) -> None:
        if not train.categories:
            raise DataError(f"{name}: the training pairs have no categories")
        self.everywhere = made(train)
        self.known: dict[str, Tensor] = {}
        for category in sorted(set(train.categories)):
            members = [index for index, one in enumerate(train.categories) if one == category]
            self.known[category] = made(train.subset(members))

    def predict(self, pairs: Pairs) -> Tensor:
        categories = pairs.categories or ("",) * len(pairs)
        if not categories:
            return self.everywhere.to(pairs.maps.device).expand(0, *self.everywhere.shape)
        chosen = [self.known.get(category, self.everywhere) for category in categories]
        return torch.stack(chosen).to(pairs.maps.device)


class CategoryMean(ConstantByCategory):
    """The mean training map of the image's category."""

    def __init__(self, train: Pairs) -> None:
        super().__init__(train, lambda members: _mean(training_maps(members)), "category_mean")


class CategoryMedian(ConstantByCategory):
    """The pixelwise median of the training maps of the image's category."""

    def __init__(self, train: Pairs) -> None:
        super().__init__(train, lambda members: median_map(training_maps(members)), "category_median")


class CategoryCentreBias(ConstantByCategory):
    """The density of the fixations of the training images of the image's category, 1 where it is highest."""

    def __init__(self, train: Pairs) -> None:
        super().__init__(train, _density, "category_centre_bias")


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
    """The best possible predictions, known where the data's makers are, by image name: uint8, N x M x S x S, or
    N x K x M x S x S samples of the true law."""

    source = "oracle"

    def predict(self, pairs: Pairs) -> Tensor:
        return unit(super().predict(pairs))


def blind_predictors(train: Pairs, seed: int = 0) -> dict[str, Predictor]:
    """Every predictor that ignores the image, in the order of the tables; those of categories where there are some."""
    categories: dict[str, Predictor] = {}
    if train.categories:
        categories = {
            "category_mean": CategoryMean(train),
            "category_median": CategoryMedian(train),
            "category_climatology": CategoryClimatology(train, seed),
        }
    centres: dict[str, Predictor] = {"centre_bias": CentreBias(train)} if train.fixations else {}
    if train.fixations and train.categories:
        centres["category_centre_bias"] = CategoryCentreBias(train)
    return (
        {
            "black": Black(train),
            "pixel_mean": PixelMean(train),
            "pixel_median": PixelMedian(train),
            "climatology": Climatology(train, seed),
        }
        | categories
        | centres
        | {"random_train": RandomTrain(train, seed)}
    )


def baselines(dataset: Dataset, seed: int = 0) -> dict[str, Predictor]:
    """Every predictor the dataset allows, built from its training pairs alone, in the order of the tables.

    The oracles (test images only) are there only where the data has them.
    """
    oracles = {name: Oracle(dataset.test.names, maps) for name, maps in sorted(dataset.oracle.items())}
    return blind_predictors(dataset.train, seed) | oracles


def evaluate(predictor: Predictor, pairs: Pairs, light: bool = False) -> Scores:
    """The scores of `predictor` on `pairs`, image by image in their order."""
    scores = Scores(light)
    for start in range(0, len(pairs), CHUNK):
        batch = pairs.subset(range(start, min(start + CHUNK, len(pairs))))
        scores.gather(predictor.score(batch, light))
    return scores


def score_baselines(
    dataset: Dataset, split: Literal["validation", "test"], seed: int = 0
) -> dict[str, dict[str, float | int | None]]:
    """{predictor: {score: value}} on one split, in table order; the oracles stand in the test split alone.

    This process keeps its freed memory from then on, which halves the time.
    """
    keep_freed_memory()
    pairs = dataset.test if split == "test" else dataset.validation
    return {
        name: evaluate(predictor, pairs).result()
        for name, predictor in baselines(dataset, seed).items()
        if split == "test" or not isinstance(predictor, Oracle)
    }


def _density(train: Pairs) -> Tensor:
    """The density of the fixations of these pairs, in every channel of a map, float in [0, 1], M x S x S."""
    if train.fixations is None:
        raise DataError("centre_bias: the training pairs have no fixations")
    bias = centre_bias(train.fixations.points.cpu())
    return (bias / bias.max()).to(train.maps.device).expand(train.maps.shape[1:])


def _mean(maps: Tensor) -> Tensor:
    return maps.mean(dim=0, dtype=torch.float32) / 255
