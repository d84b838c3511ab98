"""Further pictures of the same images, each kind in a folder of its own: fixations, and maps by other people."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vmsbench.data.cache import UnhashedFiles, digest_of
from vmsbench.data.decoding import Picture
from vmsbench.data.layout import found
from vmsbench.data.sources.fixations import Looked, read_fixations
from vmsbench.data.sources.names import Problem, composed, some, stem_of
from vmsbench.data.sources.oddities import brightness, depth, frames, transparency
from vmsbench.data.sources.provenance import Further, source, values
from vmsbench.data.sources.repeats import read_repeats, several
from vmsbench.data.sources.shelf import Shelf
from vmsbench.data.sources.walking import remarks
from vmsbench.errors import DataError

DENSE = 0.1  # of a picture's pixels; where more are fixated, it is a density and no fixations
Digests = Callable[[Sequence[Path]], list[str]]
Files = Mapping[str, tuple[Path, Path]]


@dataclass(frozen=True)
class Wanted:
    """What further folders are read for.

    files      image name -> (image, map), of all pairs
    stems      the names without extension of all images, of those too that are in no pair
    test       the names of the test images, of which repeats are needed; empty where they are not known yet
    partial    whether pictures may be missing, as where only a look is taken
    digests    the SHA-256 of files
    """

    root: Path
    files: Files
    stems: Collection[str]
    test: Sequence[str]
    channels: int
    size: int
    scale: float
    digests: Digests
    partial: bool = False


@dataclass
class FurtherData:
    """What was found: points, bool N x S x S, of all pairs; repeats, uint8 R x N x M x S x S, of the test images.

    digest   of the fixations, which change scores; empty without any
    """

    points: Tensor | None = None
    repeats: Tensor | None = None
    digest: str = ""
    accounts: dict[str, Further] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Partners:
    """A further folder, and which of its pictures is which image's: those that share their names."""

    def __init__(self, setting: str, folder: str, wanted: Wanted, names: Sequence[str]) -> None:
        if not (wanted.root / folder).is_dir():
            raise DataError(f"{setting}: {wanted.root} has no folder {folder} (found: {found(wanted.root)})")
        self.setting, self.folder, self.wanted, self.names = setting, composed(folder), wanted, names
        self.shelf = Shelf(wanted.root / folder)
        paths = self.shelf.paths
        self.paths = {name: paths[stem_of(name)] for name in names if stem_of(name) in paths}
        self.unhashed: dict[Path, str] = {}
        try:
            self.each = wanted.digests(list(self.paths.values()))
        except UnhashedFiles as error:
            self.each, self.unhashed = [], error.reasons

    @property
    def files(self) -> list[tuple[Path, Path]]:
        """Each image that has a picture here, and that picture."""
        return [(self.wanted.files[name][0], path) for name, path in self.paths.items()]

    def problems(self, read: Sequence[Any]) -> list[Problem]:
        """What is wrong with names and with the files of which `read` has a reason."""
        told = list(self.shelf.problems)
        missing = [name for name in self.names if name not in self.paths]
        if missing and not (self.wanted.partial and self.paths):
            said = f"no map for {len(missing)} of {len(self.names)} images: {some(missing)}"
            told.append(Problem(f"{self.setting}={self.folder}", said))
        wrong = {path: f"cannot be read ({why})" for path, why in self.unhashed.items()}
        wrong |= {path: why for path, why in zip(self.paths.values(), read, strict=True) if isinstance(why, str)}
        return told + [Problem(f"{self.folder}/{path.name}", why) for path, why in wrong.items()]

    def warnings(self) -> list[str]:
        strays = self.shelf.paths.keys() - self.wanted.stems
        told = [f"{self.folder}/: {len(strays)} of its pictures are of no image here"] if strays else []
        missing = len(self.names) - len(self.paths)
        if missing and self.paths and self.wanted.partial:
            told.append(f"{self.folder}/: no map for {missing} of {len(self.names)} images")
        return [*remarks(self.shelf.found), *told]

    def account(self, of: str, said: str = "", pictures: Sequence[Picture] = ()) -> Further:
        return Further(
            source=source(self.shelf.found),
            of=of,
            images=len(self.names),
            matched=len(self.paths),
            digest=digest_of(*self.paths, *self.each),
            values=values(list(self.paths), pictures),
            said=said,
        )


