"""Files that name images: which column holds the names is found by what the images are called, or refused.

A list is text with a name per row, or a table: commas, tabs or semicolons, with or without headings, with or without
the index that pandas writes, in UTF-8 or, with a byte-order mark, UTF-16.
"""

import csv
import difflib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from vmsbench.data.sources.names import Names, Problem, printable, some, without_suffix
from vmsbench.errors import DataError

FILES = frozenset(
    {"file", "files", "filename", "filenames", "file_name", "name", "names", "id", "ids", "path", "paths", "stem"}
    | {"image", "images", "image_name", "img", "picture", "stimulus", "fname", "filepath", "file_path", "imagename"}
    | {"image_file", "image_path", "image_id", "img_name", "img_path", "img_id", "stimuli", "photo", "pictures"}
)
CATEGORIES = frozenset(
    {"category", "categories", "class", "classes", "label", "labels", "kind", "type", "group", "scene", "condition"}
    | {"class_name", "category_name", "scene_category", "scene_type"}
)
INDEX = re.compile(r"(index|unnamed:? ?\d+)?")
NEAR = 0.75  # of difflib: a first line so like an image's name is one, written wrongly
MARKS = ",;\t"
ENCODINGS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Listing:
    """What was taken from a file of names.

    column   from 1, of which `heading` is the heading, if it has one; `guessed` where that is a word not known as one
    names    how many rows name something, of which `matched` are images
    values   the column of the categories, from 1; 0 in a list of names alone
    """

    file: str
    column: int
    heading: str
    guessed: bool
    names: int
    matched: int
    values: int = 0

    def __str__(self) -> str:
        column = f"column {self.column}" + (f' "{printable(self.heading)}"' if self.heading else "")
        values = f", categories in column {self.values}" if self.values else ""
        return f"{self.file}, {column}{values}: {self.names} names, {self.matched} of them images"


@dataclass(frozen=True)
class NameTable:
    """The rows of a file, and the column that names images."""

    path: Path
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    column: int

    def cells(self, column: int) -> list[str]:
        return [row[column] if column < len(row) else "" for row in self.rows]

    @property
    def width(self) -> int:
        return max((len(row) for row in self.rows), default=0)

    def listing(self, matched: int, values: int = 0) -> Listing:
        heading = self.headings[self.column] if self.column < len(self.headings) else ""
        guessed = bool(heading) and plain(heading) not in FILES and not heading.isdigit()
        return Listing(self.path.name, self.column + 1, heading, guessed, len(self.rows), matched, values)


def stems_in(path: Path, images: Names) -> tuple[list[str], Listing, list[Problem]]:
    """The stems of the images that a list names, each once and in its order, and what is wrong with the list.

    Raises DataError where it names nothing, is no text, or two of its columns may be meant.
    """
    table = table_of(path, images)
    names = table.cells(table.column)
    meant = images.stems_of(names)
    found = dict(zip(names, meant, strict=True))
    problems = both_ways(path, names, images) + [
        Problem(name if name.strip() else path.name, f"in {path.name}, but no image in {images.folder}/")
        if name.strip()
        else Problem(path.name, "a row without a name")
        for name, stem in found.items()
        if stem is None
    ]
    times = Counter(stem for stem in meant if stem is not None)
    problems += [
        Problem(images.name(stem), f"listed {'twice' if count == 2 else f'{count} times'} in {path.name}")
        for stem, count in times.items()
        if count > 1
    ]
    return list(times), table.listing(sum(times.values())), problems


def categories_in(path: Path, images: Names) -> tuple[dict[str, str], Listing, list[Problem]]:
    """Stem -> category, from a table of names and categories in either order, and what is wrong with it.

    Names without an image are skipped (a table may be of more images than are here), all of them at once are not.
    """
    table = table_of(path, images)
    values = category_column(table)
    names = table.cells(table.column)
    rows = [
        (stem, kind.strip())
        for stem, kind in zip(images.stems_of(names), table.cells(values), strict=True)
        if stem is not None
    ]
    kinds = {stem: kind for stem, kind in rows if kind}
    problems = both_ways(path, names, images) + [
        Problem(images.name(stem), f"in {path.name} as {printable(kind)} and as {printable(kinds[stem])}")
        for stem, kind in dict.fromkeys(rows)
        if kind and kind != kinds[stem]
    ]
    if not rows:
        there = some(name for name in names if name.strip())
        problems.append(Problem(path.name, f"names no image of {images.folder}/ (it has {there})"))
    return kinds, table.listing(len(rows), values + 1), problems


def both_ways(path: Path, names: list[str], images: Names) -> list[Problem]:
    return [
        Problem(name, f"in {path.name}, is one image and, without extension, another; give all names their extensions")
        for name in images.undecided(names)
    ]


def category_column(table: NameTable) -> int:
    others = [column for column in range(table.width) if column != table.column]
    known = [c for c in others if c < len(table.headings) and plain(table.headings[c]) in CATEGORIES]
    likely = known or [c for c in others if not is_index(table, c)] or others
    if not likely:
        raise DataError(f"{table.path} has no column of categories: give rows of file,category")
    after = [column for column in likely if column == table.column + 1]
    if len(likely) > 1 and not known and not after:
        raise DataError(
            f"{table.path}: {columns(likely)} may both be categories: write the heading category over the one meant"
        )
    return (after or likely)[0]


def is_index(table: NameTable, column: int) -> bool:
    """Whether a column counts the rows, as pandas writes it: by its empty heading, or 0, 1, 2 in order."""
    if column < len(table.headings):
        return INDEX.fullmatch(plain(table.headings[column])) is not None
    cells = table.cells(column)
    return cells in ([str(i + start) for i in range(len(cells))] for start in (0, 1))


