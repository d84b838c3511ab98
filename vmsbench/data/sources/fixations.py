"""Where people looked: fixation maps, pictures in which every pixel that is not black was fixated.

Of a JPEG file, in which no pixel stays quite black, those above `RIPPLE` of 255 levels.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vmsbench.data.decoding import UnreadableFile, eight_bits, opened, threads, unlike_image, upright
from vmsbench.data.sources.names import JPEGS

SPREAD = 1 / 16  # of the side: the standard deviation by which training fixations are blurred into a density
RIPPLE = 16  # levels that a JPEG file may have where nothing is
DEEP = ("I", "F")  # the first letters of modes of more than 8 bits, in which a fixation may be 1 of 65535


@dataclass(frozen=True)
class Fixations:
    """points: bool, N x S x S; bias: S x S, the density of the fixations of all training images, which sums to 1."""

    points: Tensor
    bias: Tensor

    def subset(self, chosen: Tensor) -> "Fixations":
        return Fixations(self.points[chosen], self.bias)

    def to(self, device: torch.device | str) -> "Fixations":
        return Fixations(self.points.to(device), self.bias.to(device))


@dataclass(frozen=True)
class Looked:
    """A fixation map: points, bool, S x S, and the share of the file's own pixels that are fixated."""

    points: np.ndarray
    share: float


def read_fixations(files: Sequence[tuple[Path, Path]], size: int) -> list[Looked | str]:
    """The fixations of each (image, fixation map), in order; in place of one that cannot be read, the reason.

    A fixation keeps its place, whatever the size of its picture: those that fall into one pixel of `size` count once.
    """

    def attempt(paths: tuple[Path, Path]) -> Looked | str:
        try:
            return _looked(*paths, size)
        except UnreadableFile as error:
            return str(error)

    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(attempt, files))


def _looked(image: Path, path: Path, size: int) -> Looked:
    with opened(path) as file:
        levels = _levels(upright(file)[0], file.format or "")
    if said := unlike_image(image, (levels.shape[1], levels.shape[0]), "fixation map"):
        raise UnreadableFile(said)
    pixels = levels > (RIPPLE if path.suffix.lower() in JPEGS else 0)
    places = np.argwhere(pixels) * size // np.array(pixels.shape)
    found = np.zeros((size, size), bool)
    found[places[:, 0], places[:, 1]] = True
    return Looked(found, float(pixels.mean()))


def _levels(picture: Image.Image, file_format: str) -> np.ndarray:
    """The largest level of each pixel's colours, H x W, in the file's own units."""
    levels = np.asarray(picture if picture.mode.startswith(DEEP) else eight_bits(picture, file_format)[0])
    return levels.max(axis=2) if levels.ndim == 3 else levels


def centre_bias(points: Tensor) -> Tensor:
    """The density of fixations, bool N x S x S, over all images: blurred by a Gaussian, S x S, sums to 1."""
    side = points.shape[-1]
    apart = (torch.arange(side)[:, None] - torch.arange(side)).double() / (side * SPREAD)
    blur = torch.exp(-apart.square() / 2)
    density = blur @ points.double().sum(dim=0) @ blur.T
    return (density / density.sum() if density.any() else torch.full_like(density, 1 / side**2)).float()
