"""Picture files decoded to bytes: any common mode, upright, resized with antialiasing to a square.

Resizing is Pillow's bilinear filter with antialiasing (what torchvision's `Resize` does), the whole picture stretched
to size x size: nothing is cropped, and an image and its map stay aligned. JPEGs much larger than needed are decoded at
1/2, 1/4 or 1/8 scale first, never below twice the size asked for, so that the filter still does the antialiasing.

What a file's mode becomes:

    1, L, LA, 16-bit grey, a palette of greys     grey (16-bit values are divided by 257)
    RGB, RGBA, other palettes, CMYK, YCbCr, ...   colour
    transparent parts                             black
    32-bit integers or floats                     refused: their white is unknown

A map is grey by its file's mode alone: a colour file whose pixels all happen to be grey is a colour map.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})
VERSION = 1  # of the rules above; a new one makes old caches unused
SMALLEST = 8  # px; a side below this is no picture
ORIENTATION = 0x0112  # the Exif tag


class UnreadableFile(Exception):
    """Why a file gives no picture; the text follows the file's name."""


@dataclass(frozen=True)
class Picture:
    """pixels: uint8, 1 x S x S (grey) or 3 x S x S; width and height: the file's own, upright, in pixels."""

    pixels: np.ndarray
    width: int
    height: int

    @property
    def grey(self) -> bool:
        return len(self.pixels) == 1


@dataclass(frozen=True)
class Pair:
    """An image and its map as `read` gives them."""

    image: Picture
    map: Picture


def read(path: Path, size: int) -> Picture:
    """The picture at `path`, resized to size x size. Raises UnreadableFile."""
    try:
        if path.stat().st_size == 0:
            raise UnreadableFile("empty file")
        with Image.open(path) as file:
            width, height = file.size
            if file.getexif().get(ORIENTATION, 1) >= 5:
                width, height = height, width
            if min(width, height) < SMALLEST:
                raise UnreadableFile(f"wrong shape: {width} x {height} px")
            file.draft(None, (2 * size, 2 * size))
            picture = eight_bits(ImageOps.exif_transpose(file), file.format or "")
    except UnreadableFile:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a broken file makes them stumble over
        reason = " ".join(str(error).split()).replace(f" {str(path)!r}", "")
        raise UnreadableFile(f"unreadable ({reason or type(error).__name__})") from error
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    return Picture(pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1)), width, height)


def open_upright(path: Path) -> Image.Image:
    """The picture at `path` at its own size, upright, in mode L or RGB. Raises UnreadableFile, and Pillow's errors."""
    with Image.open(path) as file:
        return eight_bits(ImageOps.exif_transpose(file), file.format or "")


def eight_bits(picture: Image.Image, file_format: str) -> Image.Image:
    """The picture in mode L or RGB. Raises UnreadableFile for 32-bit pixels (older Pillows open 16-bit PNG as such)."""
    mode = picture.mode
    if mode == "F" or (mode == "I" and file_format != "PNG"):
        raise UnreadableFile("32-bit pixels: save it with 8 or 16 bits")
    if mode.startswith("I"):
        sixteen = np.asarray(picture).astype(np.int64)
        return Image.fromarray(((sixteen.clip(0, 65535) + 128) // 257).astype(np.uint8))
    grey = mode in ("1", "L", "LA", "La") or (mode in ("P", "PA") and has_grey_palette(picture))
    if "transparency" in picture.info or mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        visible = picture.convert("RGBA")
        picture = Image.composite(visible.convert("RGB"), Image.new("RGB", visible.size), visible.getchannel("A"))
    return picture.convert("L" if grey else "RGB")


def has_grey_palette(picture: Image.Image) -> bool:
    colours = np.array(picture.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def read_pair(image_path: Path, map_path: Path, size: int) -> Pair:
    """An image (always 3 channels) and its map. Raises UnreadableFile, saying which of the two files it is."""
    files = {}
    for what, path in (("image", image_path), ("map", map_path)):
        try:
            files[what] = read(path, size)
        except UnreadableFile as error:
            raise UnreadableFile(f"{what} {error}") from error
    image, map_ = files["image"], files["map"]
    across, down = image.width * map_.height, map_.width * image.height
    rounding = max(image.width, image.height, map_.width, map_.height)
    if abs(across - down) > max(0.02 * max(across, down), rounding):
        raise UnreadableFile(
            f"wrong shape: the image is {image.width} x {image.height} px, its map {map_.width} x {map_.height}"
        )
    if image.grey:
        image = Picture(np.repeat(image.pixels, 3, axis=0), image.width, image.height)
    return Pair(image, map_)


def read_pairs(files: Sequence[tuple[Path, Path]], size: int) -> list[Pair | str]:
    """Every (image, map) read, in order; in place of a pair that cannot be, the reason.

    Uses a thread per core: Pillow decodes and resizes outside Python's lock.
    """

    def attempt(paths: tuple[Path, Path]) -> Pair | str:
        try:
            return read_pair(*paths, size)
        except UnreadableFile as error:
            return str(error)

    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(attempt, files))


def threads() -> int:
    """The cores this process may use (fewer than the machine's where Slurm says so)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
