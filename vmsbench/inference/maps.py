"""Pictures of any kind and size in, maps of the same size out: the inputs and outputs of `TrainedModel.predict`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from vmsbench.data.decoding import eight_bits, read
from vmsbench.data.rendering import render
from vmsbench.data.sources.oddities import remarkable
from vmsbench.data.sources.walking import walk
from vmsbench.errors import UserError
from vmsbench.files import with_home

Picture = str | Path | Image.Image | np.ndarray[Any, Any] | Tensor
"""A file; a PIL image; uint8 H x W x 3 or H x W (numpy); uint8 3 x H x W (torch)."""


@dataclass(frozen=True)
class Read:
    """A picture as the model's input (uint8, 3 x S x S), and its own size in pixels.

    large   the same as the encoder's input, uint8, 3 x E x E; `pixels` where there is no encoder
    odd     what is unusual about its file
    """

    pixels: Tensor
    width: int
    height: int
    large: Tensor
    odd: tuple[str, ...] = ()


Sizes = tuple[int, int]
"""px at which a model, and its encoder, see a picture; 0 for no encoder."""


def together(read: Sequence[Read]) -> tuple[Tensor, Tensor]:
    """The pixels of several pictures, N x 3 x S x S, and as the encoder sees them, N x 3 x E x E."""
    return torch.stack([picture.pixels for picture in read]), torch.stack([picture.large for picture in read])


@dataclass(frozen=True)
class PredictedMap:
    """A model's prediction for one picture. A notebook shows it in the dataset's colours.

    name     of the picture: its file's, or its index
    samples  uint8, K x C x S x S at the model's size; K maps where the model samples, else one
    """

    name: str
    samples: Tensor
    width: int
    height: int

    @property
    def array(self) -> np.ndarray[Any, Any]:
        """float32, C x height x width in [0, 1]: the channels of the dataset, the median of the samples."""
        median = self.samples.float().quantile(0.5, dim=0).round().byte()
        return resized(median, self.width, self.height).numpy().astype(np.float32) / 255

    @property
    def image(self) -> Image.Image:
        """The map in the dataset's colours, as large as the picture."""
        pixels = coloured(self.samples, self.width, self.height).permute(1, 2, 0)
        return Image.fromarray(np.ascontiguousarray(pixels.numpy()))

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.image.save(file, format="PNG")
        return file.getvalue()


def opened(pictures: Picture | Iterable[Picture], sizes: Sizes) -> tuple[list[tuple[str, Read]], bool]:
    """Each picture with its name, and whether it was a single one.

    A folder stands for all pictures in it and in its sub-folders. Raises UserError for what is not a picture, and for
    a folder or a name in it that cannot be read, UnreadableFile for a broken file.
    """
    if isinstance(pictures, str | Path) and (folder := with_home(pictures)).is_dir():
        found = walk(folder)
        if found.problems:
            raise UserError(f"{folder}: {found.problems[0]}")
        return [(str(file.relative_to(folder)), seen(file, sizes)) for file in found.files], False
    if isinstance(pictures, str | Path | Image.Image) or getattr(pictures, "ndim", 4) <= 3:
        return [one(pictures, 0, sizes)], True
    many: Iterable[Any] = pictures  # type: ignore[assignment]  # a list, or an array of several
    return [one(picture, place, sizes) for place, picture in enumerate(many)], False


def one(picture: Any, place: int, sizes: Sizes) -> tuple[str, Read]:
    """Raises UserError, UnreadableFile."""
    if isinstance(picture, str | Path):
        file = with_home(picture)
        if not file.is_file():
            raise UserError(f"{picture} does not exist: give a picture, or a folder of pictures")
        return file.name, seen(file, sizes)
    image = eight_bits(picture, "PNG")[0] if isinstance(picture, Image.Image) else of_array(picture)
    small, large = (shrunk(image, size or sizes[0]) for size in sizes)
    return str(place), Read(small, image.width, image.height, large)


def shrunk(image: Image.Image, size: int) -> Tensor:
    """uint8, 3 x size x size."""
    small = image.convert("RGB")
    if small.size != (size, size):
        small = small.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)


def of_array(picture: Any) -> Image.Image:
    """Raises UserError for an array that is not a picture."""
    array = picture.detach().cpu().numpy() if isinstance(picture, Tensor) else np.asarray(picture)
    if isinstance(picture, Tensor) and array.ndim == 3:
        array = array.transpose(1, 2, 0)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise UserError(
            f"an array of {array.dtype}, {tuple(array.shape)}, is not a picture; give uint8: numpy H x W x 3 or H x "
            "W, torch 3 x H x W"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def seen(file: Path, sizes: Sizes) -> Read:
    """Raises UnreadableFile."""
    picture = read(file, sizes[0])
    pixels, large = (
        torch.from_numpy((read(file, size) if size else picture).pixels.copy()).expand(3, -1, -1)
        for size in (0, sizes[1])
    )
    return Read(pixels, picture.width, picture.height, large, tuple(remarkable(picture.facts)))


def resized(pixels: Tensor, width: int, height: int) -> Tensor:
    """uint8, C x S x S, to C x height x width: bilinear, with antialiasing where it shrinks."""
    if pixels.shape[1:] == (height, width):
        return pixels
    large = functional.interpolate(
        pixels[None].float(), (height, width), mode="bilinear", antialias=height < pixels.shape[1]
    )
    return large[0].round().clamp(0, 255).byte()


def coloured(samples: Tensor, width: int, height: int) -> Tensor:
    """The median of samples, uint8, K x C x S x S, as a colour picture, uint8, 3 x height x width."""
    median = samples.float().quantile(0.5, dim=0).round().byte() if len(samples) > 1 else samples[0]
    return render(resized(median, width, height))[0]
