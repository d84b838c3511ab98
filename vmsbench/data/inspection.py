"""A check of a dataset: its files, the statistics of its maps, and every problem."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vmsbench.data.cache import hashes
from vmsbench.data.decoding import Pair, UnreadableFile, read, read_pairs
from vmsbench.data.folder import alike, problems_in, provenance
from vmsbench.data.indexing import Problem, Scan, scan
from vmsbench.data.layout import OPTIONS, Layout, detect
from vmsbench.data.pairs import Pairs
from vmsbench.data.rendering import grid, overlay, render
from vmsbench.data.sources.further import Wanted, read_further
from vmsbench.data.sources.names import printable
from vmsbench.data.sources.provenance import Provenance, decoded
from vmsbench.errors import ConfigurationError
from vmsbench.files import plain

SIZE = 64  # px, at which channels are measured
FAINT = 16  # of 255; a map whose red stays below has none (JPEG's noise does)
WIDTH = 80  # columns of the terminal


@dataclass(frozen=True)
class DataCheck:
    """What `check` found.

    counts       pairs per list; "pairs" are those that can be used, "unlisted" those in no list
    image_sizes  width x height, upright -> how many; map_sizes likewise
    kind         "colour" or "grey": the maps' channels
    mean, std    per channel of the maps at 64 px, in [0, 1]
    without_red  the share of maps with no red, None for grey maps
    problems     every bad file or name with its reason
    provenance   what was read, and warnings about what is odd
    pairs        the usable pairs at 64 px
    """

    layout: Layout
    counts: dict[str, int]
    image_sizes: dict[str, int]
    map_sizes: dict[str, int]
    kind: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    without_red: float | None
    problems: tuple[Problem, ...]
    pairs: Pairs
    provenance: Provenance

    @property
    def good(self) -> bool:
        return not self.problems

    def picture(self) -> Image.Image:
        """Eight pairs to look at. Raises ConfigurationError where there is no pair."""
        return picture(self.pairs)

    def as_json(self) -> dict[str, Any]:
        """The check as plain JSON: `good`, `counts`, `problems`, `warnings`, `provenance` and the measures."""
        measured = ("counts", "image_sizes", "map_sizes", "kind", "mean", "std", "without_red")
        return {
            "good": self.good,
            **{name: plain(getattr(self, name)) for name in measured},
            "problems": [{"name": printable(one.name), "reason": one.reason} for one in self.problems],
            "warnings": list(self.provenance.warnings),
            "provenance": self.provenance.as_json(),
        }


def check(
    root: str | Path,
    images: str | None = None,
    maps: str | None = None,
    repeats: Sequence[str] | None = None,
    fixations: str | None = None,
) -> DataCheck:
    """Look over VISCHEMA PLUS or any paired folder at `root`; every picture is decoded.

    images, maps        the two folders' names, where they cannot be guessed
    repeats, fixations  as the settings of data=folder

    Bad files do not raise; they are `problems`. Raises DataError where `root` holds no such dataset, with what it holds
    instead.
    """
    layout = detect(root, images, maps, OPTIONS)
    scanned = scan(layout, everything=True)
    names = list(scanned.files)
    each = alike(read_pairs(list(scanned.files.values()), SIZE))
    wrong = [*problems_in(names, each), *unreadable(scanned)]
    bad = {problem.name for problem in wrong}
    good = {name: pair for name, pair in zip(names, each, strict=True) if isinstance(pair, Pair) and name not in bad}
    pairs = together(good, scanned.categories)
    shares = pairs.maps.double() / 255
    red = pairs.maps[:, 0].amax((1, 2)) if len(good) and pairs.maps.shape[1] == 3 else None
    counts: dict[str, int] = {
        "pairs": len(good),
        **{split: len(members) for split, members in scanned.lists.items()},
        **({"unlisted": scanned.unlisted} if scanned.unlisted else {}),
    }
    kind = "grey" if pairs.maps.shape[1] == 1 else "colour"
    found = decoded(list(good), list(good.values()))
    test = [name for name in scanned.lists.get("test", ()) if name in scanned.files]
    channels = pairs.maps.shape[1]
    wanted = Wanted(layout.root, scanned.files, scanned.stems, test, channels, SIZE, 1, hashes, partial=True)
    further = read_further(wanted, repeats, fixations)
    return DataCheck(
        layout=layout,
        counts=counts,
        image_sizes=sizes([f"{pair.image.width} x {pair.image.height}" for pair in good.values()]),
        map_sizes=sizes([f"{pair.map.width} x {pair.map.height}" for pair in good.values()]),
        kind=kind,
        mean=tuple(shares.mean((0, 2, 3)).tolist()) if good else (),
        std=tuple(shares.std((0, 2, 3), correction=0).tolist()) if good else (),
        without_red=float((red < FAINT).double().mean()) if red is not None else None,
        problems=(*scanned.problems, *wrong, *further.problems),
        pairs=pairs,
        provenance=provenance(layout, scanned, found, counts, "grey" if kind == "grey" else "rg", 1, further),
    )


def unreadable(scanned: Scan) -> list[Problem]:
    """The pictures without a partner that could not be read if they had one."""
    told = []
    for name, (what, path) in scanned.alone.items():
        try:
            read(path, SIZE)
        except UnreadableFile as error:
            told.append(Problem(name, f"{what} {error}"))
    return told


def together(good: dict[str, Pair], categories: dict[str, str]) -> Pairs:
    if not good:
        return Pairs(
            (), torch.zeros(0, 3, SIZE, SIZE, dtype=torch.uint8), torch.zeros(0, 3, SIZE, SIZE, dtype=torch.uint8)
        )
    return Pairs(
        tuple(good),
        torch.from_numpy(np.stack([pair.image.pixels for pair in good.values()])),
        torch.from_numpy(np.stack([pair.map.pixels for pair in good.values()])),
        tuple(categories.get(name, "unknown") for name in good) if categories else (),
    )


def sizes(each: list[str]) -> dict[str, int]:
    return dict(Counter(each).most_common())


def lines(checked: DataCheck) -> list[str]:
    """The check as text for a terminal of 80 columns: all problems, one after the other."""
    layout, counts = checked.layout, checked.counts
    text = [f"{layout.title}: {layout.root}"]
    text.append(f"  images   {layout.images.name}/   {some(checked.image_sizes)}")
    text.append(f"  maps     {layout.maps.name}/   {checked.kind}, {some(checked.map_sizes)}")
    text.append(
        "  pairs    " + ", ".join([f"{counts['pairs']} usable", *(f"{counts[k]} {k}" for k in counts if k != "pairs")])
    )
    if layout.lists:
        text.append("  lists    " + ", ".join(f"{split} = {path.name}" for split, path in layout.lists.items()))
    if checked.pairs.categories:
        kinds = Counter(checked.pairs.categories)
        text.append(f"  kinds    {len(kinds)} categories, {min(kinds.values())} to {max(kinds.values())} pairs each")
    if checked.mean:
        names = ("grey",) if checked.kind == "grey" else ("red", "green", "blue")
        text.append(f"  maps at {SIZE} px     mean [-1,1]   std [-1,1]   mean [0,1]   std [0,1]")
        text += [
            f"    {name:<15}{2 * mean - 1:12.3f} {2 * std:12.3f} {mean:12.3f} {std:11.3f}"
            for name, mean, std in zip(names, checked.mean, checked.std, strict=True)
        ]
    if checked.without_red is not None:
        text.append(f"  without red: {100 * checked.without_red:.0f} % of the maps")
    account = checked.provenance
    text += ["what was read", *(f"  {what}: {words}" for what, words in account.table() if what != "pairs")]
    if account.warnings:
        text += ["odd:", *(f"  {warning}" for warning in account.warnings)]
    if checked.problems:
        text += [f"{len(checked.problems)} bad", *(f"  {problem}" for problem in checked.problems)]
    elif not account.warnings:
        text.append("nothing wrong found")
    return [line for long in text for line in wrapped(long)]


def wrapped(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    if len(line) <= WIDTH:
        return [line]
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def some(counted: dict[str, int], at_most: int = 3) -> str:
    """The commonest sizes and how many others."""
    shown = [f"{size} px ({count})" for size, count in list(counted.items())[:at_most]]
    others = len(counted) - at_most
    return ", ".join([*shown, *([f"{others} other sizes"] if others > 0 else [])]) or "none usable"


def picture(pairs: Pairs) -> Image.Image:
    """Eight pairs, evenly spread over the dataset, as image, map and the two laid over each other.

    Raises ConfigurationError where there is no pair.
    """
    if len(pairs) == 0:
        raise ConfigurationError("no pair to draw: none could be read")
    chosen = sorted({round(i * (len(pairs) - 1) / 7) for i in range(8)})
    scale = max(1, 128 // pairs.images.shape[-1])
    rows: list[list[Tensor | None]] = []
    captions = []
    for start in range(0, len(chosen), 2):
        row: list[Tensor | None] = []
        caption = []
        for i in chosen[start : start + 2]:
            image, map_ = pairs.images[i].cpu(), pairs.maps[i].cpu()
            row += [image, render(map_)[0], overlay(image, map_)]
            kind = f"  ({pairs.categories[i]})" if pairs.categories else ""
            caption += [pairs.names[i] + kind, "", ""]
        rows.append(row)
        captions.append(caption)
    titles = ["image", "map", "overlay"] * min(2, len(chosen))
    return grid(rows, scale, titles, captions)
