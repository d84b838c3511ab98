"""Images and their maps, whole and as bytes on one device, and the three splits of a study."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from vmsbench.data.sources.provenance import Provenance

Coding = Literal["rg", "rgb", "grey"]
CHANNELS: dict[Coding, int] = {"rg": 2, "rgb": 3, "grey": 1}


@dataclass(frozen=True)
class Pairs:
    """N images with their maps, in the order of `names`.

    images      uint8, N x 3 x S x S
    maps        uint8, N x M x S x S; M = 3 (red = false, green = true schema, blue about 0) or 1 (grey)
    categories  one per image, or empty where the dataset has none
    """

    names: tuple[str, ...]
    images: Tensor
    maps: Tensor
    categories: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device | str) -> "Pairs":
        return Pairs(self.names, self.images.to(device), self.maps.to(device), self.categories)

    def subset(self, indices: Sequence[int]) -> "Pairs":
        chosen = torch.as_tensor(list(indices), dtype=torch.long, device=self.images.device)
        categories = tuple(self.categories[i] for i in indices) if self.categories else ()
        return Pairs(tuple(self.names[i] for i in indices), self.images[chosen], self.maps[chosen], categories)


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
    oracle      where the makers of the data are known (the stand-in): the best possible predictions for the test
                images, {"oracle_mean": ..., "oracle_median": ...}, uint8 of test.maps' shape, and "oracle_law", draws
                of the maps' true law, uint8 N x K x M x S x S
    """

    train: Pairs
    validation: Pairs
    test: Pairs
    coding: Coding
    digest: str
    title: str
    oracle: dict[str, Tensor] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def channels(self) -> int:
        """The number of map channels that models predict: the first so many of the file's."""
        return CHANNELS[self.coding]

    @property
    def size(self) -> int:
        return int(self.train.images.shape[-1])


def signed(pixels: Tensor) -> Tensor:
    """Bytes 0..255 as floats in [-1, 1], the models' scale."""
    return pixels.float().div_(127.5).sub_(1)


def unit(pixels: Tensor) -> Tensor:
    """Bytes 0..255 as floats in [0, 1], the metrics' scale."""
    return pixels.float().div_(255)
