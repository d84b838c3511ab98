"""What a layout holds: which images have maps, which names are in which list, and everything that is wrong with it."""

from dataclasses import dataclass
from pathlib import Path

from vmsbench.data.decoding import SUFFIXES
from vmsbench.data.layout import Layout, Split
from vmsbench.data.sources.lists import Listing, categories_in, stems_in
from vmsbench.data.sources.names import Names, Problem, refuse, stem_of
from vmsbench.data.sources.walking import Walk, kinds, walk
from vmsbench.errors import DataError

__all__ = ["Problem", "Scan", "refuse", "scan"]


@dataclass(frozen=True)
class Scan:
    """The pairs of a layout before any is decoded.

    files       image name -> (image, map), for the pairs to be read, sorted by name; names are composed Unicode (NFC)
    lists       the names of each split that has a list, in the list's order
    categories  image name -> category, where known
    unlisted    how many pairs are in no list (they are left out where there are lists)
    problems    everything that is wrong with names and partners; decoding finds the rest
    walks       what lies in the folder of images and in that of maps
    listings    which column of which list was read, by split and for "categories"
    """

    files: dict[str, tuple[Path, Path]]
    lists: dict[Split, tuple[str, ...]]
    categories: dict[str, str]
    unlisted: int
    problems: tuple[Problem, ...]
    walks: tuple[Walk, Walk]
    listings: dict[str, Listing]


class Shelf:
    """The picture files of a folder and its subfolders, by stem."""

    def __init__(self, folder: Path, apart: Path) -> None:
        self.folder, self.found = folder, walk(folder, without=[apart])
        files = [path.relative_to(folder).as_posix() for path in self.found.files]
        self.names = Names(files, folder.name)
        self.paths: dict[str, Path] = {}
        self.problems = [Problem(f"{folder.name}/{one.name}", one.reason) for one in self.found.problems]
        for file, path in zip(files, self.found.files, strict=True):
            other = self.paths.setdefault(stem_of(file), path)
            if other != path:
                self.problems.append(Problem(f"{folder.name}/{path.name}", f"same stem as {other.name}"))

    def name(self, stem: str) -> str:
        return self.names.name(stem)


def scan(layout: Layout, everything: bool = False) -> Scan:
    """Pair the files and read the lists of a layout. Raises DataError where a folder or a list is empty.

    everything   look at what no list names, too
    """
    images, maps = Shelf(layout.images, layout.maps), Shelf(layout.maps, layout.images)
    for shelf in (images, maps):
        if not shelf.paths and not shelf.problems:
            raise DataError(f"{shelf.folder} {nothing_in(shelf.found)}")
    problems = images.problems + maps.problems
    listed: dict[Split, list[str]] = {}
    listings: dict[str, Listing] = {}
    for split, path in layout.lists.items():
        listed[split], listings[split], wrong = stems_in(path, images.names)
        problems += wrong
    problems += in_two_lists(layout, listed, images)
    kinds: dict[str, str] = {}
    if layout.categories:
        kinds, listings["categories"], wrong = categories_in(layout.categories, images.names)
        problems += wrong
    meant = set().union(*listed.values()) if complete(listed) else set(images.paths)
    chosen = sorted(images.paths if everything else meant)
    problems += [Problem(images.name(stem), "image without a map") for stem in chosen if stem not in maps.paths]
    if everything or not listed:
        strays = sorted(maps.paths.keys() - images.paths.keys())
        problems += [Problem(maps.name(stem), "map without an image") for stem in strays]
    return Scan(
        files={images.name(stem): (images.paths[stem], maps.paths[stem]) for stem in chosen if stem in maps.paths},
        lists={split: tuple(images.name(stem) for stem in stems) for split, stems in listed.items()},
        categories={images.name(stem): kind for stem, kind in kinds.items()},
        unlisted=len(images.paths.keys() - meant),
        problems=tuple(problems),
        walks=(images.found, maps.found),
        listings=listings,
    )


def nothing_in(found: Walk) -> str:
    """Why a folder without pictures has none."""
    read = " ".join(sorted(SUFFIXES))
    there = kinds(found.aside)
    if found.dead:
        there = ", ".join([*([there] if there else []), f"{len(found.dead)} links that lead nowhere"])
    return (
        f"has no pictures in it (found: {there}); {read} are read" if there else f"is empty: no pictures in it ({read})"
    )


def complete(listed: dict[Split, list[str]]) -> bool:
    """Whether the lists say all: without a list for train, train is whatever the other lists leave."""
    return "train" in listed


def in_two_lists(layout: Layout, listed: dict[Split, list[str]], images: Shelf) -> list[Problem]:
    problems, splits = [], list(listed)
    for i, one in enumerate(splits):
        for other in splits[i + 1 :]:
            both = f"in {layout.lists[one].name} and in {layout.lists[other].name}"
            problems += [Problem(images.name(stem), both) for stem in sorted(set(listed[one]) & set(listed[other]))]
    return problems
