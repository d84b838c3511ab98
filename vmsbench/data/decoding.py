"""Picture files decoded to bytes: any common mode, upright, resized with antialiasing to a square.

Resizing is Pillow's bilinear filter with antialiasing (what torchvision's `Resize` does), the whole picture stretched
to size x size: nothing is cropped, and an image and its map stay aligned. JPEGs much larger than needed are decoded at
1/2, 1/4 or 1/8 scale first, never below twice the size asked for, so that the filter still does the antialiasing.

What a file's mode becomes:

    1, L, LA, 16-bit grey, a palette of greys     grey (16-bit values are divided by 257)
    RGB, RGBA, other palettes, CMYK, YCbCr, ...   colour
    colours of 16 bits                            their upper 8 bits, as Pillow reads them
    transparent parts                             black
    several frames or pages                       the first
    32-bit integers or floats                     refused: their white is unknown

A map is grey by its file's mode alone: a colour file whose pixels all happen to be grey is a colour map, unless grey
files are next to it (`folder.alike`).
"""

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from vmsbench.files import read_bytes

VERSION = 3  # of the rules above; a new one makes old caches unused
SMALLEST = 8  # px; a side below this is no picture
ORIENTATION = 0x0112  # the Exif tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # height and width change places
warnings.filterwarnings("ignore", module=r"PIL\.")  # what of it matters is in PictureFacts, or an UnreadableFile
MANY = 256  # distinct levels that are kept of one picture


class UnreadableFile(Exception):
    """Why a file gives no picture; the text follows the file's name."""


@dataclass(frozen=True)
class PictureFacts:
    """What a file is like, before it is resized; levels are in the file's own units.

    turned       whether its orientation tag was obeyed
    frames       how many it holds; the first is read
    white        255, or 65535 in a file of 16-bit greys
    levels       the distinct values of all channels, at most 256 of them; lowest, highest and median are of all
    means        of red, green and blue, or of grey, as shares of white
    flat         whether all pixels are one colour
    equal        whether red, green and blue are the same everywhere
    transparent  whether parts are; `alone` where nothing but the transparency varies
    palette      whether its colours come from a palette, as those of label maps do
    cut          whether its colours have 16 bits, of which the upper 8 are read
    """

    turned: bool = False
    frames: int = 1
    white: int = 255
    levels: tuple[int, ...] = ()
    lowest: int = 0
    highest: int = 0
    median: int = 0
    means: tuple[float, ...] = ()
    flat: bool = False
    equal: bool = True
    transparent: bool = False
    alone: bool = False
    palette: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Picture:
    """pixels: uint8, 1 x S x S (grey) or 3 x S x S; width and height: the file's own, upright, in pixels."""

    pixels: np.ndarray
    width: int
    height: int
    facts: PictureFacts = field(default_factory=PictureFacts)

    @property
    def grey(self) -> bool:
        return len(self.pixels) == 1


@dataclass(frozen=True)
class Pair:
    """An image and its map as `read` gives them."""

    image: Picture
    map: Picture


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The picture at `path`; within the block whatever is wrong with it is an UnreadableFile.

    All of it is read first: an error of the disk is none that a decoder may take for damage, or for the file's end.
    """
    try:
        if not (content := read_bytes(path)):
            raise UnreadableFile("empty file")
        with Image.open(io.BytesIO(content)) as file:
            yield file
    except UnreadableFile:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds of error for broken files
        raise UnreadableFile(f"unreadable ({why(error)})") from error


def read(path: Path, size: int, scale: float = 1) -> Picture:
    """The picture at `path`, resized to size x size, its values multiplied by `scale`. Raises UnreadableFile."""
    with opened(path) as file:
        if min(file.size) < SMALLEST:
            raise UnreadableFile(f"wrong shape: {file.width} x {file.height} px")
        facts: dict[str, Any] = {"frames": frames(file), "cut": cut(file)}
        whole = file.size
        file.draft(None, (2 * size, 2 * size))
        reduced = file.size != whole
        picture, facts["turned"] = upright(file)
        width, height = picture.size
        if reduced:  # a JPEG, decoded smaller than it is
            width, height = whole[::-1] if orientation(file) in SIDEWAYS else whole
        picture, seen = eight_bits(picture, file.format or "", scale)
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    pixels = pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return Picture(pixels, width, height, replace(seen, **facts))


def why(error: Exception) -> str:
    """What Pillow says, on one line."""
    if isinstance(error, UnidentifiedImageError):
        return "cannot identify image file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more pixels than Pillow reads, {2 * (Image.MAX_IMAGE_PIXELS or 0):,}: shrink it first"
    return " ".join(str(error).split()) or type(error).__name__


def open_upright(path: Path) -> Image.Image:
    """The picture at `path` at its own size, upright, in mode L or RGB. Raises UnreadableFile."""
    with opened(path) as file:
        return eight_bits(upright(file)[0], file.format or "")[0]


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of the picture at `path` as it is to be looked at, by its head. Raises UnreadableFile."""
    with opened(path) as file:
        return (file.height, file.width) if orientation(file) in SIDEWAYS else file.size


def upright(file: Image.Image) -> tuple[Image.Image, bool]:
    """The loaded picture as it is to be looked at, and whether it was turned; Pillow turns TIFF while it loads it."""
    told = orientation(file)
    file.load()
    left = orientation(file)
    picture = file.transpose(TURNS[left]) if left in TURNS else file
    return picture, told in TURNS or left in TURNS