def read_further(wanted: Wanted, repeats: Sequence[str] | None, fixations: str | None) -> FurtherData:
    """The folders that data.repeats and data.fixations name; what is wrong with their files is among the problems.

    Raises ConfigurationError for repeats of one folder, DataError where a folder is missing.
    """
    told = FurtherData()
    if fixations is not None:
        add_fixations(told, wanted, Partners("data.fixations", fixations, wanted, list(wanted.files)))
    names = list(wanted.test or wanted.files)
    add_repeats(told, wanted, [Partners("data.repeats", one, wanted, names) for one in several(wanted.root, repeats)])
    return told


def add_fixations(told: FurtherData, wanted: Wanted, partners: Partners) -> None:
    read = read_fixations(partners.files, wanted.size)
    looked = [one for one in read if isinstance(one, Looked)]
    told.problems += partners.problems(read)
    counts = [int(one.points.sum()) for one in looked]
    if looked and not any(counts):
        said = "no pixel is fixated; every pixel that is not black counts as one"
        told.problems.append(Problem(f"data.fixations={partners.folder}", said))
    mean = f"{np.mean(counts):.1f} of {wanted.size**2} pixels fixated on average" if counts else ""
    told.accounts["fixations"] = partners.account("images", mean)
    told.digest = told.accounts["fixations"].digest
    told.warnings += partners.warnings()
    if empty := counts.count(0):
        told.warnings.append(f"{partners.folder}/: {empty} of {len(counts)} images have no fixation, and no such score")
    if looked and (share := float(np.mean([one.share for one in looked]))) > DENSE:
        told.warnings.append(
            f"{partners.folder}/: {100 * share:.0f} % of all pixels are not black, and count as fixations: are these "
            "densities?"
        )
    if looked and not told.problems:
        told.points = torch.from_numpy(np.stack([one.points for one in looked]))


def add_repeats(told: FurtherData, wanted: Wanted, each: Sequence[Partners]) -> None:
    stacks, of = [], "test images" if wanted.test else "images"
    for partners in each:
        read = read_repeats(partners.files, wanted.channels, wanted.size, wanted.scale)
        pictures = [one for one in read if isinstance(one, Picture)]
        told.problems += partners.problems(read)
        known = partners.account(of, pictures=pictures) if len(pictures) == len(read) else partners.account(of)
        told.accounts[f"repeats {partners.folder}"] = known
        told.warnings += [*partners.warnings(), *odd(known, partners, wanted.scale)]
        stacks.append([picture.pixels for picture in pictures])
    told.warnings += copies(wanted, each)
    if stacks and not told.problems and not wanted.partial:
        told.repeats = torch.from_numpy(np.stack([np.stack(stack) for stack in stacks]))


def odd(known: Further, partners: Partners, scale: float) -> list[str]:
    if not known.values.files:
        return []
    of = known.values
    told = [*brightness(of, scale), *depth(of, "maps"), *transparency(of, "maps"), *frames(of, "map")]
    return [f"{partners.folder}/: {one}" for one in told]


def copies(wanted: Wanted, each: Sequence[Partners]) -> list[str]:
    """Folders whose files are those of another, or the maps themselves: their agreement says nothing."""
    told: list[str] = []
    seen: dict[tuple[str, ...], str] = {}
    for partners in each:
        own = tuple(partners.each)
        try:
            maps = wanted.digests([wanted.files[name][1] for name in partners.paths])
        except UnhashedFiles:  # reading the pairs says so
            continue
        if own and own == tuple(maps):
            told.append(f"{partners.folder}/: its maps are the very maps that are learned")
        if own and seen.setdefault(own, partners.folder) != partners.folder:
            told.append(f"{partners.folder}/: its maps are those of {seen[own]}/: people agree with themselves")
    return told
