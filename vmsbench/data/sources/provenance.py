"""What was read, in one place: from where, which column of which list, what the files are like, and what is odd.

It travels with the dataset (`Dataset.provenance`). What decoding found is kept in the cache with the pixels, and names
and lists are looked at each time, so a warm cache tells the same. `lines()` is for logs, `as_json()` for programs.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from vmsbench.data.decoding import MANY, Pair, Picture, PictureFacts
from vmsbench.data.sources.lists import Listing, columns
from vmsbench.data.sources.names import printable, some
from vmsbench.data.sources.walking import Walk, kinds

TUPLES = ("few", "means", "deep", "dim", "light", "blue")  # of Values
DIM = 1 / 16  # of white; what 12 bits in 16, or labels, do not reach
BLUE = 0.02  # of white, and a fifth of red and green; a JPEG's own noise is far below
USED = {"rg": "red and green used", "rgb": "red, green and blue used", "grey": "one channel used"}


@dataclass(frozen=True)
class Values:
    """What the files of one folder are like; counts are of files, levels are the files' own.

    white            255, or 65535 where a file has 16 bits
    lowest, highest  of all files, before data.scale
    means            of red, green and blue of the colour files, as shares of white; empty where all are grey
    levels           how many different ones there are, `many` where there are more; `few` are they, up to 8
    deep             the files of 16 bits, where others have 8
    dim              those whose brightest value, times data.scale, is at most a sixteenth of white, and not 0
    light, dark      those of which half lies above three quarters of white, and how many of which half lies below one
    blue             those with more blue than a JPEG's noise is, as `bluish` has it
    """

    files: int = 0
    white: int = 255
    lowest: int = 0
    highest: int = 0
    means: tuple[float, ...] = ()
    levels: int = 0
    many: bool = False
    few: tuple[int, ...] = ()
    grey: int = 0
    equal: int = 0
    black: int = 0
    flat: int = 0
    transparent: int = 0
    alone: int = 0
    palette: int = 0
    cut: int = 0
    turned: int = 0
    frames: dict[str, int] = field(default_factory=dict)
    deep: tuple[str, ...] = ()
    dim: tuple[str, ...] = ()
    light: tuple[str, ...] = ()
    dark: int = 0
    blue: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decoded:
    """What decoding found; `same` counts the maps that are their own images."""

    images: Values = field(default_factory=Values)
    maps: Values = field(default_factory=Values)
    same: int = 0

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Decoded":
        """Raises ValueError, TypeError or KeyError where `content` is not what `to_bytes` gives."""
        told = json.loads(content)
        parts = {}
        for what in ("images", "maps"):
            tuples = {name: tuple(told[what][name]) for name in TUPLES}
            parts[what] = Values(**told[what] | tuples)
        return cls(**parts, same=int(told["same"]))


@dataclass(frozen=True)
class Source:
    """One of the two folders: its pictures, the links that were followed, and what was skipped, with the count."""

    folder: str
    pictures: int
    links: tuple[str, ...]
    passed_over: dict[str, int]

    def words(self, turned: int = 0) -> list[str]:
        """The same in words, after how many pictures were turned upright."""
        words = [f"{printable(self.folder)}/, {self.pictures} pictures"]
        words += [f"{turned} turned upright"] if turned else []
        words += [f"links followed: {some(self.links)}"] if self.links else []
        passed = kinds(self.passed_over)
        return words + ([f"skipped: {passed}"] if passed else [])


@dataclass(frozen=True)
class Further:
    """A further folder of pictures of the same images: of fixations, or of maps by other people.

    matched   how many of so many `images`, or test images, have a picture there; `of` says which
    digest    of those files' bytes
    values    what they are like; without files where that does not matter or some cannot be read
    said      the rest, in words
    """

    source: Source
    of: str
    images: int
    matched: int
    digest: str
    values: Values = field(default_factory=Values)
    said: str = ""

    def __str__(self) -> str:
        words = self.source.words(self.values.turned)
        words.insert(1, f"{self.matched} of {self.images} {self.of} have one")
        span = [span_of(self.values)] if self.values.files else []
        return "; ".join([*words, *span, *([self.said] if self.said else [])])


@dataclass(frozen=True)
class Provenance:
    """What was read; empty for data that come from no files.

    lists     by split, and "categories": which column of which file, how many names, how many of them images
    further   "fixations", or "repeats" and a folder: what was read there
    pairs     how many there are by split; `drawn` are the splits that no list gives
    warnings  all that is out of the ordinary, a sentence each
    """

    root: str = ""
    title: str = ""
    images: Source | None = None
    maps: Source | None = None
    lists: dict[str, Listing] = field(default_factory=dict)
    further: dict[str, Further] = field(default_factory=dict)
    pairs: dict[str, int] = field(default_factory=dict)
    drawn: tuple[str, ...] = ()
    coding: str = ""
    scale: float = 1
    decoded: Decoded = field(default_factory=Decoded)
    warnings: tuple[str, ...] = ()

    def table(self) -> list[tuple[str, str]]:
        """What was read, a label and words for each: the folders, each list, the pairs; no warnings."""
        if self.images is None or self.maps is None:
            return []
        each = [f"{n} {split}" + " (drawn)" * (split in self.drawn) for split, n in self.pairs.items()]
        return [
            ("images", "; ".join(self.images.words(self.decoded.images.turned))),
            ("maps", "; ".join([*self.maps.words(self.decoded.maps.turned), *self.map_words()])),
            *((what, str(listing)) for what, listing in self.lists.items()),
            *((what.partition(" ")[0], str(folder)) for what, folder in self.further.items()),
            ("pairs", ", ".join(each)),
        ]

    def lines(self) -> list[str]:
        """The account as text: one line for each thing, the warnings last."""
        table = [f"  {what:<10} {words}" for what, words in self.table()]
        head = [f"read from {printable(self.root)}"] if table else []
        return head + table + [f"  warning: {warning}" for warning in self.warnings]

    def map_words(self) -> list[str]:
        values = self.decoded.maps
        if not values.files:
            return []
        kind = "grey" if values.grey == values.files else "colour"
        return [f"{kind}, {USED[self.coding]}" if self.coding in USED else kind, span_of(values, self.scale)]

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON: `root`, `images`, `maps`, `lists`, `pairs`, `decoded`, `warnings` and so on."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


def span_of(values: Values, scale: float = 1) -> str:
    """The levels of these files, in words."""
    count = f"more than {MANY}" if values.many else str(values.levels)
    times = "" if scale == 1 else f", times {scale:g}"
    return f"values {values.lowest} to {values.highest} of {values.white}{times}, {count} different"


def source(found: Walk) -> Source:
    return Source(found.folder.name, len(found.files), found.links, found.aside)


def decoded(names: Sequence[str], pairs: Sequence[Pair], scale: float = 1) -> Decoded:
    """What the pictures of these pairs are like; `scale` is what maps are multiplied by."""
    images, maps = [pair.image for pair in pairs], [pair.map for pair in pairs]
    same = sum(
        one.pixels.shape == two.pixels.shape and bool((one.pixels == two.pixels).all())
        for one, two in zip(images, maps, strict=True)
    )
    shown = replace(values(names, images), light=(), dark=0, blue=())  # which is odd in maps alone
    return Decoded(shown, values(names, maps, scale), same)


def values(names: Sequence[str], pictures: Sequence[Picture], scale: float = 1) -> Values:
    """What these pictures are like together; where bits are mixed, levels are counted as of 16."""
    facts = [picture.facts for picture in pictures]
    if not facts:
        return Values()

    def those(like: Callable[[PictureFacts], bool]) -> tuple[str, ...]:
        return tuple(name for name, fact in zip(names, facts, strict=True) if like(fact))

    white = max(fact.white for fact in facts)
    present = {level * (white // fact.white) for fact in facts for level in fact.levels}
    return Values(
        files=len(facts),
        white=white,
        lowest=min(in_units(fact, fact.lowest, white) for fact in facts),
        highest=max(in_units(fact, fact.highest, white) for fact in facts),
        means=means([fact.means for fact in facts if len(fact.means) == 3]),
        levels=len(present),
        many=white > 255 and any(len(fact.levels) >= MANY for fact in facts),
        few=tuple(sorted(present)[:9]) if len(present) <= 8 else (),
        grey=sum(picture.grey for picture in pictures),
        equal=sum(fact.equal for fact in facts),
        black=sum(fact.highest == 0 for fact in facts),
        flat=sum(fact.flat for fact in facts),
        transparent=sum(fact.transparent for fact in facts),
        alone=sum(fact.alone for fact in facts),
        palette=sum(fact.palette for fact in facts),
        cut=sum(fact.cut for fact in facts),
        turned=sum(fact.turned for fact in facts),
        frames={name: fact.frames for name, fact in zip(names, facts, strict=True) if fact.frames > 1},
        deep=those(lambda fact: fact.white > 255) if any(fact.white == 255 for fact in facts) else (),
        dim=those(lambda fact: 0 < fact.highest * scale <= DIM * fact.white),
        light=those(lambda fact: fact.median * scale > 0.75 * fact.white),
        dark=len(those(lambda fact: fact.median * scale < 0.25 * fact.white)),
        blue=those(lambda fact: len(fact.means) == 3 and bluish(fact.means)),
    )


def means(each: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(round(sum(channel) / len(channel), 6) for channel in zip(*each, strict=True))


def bluish(means: Sequence[float]) -> bool:
    """Whether blue holds something, by the means of red, green and blue as shares of white."""
    red, green, blue = means
    return blue >= max(BLUE, 0.2 * max(red, green))


def in_units(fact: PictureFacts, level: int, white: int) -> int:
    return level * (white // fact.white)


def listing_warnings(lists: Mapping[str, Listing], without_category: int, kinds: int, pairs: int) -> list[str]:
    """Odd things about lists. without_category counts pairs; kinds are the different categories of all `pairs`."""
    told = [
        f'{one.file}: its first line, "{one.heading}", names no image and was taken for a heading'
        for one in lists.values()
        if one.guessed
    ]
    if (categories := lists.get("categories")) is not None:
        if without_category:
            told.append(f"{categories.file} has no category for {without_category} of {pairs} pairs")
        place = f"{categories.file}, {columns(categories.values)}"
        fix = "write the heading category over the column meant"
        if categories.numbers:
            told.append(f"{place}: read as categories, though no heading says so and they are numbers; {fix}")
        elif kinds == pairs > 2:
            told.append(f"{place}: every pair has a category of its own; {fix}")
        elif kinds == 1 and pairs > 2:
            told.append(f"{place}: every pair has the same category; {fix}")
    return told
