"""Where people looked: fixation maps, pictures in which every pixel that is not black was fixated.

Of a JPEG file, in which no pixel stays quite black, those above `RIPPLE` of 255 levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vmsbench.data.decoding import UnreadableFile, open_upright
from vmsbench.data.sources.names import Names, some, stem_of
from vmsbench.data.sources.walking import walk
from vmsbench.errors import DataError

SPREAD = 1 / 16  # of the side: the standard deviation by which training fixations are blurred into a density
RIPPLE = 16  # levels that a JPEG file may have where nothing is
JPEG = (".jpg", ".jpeg", ".jfif")
COLOURED = ("P", "PA", "LA", "RGBA", "CMYK", "YCbCr")


@dataclass(frozen=True)
class Fixations:
    """points: bool, N x S x S; bias: S x S, the density of the fixations of all training images, which sums to 1."""

    points: Tensor
    bias: Tensor

    def subset(self, chosen: Tensor) -> "Fixations":
        return Fixations(self.points[chosen], self.bias)

    def to(self, device: torch.device | str) -> "Fixations":
        return Fixations(self.points.to(device), self.bias.to(device))


def read_fixations(root: Path, folder: str, names: Sequence[str], size: int) -> Tensor:
    """The fixated pixels of the images called `names`, by the maps in root/folder: bool, N x size x size.

    A fixation keeps its place, whatever the size of its picture. Raises DataError where the folder or maps are missing.
    """
    if not (root / folder).is_dir():
        raise DataError(f"data.fixations: there is no folder {root / folder}")
    files = {path.relative_to(root / folder).as_posix(): path for path in walk(root / folder).files}
    paths = {stem_of(file): path for file, path in files.items()}
    stems = Names(files, folder).stems_of([stem_of(name) for name in names])
    missing = [name for name, stem in zip(names, stems, strict=True) if stem is None]
    if missing:
        raise DataError(
            f"data.fixations: {folder} has no map for {len(missing)} of {len(names)} images: {some(missing)}"
        )
    points = torch.from_numpy(np.stack([_points(paths[stem], size) for stem in stems if stem is not None]))
    if not points.any():
        raise DataError(f"data.fixations: no pixel of {folder} is fixated; every pixel that is not black counts as one")
    return points


def _points(path: Path, size: int) -> np.ndarray:
    try:
        pixels = _levels(open_upright(path)) > (RIPPLE if path.suffix.lower() in JPEG else 0)
    except UnreadableFile as error:
        raise DataError(f"data.fixations: {path.name}: {error}") from error
    places = np.argwhere(pixels) * size // np.array(pixels.shape)
    found = np.zeros((size, size), bool)
    found[places[:, 0], places[:, 1]] = True
    return found


def _levels(picture: Image.Image) -> np.ndarray:
    """The largest level of a pixel's colours."""
    levels = np.asarray(picture.convert("RGB") if picture.mode in COLOURED else picture)
    return levels.max(axis=2) if levels.ndim == 3 else levels


def centre_bias(points: Tensor) -> Tensor:
    """The density of fixations, bool N x S x S, over all images: blurred by a Gaussian, S x S, sums to 1."""
    side = points.shape[-1]
    apart = (torch.arange(side)[:, None] - torch.arange(side)).double() / (side * SPREAD)
    blur = torch.exp(-apart.square() / 2)
    density = blur @ points.double().sum(dim=0) @ blur.T
    return (density / density.sum() if density.any() else torch.full_like(density, 1 / side**2)).float()