def orientation(file: Image.Image) -> int:
    """The orientation tag, 1 to 8; 1 where there is none, a wrong one, or Exif that cannot be read."""
    try:
        told = file.getexif().get(ORIENTATION, 1)
    except Exception:  # Exif is often damaged where the picture is not
        return 1
    return told if isinstance(told, int) and 1 <= told <= 8 else 1


def frames(file: Image.Image) -> int:
    """How many frames or pages a file holds; what cameras put behind a photograph (MPO) is not counted."""
    if file.format == "MPO":
        return 1
    try:
        return int(getattr(file, "n_frames", 1))
    except Exception:  # the first frame may be whole where a later one is not
        return 2
    finally:
        if getattr(file, "is_animated", False):
            file.seek(0)


def cut(file: Image.Image) -> bool:
    """Whether Pillow reads 8 of the 16 bits that a file has for each of its colours; of greys it reads all."""
    return not file.mode.startswith("I") and any(";16" in str(tile[3]) for tile in getattr(file, "tile", ()))


def eight_bits(picture: Image.Image, file_format: str, scale: float = 1) -> tuple[Image.Image, PictureFacts]:
    """The picture in mode L or RGB, times `scale`.

    Raises UnreadableFile for 32-bit pixels (older Pillows open 16-bit PNG as such).
    """
    mode = picture.mode
    if mode == "F" or (mode == "I" and file_format != "PNG"):
        raise UnreadableFile("32-bit pixels: save it with 8 or 16 bits")
    if mode.startswith("I"):
        sixteen = np.asarray(picture).astype(np.int64).clip(0, 65535)
        seen = levels(sixteen, 65535)
        scaled = sixteen if scale == 1 else (sixteen * scale).round().clip(0, 65535).astype(np.int64)
        return Image.fromarray(((scaled + 128) // 257).astype(np.uint8)), seen
    grey = mode in ("1", "L", "LA", "La") or (mode in ("P", "PA") and has_grey_palette(picture))
    transparent = alone = False
    if "transparency" in picture.info or mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        visible = picture.convert("RGBA")
        alpha = visible.getchannel("A")
        low, high = alpha.getextrema()
        transparent = low < 255  # type: ignore[operator]
        alone = low < high and all(band[0] == band[1] for band in visible.convert("RGB").getextrema())  # type: ignore
        picture = Image.composite(visible.convert("RGB"), Image.new("RGB", visible.size), alpha)
    picture = picture.convert("L" if grey else "RGB")
    seen = replace(
        levels(np.asarray(picture), 255), transparent=transparent, alone=alone, palette=mode in ("P", "PA") and not grey
    )
    if scale != 1:
        picture = picture.point([min(255, round(level * scale)) for level in range(256)] * len(picture.getbands()))
    return picture, seen


def levels(pixels: np.ndarray, white: int) -> PictureFacts:
    counts = np.bincount(pixels.ravel(), minlength=white + 1)
    present, median = counts.nonzero()[0], int(counts.cumsum().searchsorted(pixels.size / 2))
    equal = pixels.ndim == 2 or bool((pixels == pixels[..., :1]).all())
    flat = bool((pixels == pixels[:1, :1]).all())
    kept = tuple(int(level) for level in present[:MANY])
    means = tuple(np.atleast_1d(pixels.mean((0, 1)) / white).tolist())
    return PictureFacts(
        white=white, levels=kept, lowest=int(present[0]), highest=int(present[-1]), median=median, means=means,
        flat=flat, equal=equal,
    )  # fmt: skip


def has_grey_palette(picture: Image.Image) -> bool:
    colours = np.array(picture.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def read_pair(image_path: Path, map_path: Path, size: int, scale: float = 1) -> Pair:
    """An image (always 3 channels) and its map, the latter times `scale`.

    Raises UnreadableFile, saying which of the two files it is, or what is wrong with both.
    """
    files, wrong = {}, []
    for what, path, factor in (("image", image_path, 1.0), ("map", map_path, scale)):
        try:
            files[what] = read(path, size, factor)
        except UnreadableFile as error:
            wrong.append(f"{what} {error}")
    if wrong:
        raise UnreadableFile("; ".join(wrong))
    image, map_ = files["image"], files["map"]
    if said := unlike((image.width, image.height), (map_.width, map_.height), "map"):
        raise UnreadableFile(said)
    if image.grey:
        image = replace(image, pixels=np.repeat(image.pixels, 3, axis=0))
    return Pair(image, map_)


def unlike(image: tuple[int, int], other: tuple[int, int], what: str) -> str:
    """What to say of a picture, width x height px, that is not of its image's shape; nothing where it is."""
    across, down = image[0] * other[1], other[0] * image[1]
    if abs(across - down) <= max(0.02 * max(across, down), *image, *other):
        return ""
    return f"wrong shape: the image is {image[0]} x {image[1]} px, its {what} {other[0]} x {other[1]}"


def unlike_image(path: Path, other: tuple[int, int], what: str) -> str:
    """The same of the image at `path`; nothing where that cannot be read, which is said of the image itself."""
    try:
        return unlike(upright_size(path), other, what)
    except UnreadableFile:
        return ""


def read_pairs(files: Sequence[tuple[Path, Path]], size: int, scale: float = 1) -> list[Pair | str]:
    """Every (image, map) read, in order; in place of a pair that cannot be, the reason.

    Uses a thread per core: Pillow decodes and resizes outside Python's lock.
    """

    def attempt(paths: tuple[Path, Path]) -> Pair | str:
        try:
            return read_pair(*paths, size, scale)
        except UnreadableFile as error:
            return str(error)

    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(attempt, files))


def threads() -> int:
    """The cores this process may use (fewer than the machine's where a cluster's job has fewer)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