def table_of(path: Path, images: Names) -> NameTable:
    """The rows of a file and its column of names. Raises DataError where there are none, or two may be meant."""
    lines = lines_of(path)
    usual = max(MARKS, key=lambda mark: sum(mark in line for line in lines))
    cuts = [("", False), *((mark, spaced) for mark in (usual, *MARKS) for spaced in (False, True))]
    ways = [rows for mark, spaced in cuts if (rows := split(path, lines, mark, spaced))]
    if not ways:
        raise DataError(f"{path} is empty: it names no image; write one name per row")
    scores = [best(rows, images) for rows in ways]
    rows = ways[scores.index(max(scores))] if max(scores) > (0, 0) else ways[min(1, len(ways) - 1)]
    headings = rows[0] if is_heading(rows, images) else ()
    rest = tuple(rows[1:] if headings else rows)
    if not rest:
        raise DataError(f"{path} is empty: it names no image; write one name per row")
    return NameTable(path, headings, rest, column_of(path, headings, rest, images))


def best(rows: list[tuple[str, ...]], images: Names) -> tuple[int, int]:
    """How many names of images the best column of these rows has, and all columns together."""
    width = max(len(row) for row in rows)
    each = [sum(len(row) > c and images.stem(row[c]) is not None for row in rows) for c in range(width)]
    return max(each), sum(each)


def column_of(path: Path, headings: tuple[str, ...], rows: tuple[tuple[str, ...], ...], images: Names) -> int:
    """The column whose entries are images: found by its heading, else by extensions, else by which names exist."""
    table = NameTable(path, headings, rows, 0)
    every = list(range(table.width))
    known = [column for column in every if column < len(headings) and plain(headings[column]) in FILES]
    places = known or [c for c in every if not (headings and is_index(table, c))] or every
    stems = {column: images.stems_of(table.cells(column)) for column in every}
    matched = {column: sum(stem is not None for stem in stems[column]) for column in every}
    files = [c for c in places if 2 * sum(without_suffix(cell) != cell for cell in table.cells(c)) > len(rows)]
    if files and not any(matched[column] for column in files) and any(matched[column] for column in places):
        other = next(column for column in places if matched[column])
        raise DataError(
            f"{path}: column {files[0] + 1} has names of pictures that are not in {images.folder}/, column {other + 1} "
            "has names that are: write the heading file over the one meant"
        )
    places = files or places
    if not any(matched[column] for column in places):
        named = [column for column in every if matched[column]]
        return places[0] if known or files or not named else named[0]
    first = max(places, key=lambda column: matched[column])
    rivals = [c for c in places if 2 * matched[c] > matched[first] and contradict(stems[c], stems[first])]
    if rivals:
        both = sorted([first, *rivals])
        shown = some(table.cells(column)[0] for column in both)
        raise DataError(
            f"{path}: {columns(both)} both name images (in its first row {shown}): "
            "write the heading file over the one meant"
        )
    return first


def contradict(one: list[str | None], other: list[str | None]) -> bool:
    return any(a is not None and b is not None and a != b for a, b in zip(one, other, strict=True))


def columns(of: list[int]) -> str:
    return f"columns {', '.join(str(column + 1) for column in of[:-1])} and {of[-1] + 1}"


def is_heading(rows: list[tuple[str, ...]], images: Names) -> bool:
    """Whether the first row is one of headings: a known one, pandas' own, or a word alone in having no extension.

    A word that is nearly an image's name is a name written wrongly.
    """
    first, rest = rows[0], rows[1:]
    named = [cell for cell in first if images.stem(cell) is not None]
    if any(without_suffix(cell) != cell for cell in named):
        return False
    known = [column for column, cell in enumerate(first) if plain(cell) in FILES]
    alone = [c for c, cell in enumerate(first) if rest and without_suffix(cell) == cell and all_files(rest, c)]
    counted = [cell for cell in first if cell.strip()]
    unnamed = counted == [str(number) for number in range(len(counted))]
    index = bool(rest) and not first[0].strip() and all(row[0].strip() for row in rest)
    if known and (not named or index or set(known) & set(alone)):
        return True
    if (alone and unnamed) or (index and (unnamed or not named)):
        return True
    return bool(alone) and not named and not any(like_a_name(first[column], images) for column in alone)


def like_a_name(word: str, images: Names) -> bool:
    """Unknown headings have no digits, names of pictures do."""
    near = difflib.get_close_matches(word, images.stems, n=1, cutoff=NEAR)
    return bool(near) or any(character.isdigit() for character in word)


def all_files(rows: list[tuple[str, ...]], column: int) -> bool:
    return all(len(row) > column and without_suffix(row[column]) != row[column] for row in rows)


def plain(heading: str) -> str:
    return re.sub(r"[\s\-]+", "_", heading.strip().lower())


def split(path: Path, lines: list[str], mark: str, spaced: bool) -> list[tuple[str, ...]]:
    """The rows that are not empty, cut at `mark`, or at it and the spaces behind it; whole lines without one."""
    if not mark:
        return [(line,) for line in lines if line.strip()]
    try:
        rows = [tuple(row) for row in csv.reader(lines, delimiter=mark, skipinitialspace=spaced)]
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a table ({error}): save it as plain text") from error
    return [row for row in rows if any(cell.strip() for cell in row)]


def lines_of(path: Path) -> list[str]:
    """The lines of a text in UTF-8, or in what its byte-order mark says."""
    try:
        content = path.read_bytes()
        encoding = next((name for mark, name in ENCODINGS if content.startswith(mark)), "utf-8-sig")
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: save it as plain text, one name per line") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    if "\0" in text:
        raise DataError(f"{path} is not UTF-8 text: save it as plain text, one name per line")
    return re.split(r"\r\n|\r|\n", text)
