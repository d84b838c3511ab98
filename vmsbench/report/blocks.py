"""What a report is made of: headings, texts, tables and figures, before they have a form.

Texts hold `code` in back quotes and nothing else of markup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vmsbench.report.render.tables import Table

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True)
class Text:
    text: str
    lead: bool = False


@dataclass(frozen=True)
class Caution:
    text: str


@dataclass(frozen=True)
class Items:
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Terms, each with what there is to say of it."""

    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TableBlock:
    """A table; `folded` ones open on request, `aside` ones are only files."""

    table: Table
    folded: bool = False
    aside: bool = False


@dataclass(frozen=True)
class FigureBlock:
    """name is the file's stem under plots/; alt says in words what it shows.

    `per_row` is how many like it fit side by side; `aside` ones are only files.
    """

    name: str
    figure: Figure
    alt: str
    caption: str
    per_row: int = 1
    aside: bool = False


@dataclass(frozen=True)
class Tile:
    """A picture, S x S x 3 bytes, and its L1 in [-1, 1] to the truth where it is a prediction and that is known."""

    pixels: Bytes
    l1: float | None = None


@dataclass(frozen=True)
class SampleRow:
    name: str
    rank: str
    tiles: Mapping[str, Tile]


@dataclass(frozen=True)
class Samples:
    """Rows of tiles under `columns`; `reason` says what is missing and why, and is empty where nothing is."""

    columns: tuple[str, ...]
    rows: tuple[SampleRow, ...]
    reason: str = ""


@dataclass(frozen=True)
class SampleGrid:
    """The sample grid: the page draws it of single pictures, the files hold `picture`."""

    samples: Samples
    picture: FigureBlock


Block = Heading | Text | Caution | Items | Facts | TableBlock | FigureBlock | SampleGrid


@dataclass(frozen=True)
class Document:
    title: str
    subtitle: str
    blocks: tuple[Block, ...]


def pictures(blocks: Sequence[Block]) -> list[FigureBlock]:
    found = [block.picture if isinstance(block, SampleGrid) else block for block in blocks]
    return [block for block in found if isinstance(block, FigureBlock)]
