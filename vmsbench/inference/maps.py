"""Pictures of any kind and size in, maps of the same size out: what `TrainedModel.predict` takes and gives."""

from collections.abc import Iterable
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

Picture = str | Path | Image.Image | np.ndarray[Any, Any] | Tensor
"""A file; a PIL image; uint8 H x W x 3 or H x W (numpy); uint8 3 x H x W (torch)."""


@dataclass(frozen=True)
class Read:
    """A picture as the model sees it (uint8, 3 x S x S), and its own size in pixels; what is odd about its file."""

    pixels: Tensor
    width: int
    height: int
    odd: tuple[str, ...] = ()


@dataclass(frozen=True)
class PredictedMap:
    """What a model predicts for one picture. A notebook shows it in the dataset's colours.

    name     of the picture: its file's, or its place among the pictures
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


def opened(pictures: Picture | Iterable[Picture], size: int) -> tuple[list[tuple[str, Read]], bool]:
    """Each picture with its name, and whether it was a single one.

    A folder stands for all pictures in it and in its sub-folders. Raises UserError for what is no picture,
    UnreadableFile for a broken file.
    """
    if isinstance(pictures, str | Path) and Path(pictures).is_dir():
        files = walk(Path(pictures)).files
        return [(str(file.relative_to(pictures)), seen(file, size)) for file in files], False
    if isinstance(pictures, str | Path | Image.Image) or getattr(pictures, "ndim", 4) <= 3:
        return [one(pictures, 0, size)], True
    many: Iterable[Any] = pictures  # type: ignore[assignment]  # a list, or an array of several
    return [one(picture, place, size) for place, picture in enumerate(many)], False


def one(picture: Any, place: int, size: int) -> tuple[str, Read]:
    """Raises UserError, UnreadableFile."""
    if isinstance(picture, str | Path):
        if not Path(picture).is_file():
            raise UserError(f"{picture} is not there: give a picture, or a folder of pictures")
        return Path(picture).name, seen(Path(picture), size)
    image = eight_bits(picture, "PNG")[0] if isinstance(picture, Image.Image) else of_array(picture)
    small = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)
    return str(place), Read(pixels, image.width, image.height)


def of_array(picture: Any) -> Image.Image:
    """Raises UserError for an array that is no picture."""
    array = picture.detach().cpu().numpy() if isinstance(picture, Tensor) else np.asarray(picture)
    if isinstance(picture, Tensor) and array.ndim == 3:
        array = array.transpose(1, 2, 0)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise UserError(
            f"an array of {array.dtype}, {tuple(array.shape)}, is no picture; "
            "give uint8: numpy H x W x 3 or H x W, torch 3 x H x W"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def seen(file: Path, size: int) -> Read:
    """Raises UnreadableFile."""
    picture = read(file, size)
    pixels, odd = torch.from_numpy(picture.pixels.copy()).expand(3, -1, -1), tuple(remarkable(picture.facts))
    return Read(pixels, picture.width, picture.height, odd)


def resized(pixels: Tensor, width: int, height: int) -> Tensor:
    """uint8, C x S x S, to C x height x width: bilinear, with antialiasing where it becomes smaller."""
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
