"""Maps made visible, and pictures laid out in labelled grids."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from vmsbench.data.sources.names import printable

GUTTER = 6  # px
LINE = 16  # px; the height of a line of text
LETTERS = 10  # px; the size of letters
NO_CHARACTER = "\uffff"  # no font has it: it is drawn as all that a font lacks


def render(maps: Tensor) -> Tensor:
    """uint8 maps, N x C x H x W or C x H x W, as uint8 colour pictures N x 3 x H x W.

    C = 1 is repeated (grey), C = 2 is red and green with no blue, C = 3 is as it is.
    """
    maps = maps[None] if maps.ndim == 3 else maps
    channels = maps.shape[1]
    if channels == 1:
        return maps.expand(-1, 3, -1, -1).contiguous()
    if channels == 2:
        return torch.cat([maps, torch.zeros_like(maps[:, :1])], dim=1)
    return maps


def overlay(image: Tensor, map_: Tensor) -> Tensor:
    """A map (C x H x W) laid over its image (3 x H x W), both uint8: the image dimmed and grey, the map on top."""
    grey = image.float().mean(0, keepdim=True)
    return (0.5 * grey + 0.7 * render(map_)[0].float()).clamp(0, 255).to(torch.uint8)


def side_by_side(images: Tensor, truths: Tensor, guesses: Tensor) -> Image.Image:
    """Images with their true and predicted maps, N of each, uint8: a row for each image."""
    rows = [list(row) for row in zip(images, render(truths), render(guesses), strict=True)]
    return grid(rows, titles=["image", "truth", "prediction"])


def grid(
    rows: Sequence[Sequence[Tensor | None]],
    scale: int = 2,
    titles: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
) -> Image.Image:
    """Pictures (uint8, 3 x H x W; None leaves a gap) in rows, enlarged `scale` times, on white.

    titles    one above each column
    captions  per row, one below each picture; an empty one lets the one before it run on
    """
    pictures = [picture for row in rows for picture in row if picture is not None]
    height = scale * max((picture.shape[1] for picture in pictures), default=1)
    width = scale * max((picture.shape[2] for picture in pictures), default=1)
    columns = max((len(row) for row in rows), default=0)
    top = GUTTER + (LINE if titles else 0)
    step = height + GUTTER + (LINE if captions else 0)
    canvas = Image.new("RGB", (GUTTER + columns * (width + GUTTER), top + len(rows) * step), "white")
    for column, title in enumerate(titles):
        write(canvas, title, GUTTER + column * (width + GUTTER), GUTTER // 2, width)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            if picture is not None:
                pixels = np.ascontiguousarray(picture.cpu().numpy().transpose(1, 2, 0))
                large = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
                canvas.paste(large, (GUTTER + j * (width + GUTTER), top + i * step))
    for i, line in enumerate(captions):
        for j, text in enumerate(line):
            free = next((k for k in range(j + 1, len(line)) if line[k]), columns) - j
            write(
                canvas, text, GUTTER + j * (width + GUTTER), top + i * step + height, free * (width + GUTTER) - GUTTER
            )
    return canvas


def write(canvas: Image.Image, text: str, left: int, top: int, width: int) -> None:
    """One line of text, shortened with an ellipsis to fit."""
    font, draw = lettering(), ImageDraw.Draw(canvas)
    shown = text = drawable(text)
    while shown and draw.textlength(shown, font=font) > width:
        text = text[:-1]
        shown = text + "..." if text else ""
    draw.text((left, top), shown, fill="black", font=font)


@cache
def lettering() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """DejaVu Sans where Matplotlib brings it, which has most alphabets; else Pillow's own font, of ASCII alone."""
    found = find_spec("matplotlib")
    if found is not None and found.origin is not None:
        with suppress(OSError, ImportError):
            return ImageFont.truetype(
                Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", LETTERS
            )
    return ImageFont.load_default()


def drawable(text: str) -> str:
    """A text on one line; what cannot be printed, or is not in the font, is escaped."""
    return "".join(one if has_glyph(one) else one.encode("unicode_escape").decode() for one in printable(text))


@cache
def has_glyph(character: str) -> bool:
    """Whether the font has a printable character."""
    font = lettering()
    if character.isascii() or not isinstance(font, ImageFont.FreeTypeFont):
        return character.isascii()
    drawn, lacking = font.getmask(character), font.getmask(NO_CHARACTER)
    return (drawn.size, bytes(drawn)) != (lacking.size, bytes(lacking))
