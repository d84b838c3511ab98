"""Images and their maps, whole and as bytes on one device, and the three splits of a study."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from vmsbench.data.encoded.features import Encodes, Features, Look, Progress, Views, look
from vmsbench.data.layout import Split
from vmsbench.data.sources.fixations import Fixations
from vmsbench.data.sources.provenance import Provenance

Coding = Literal["rg", "rgb", "grey"]
CHANNELS: dict[Coding, int] = {"rg": 2, "rgb": 3, "grey": 1}


@dataclass(frozen=True)
class Pairs:
    """N images with their maps, in the order of `names`.

    images      uint8, N x 3 x S x S
    maps        uint8, N x M x S x S; M = 3 (red = false, green = true schema, blue about 0) or 1 (grey)
    categories  one per image, or empty where the dataset has none
    views       what an encoder saw in the images, where one has looked
    fixations   where people looked, where the data tell
    """

    names: tuple[str, ...]
    images: Tensor
    maps: Tensor
    categories: tuple[str, ...] = ()
    views: Views | None = None
    fixations: Fixations | None = None

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device | str) -> "Pairs":
        views = self.views.to(device) if self.views else None
        seen = self.fixations.to(device) if self.fixations else None
        return Pairs(self.names, self.images.to(device), self.maps.to(device), self.categories, views, seen)

    def subset(self, indices: Sequence[int]) -> "Pairs":
        chosen = torch.as_tensor(list(indices), dtype=torch.long, device=self.images.device)
        categories = tuple(self.categories[i] for i in indices) if self.categories else ()
        names = tuple(self.names[i] for i in indices)
        views = self.views.subset(chosen) if self.views else None
        seen = self.fixations.subset(chosen) if self.fixations else None
        return Pairs(names, self.images[chosen], self.maps[chosen], categories, views, seen)

    def spread(self, count: int | None) -> "Pairs":
        """So many of the pairs (all where None, or where there are no more), at even distances in their order.

        A list is often in the order of its categories; its first pairs would be of one of them.
        """
        return self if count is None or count >= len(self) else self.subset(evenly(len(self), count))

    def features(self, chosen: Tensor) -> Features:
        """What the encoder saw in the chosen images and in their mirror images; nothing where none has looked."""
        return self.views.features(chosen) if self.views else Features()

    def moments(self, change: Callable[[Features], Features]) -> list[tuple[Tensor, Tensor]]:
        """Mean and deviation of each channel of what is made of those features, for each stride."""
        return self.views.moments(change) if self.views else []


def evenly(there: int, count: int) -> list[int]:
    """Numbers below `there` at even distances, `count` of them or as many as there are."""
    count = min(there, count)
    return [at * there // count for at in range(count)]


@dataclass(frozen=True)
class Dataset:
    """What a study needs of its data.

    train       what models learn from
    validation  carved out of the training list: what is looked at while tuning
    test        the official validation list: looked at once, for the report
    coding      which channels of the maps are predicted: rg (red and green), rgb or grey
    digest      of the pictures' bytes, the size and the splits: equal digests mean equal data
    title       for people, such as "VISCHEMA PLUS, 64 px"
    provenance  what was read and what is odd about it, for logs, reports and `data check`
    oracle      where the makers of the data are known (synthetic data): the best possible predictions for the test
                images, {"oracle_mean": ..., "oracle_median": ...}, uint8 of test.maps' shape, and "oracle_law", draws
                of the maps' true law, uint8 N x K x M x S x S
    files       name -> the image's own file, where an encoder finds it larger than `size`
    repeats     maps of the test images by each of several annotators, or halves of them: uint8, R x N x M x S x S
    """

    train: Pairs
    validation: Pairs
    test: Pairs
    coding: Coding
    digest: str
    title: str
    oracle: dict[str, Tensor] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    files: Mapping[str, Path] = field(default_factory=dict)
    repeats: Tensor | None = None

    @property
    def channels(self) -> int:
        """The number of map channels that models predict: the first so many of the file's."""
        return CHANNELS[self.coding]

    @property
    def size(self) -> int:
        return int(self.train.images.shape[-1])

    def seen(
        self, encoder: Encodes, cache: str | Path | None, device: torch.device, progress: Progress, split: Split
    ) -> Pairs:
        """The pairs of a split on a device, with the encoder's features of them, where it is one that gives any."""
        pairs: Pairs = getattr(self, split)
        if encoder.channels:
            at = Look(split, self.digest, pairs.names, pairs.images, self.files)
            pairs = replace(pairs, views=look(at, encoder, cache, device, progress))
        return pairs.to(device)


def signed(pixels: Tensor) -> Tensor:
    """Bytes 0..255 as floats in [-1, 1], the models' scale."""
    return pixels.float().div_(127.5).sub_(1)


def unit(pixels: Tensor) -> Tensor:
    """Bytes 0..255 as floats in [0, 1], the metrics' scale."""
    return pixels.float().div_(255)
