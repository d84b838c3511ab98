"""What a layout holds: which images have maps, which names are in which list, and everything that is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vmsbench.data.layout import Layout, Split
from vmsbench.data.sources.categories import categories_in
from vmsbench.data.sources.lists import Listing, stems_in
from vmsbench.data.sources.names import SUFFIXES, Names, Problem, refuse, stem_of
from vmsbench.data.sources.shelf import Shelf
from vmsbench.data.sources.walking import Walk, kinds
from vmsbench.errors import DataError

WITHOUT = {"image": "image without a map", "map": "map without an image"}
__all__ = ["Problem", "Scan", "refuse", "scan"]


@dataclass(frozen=True)
class Scan:
    """The pairs of a layout before any is decoded.

    files       image name -> (image, map), for the pairs to be read, sorted by name; names are composed Unicode (NFC)
    lists       the names of each split that has a list, in the list's order
    categories  image name -> category, where known
    unlisted    how many pairs are in no list (they are left out where there are lists)
    problems    everything that is wrong with names and partners; decoding finds the rest
    alone       pictures without their partner: the name -> "image" or "map", and the file
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
    alone: dict[str, tuple[str, Path]]

    @property
    def stems(self) -> set[str]:
        """Of all images that are there, in pairs or not."""
        return {stem_of(path.relative_to(self.walks[0].folder).as_posix()) for path in self.walks[0].files}


def scan(layout: Layout, everything: bool = False) -> Scan:
    """Pair the files and read the lists of a layout. Raises DataError where a folder is empty.

    everything   look at what no list names, too
    """
    images, maps = Shelf(layout.images, [layout.maps]), Shelf(layout.maps, [layout.images])
    for shelf in (images, maps):
        if not shelf.paths and not shelf.problems:
            raise DataError(f"{shelf.folder} {nothing_in(shelf.found)}")
    problems = images.problems + maps.problems
    named = read_lists(layout, images.names)
    problems += [*named.problems, *in_two_lists(layout, named.splits, images)]
    meant = set().union(*named.splits.values()) if "train" in layout.lists else set(images.paths)
    chosen = sorted(images.paths if everything else meant)
    alone = {images.name(stem): ("image", images.paths[stem]) for stem in chosen if stem not in maps.paths}
    if everything or not layout.lists:
        strays = sorted(maps.paths.keys() - images.paths.keys())
        alone |= {maps.name(stem): ("map", maps.paths[stem]) for stem in strays}
    problems += [Problem(name, WITHOUT[what]) for name, (what, _) in alone.items()]
    return Scan(
        files={images.name(stem): (images.paths[stem], maps.paths[stem]) for stem in chosen if stem in maps.paths},
        lists={split: tuple(images.name(stem) for stem in stems) for split, stems in named.splits.items()},
        categories={images.name(stem): kind for stem, kind in named.categories.items()},
        unlisted=len(images.paths.keys() - meant),
        problems=tuple(problems),
        walks=(images.found, maps.found),
        listings=named.listings,
        alone=alone,
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


@dataclass
class ListedNames:
    """What the lists of a layout name, by stem; a list that cannot be read is among the problems."""

    splits: dict[Split, list[str]] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        try:
            yield
        except DataError as error:
            self.problems.append(Problem(path.name, str(error).removeprefix(f"{path}: ")))


def read_lists(layout: Layout, images: Names) -> ListedNames:
    """The splits and the categories that a layout's lists give."""
    named = ListedNames()
    for split, path in layout.lists.items():
        with named.reading(path):
            named.splits[split], named.listings[split], wrong = stems_in(path, images)
            named.problems += wrong
    if table := layout.categories:
        with named.reading(table):
            named.categories, named.listings["categories"], wrong = categories_in(table, images)
            named.problems += wrong
    return named


def in_two_lists(layout: Layout, listed: dict[Split, list[str]], images: Shelf) -> list[Problem]:
    problems, splits = [], list(listed)
    for i, one in enumerate(splits):
        for other in splits[i + 1 :]:
            both = f"in {layout.lists[one].name} and in {layout.lists[other].name}"
            problems += [Problem(images.name(stem), both) for stem in sorted(set(listed[one]) & set(listed[other]))]
    return problems
