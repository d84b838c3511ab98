"""What a layout holds: which images have maps, which names are in which list, and everything that is wrong with it."""

import csv
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vmsbench.data.decoding import SUFFIXES
from vmsbench.data.layout import Layout, Split
from vmsbench.errors import DataError

HEADERS = frozenset(
    {"file", "files", "filename", "filenames", "file_name", "name", "names", "id", "ids", "path", "paths", "stem"}
    | {"image", "images", "image_name", "img", "picture", "stimulus"}
)


@dataclass(frozen=True)
class Problem:
    """A bad file or name, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True)
class Scan:
    """The pairs of a layout before any is decoded.

    files       image name -> (image, map), for the pairs to be read, sorted by name
    lists       the names of each split that has a list, in the list's order
    categories  image name -> category, where known
    unlisted    how many pairs are in no list (they are left out where there are lists)
    problems    everything that is wrong with names and partners; decoding finds the rest
    """

    files: dict[str, tuple[Path, Path]]
    lists: dict[Split, tuple[str, ...]]
    categories: dict[str, str]
    unlisted: int
    problems: tuple[Problem, ...]


class Shelf:
    """The picture files of a folder and its subfolders, found by name with or without an extension."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: dict[str, Path] = {}
        self.twins: list[Problem] = []
        for path in pictures_in(folder):
            stem = path.relative_to(folder).with_suffix("").as_posix()
            if stem in self.paths:
                self.twins.append(Problem(f"{folder.name}/{path.name}", f"same stem as {self.paths[stem].name}"))
            else:
                self.paths[stem] = path

    def stem(self, name: str) -> str | None:
        """The stem of the file that `name` means: sun_a, sun_a.jpg, images/sun_a.jpg, ./sun_a.png."""
        parts = PurePosixPath(name.strip().replace("\\", "/")).parts
        inside = parts[1:] if parts[:1] == (self.folder.name,) else parts
        for candidate in ("/".join(parts), "/".join(inside)):
            for stem in (candidate, without_suffix(candidate)):
                if stem in self.paths:
                    return stem
        return None

    def name(self, stem: str) -> str:
        return self.paths[stem].relative_to(self.folder).as_posix()


def pictures_in(folder: Path) -> list[Path]:
    paths = []
    for place, _, files in os.walk(folder):
        paths += [Path(place, file) for file in files if is_picture(file)]
    return sorted(paths)


def is_picture(file: str) -> bool:
    return not file.startswith(".") and os.path.splitext(file)[1].lower() in SUFFIXES


def without_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in SUFFIXES else name


def scan(layout: Layout, everything: bool = False) -> Scan:
    """Pair the files and read the lists of a layout. Raises DataError where a folder or a list is empty.

    everything   look at what no list names, too
    """
    images, maps = Shelf(layout.images), Shelf(layout.maps)
    for shelf in (images, maps):
        if not shelf.paths:
            raise DataError(f"{shelf.folder} is empty: no pictures in it ({' '.join(sorted(SUFFIXES))})")
    problems = images.twins + maps.twins
    listed: dict[Split, list[str]] = {}
    for split, path in layout.lists.items():
        listed[split], wrong = stems_in(path, images)
        problems += wrong
    problems += in_two_lists(layout, listed, images)
    meant = set().union(*listed.values()) if complete(listed) else set(images.paths)
    chosen = sorted(images.paths if everything else meant)
    problems += [Problem(images.name(stem), "image without a map") for stem in chosen if stem not in maps.paths]
    if everything or not listed:
        strays = sorted(maps.paths.keys() - images.paths.keys())
        problems += [Problem(maps.name(stem), "map without an image") for stem in strays]
    files = {images.name(stem): (images.paths[stem], maps.paths[stem]) for stem in chosen if stem in maps.paths}
    return Scan(
        files=files,
        lists={split: tuple(images.name(stem) for stem in stems) for split, stems in listed.items()},
        categories=categories_in(layout.categories, images) if layout.categories else {},
        unlisted=len(images.paths.keys() - meant),
        problems=tuple(problems),
    )


def complete(listed: dict[Split, list[str]]) -> bool:
    """Whether the lists say all: without a list for train, train is whatever the other lists leave."""
    return "train" in listed


def stems_in(path: Path, images: Shelf) -> tuple[list[str], list[Problem]]:
    """The images a list names, each once and in its order, and what is wrong with the list."""
    names = [row[0] for row in rows_of(path)]
    if names and is_header(names, images):
        names = names[1:]
    if not names:
        raise DataError(f"{path} is empty: it names no image")
    found = {name: images.stem(name) for name in names}
    problems = [
        Problem(name, f"in {path.name}, but no image in {images.folder.name}/")
        for name, stem in found.items()
        if stem is None
    ]
    times = Counter(stem for name in names if (stem := found[name]) is not None)
    problems += [
        Problem(images.name(stem), f"listed {'twice' if count == 2 else f'{count} times'} in {path.name}")
        for stem, count in times.items()
        if count > 1
    ]
    return list(times), problems


def is_header(names: Sequence[str], images: Shelf) -> bool:
    """A first line that names no image and is a known heading, or alone in having no extension."""
    heading = names[0]
    if images.stem(heading) is not None:
        return False
    alone = without_suffix(heading) == heading and all(without_suffix(name) != name for name in names[1:])
    return heading.strip().lower() in HEADERS or (alone and len(names) > 1)


def in_two_lists(layout: Layout, listed: dict[Split, list[str]], images: Shelf) -> list[Problem]:
    problems, splits = [], list(listed)
    for i, one in enumerate(splits):
        for other in splits[i + 1 :]:
            both = f"in {layout.lists[one].name} and in {layout.lists[other].name}"
            problems += [Problem(images.name(stem), both) for stem in sorted(set(listed[one]) & set(listed[other]))]
    return problems


def categories_in(path: Path, images: Shelf) -> dict[str, str]:
    """Rows of name, category; a header is a row that names no image."""
    rows = [row for row in rows_of(path) if len(row) > 1]
    return {images.name(stem): row[1].strip() for row in rows if (stem := images.stem(row[0])) is not None}


def rows_of(path: Path) -> list[list[str]]:
    """The non-empty rows of a list: commas, tabs or semicolons; a byte-order mark and CRLF do not matter."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: save it as plain text, one name per line") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    lines = text.splitlines()
    delimiter = max(",;\t", key=lambda mark: sum(mark in line for line in lines))
    return [row for row in csv.reader(lines, delimiter=delimiter) if row and row[0].strip()]


def refuse(root: Path, problems: Iterable[Problem], at_most: int = 10) -> None:
    """Raise one DataError for all problems, if there are any: the first ten, and how to see the rest."""
    wrong = [str(problem) for problem in problems]
    if wrong:
        rest = f"; and {len(wrong) - at_most} more: vmsbench data check {root}" if len(wrong) > at_most else ""
        count = "1 bad file" if len(wrong) == 1 else f"{len(wrong)} bad files"
        raise DataError(f"{count} in {root}: {'; '.join(wrong[:at_most])}{rest}")
