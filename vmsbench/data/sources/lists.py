"""Files that name images: which column holds the names is found by what the images are called, or refused.

A list is text with a name per row, or a table: commas, tabs or semicolons, with or without headings, with or without
the index that pandas writes, in UTF-8 or, with a byte-order mark, UTF-16.
"""

import csv
import difflib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmsbench.data.sources.names import Names, Problem, printable, some, without_suffix
from vmsbench.errors import DataError, did_you_mean
from vmsbench.files import read_bytes

FILES = frozenset(
    {"file", "files", "filename", "filenames", "file_name", "name", "names", "id", "ids", "path", "paths", "stem"}
    | {"image", "images", "image_name", "img", "picture", "stimulus", "fname", "filepath", "file_path", "imagename"}
    | {"image_file", "image_path", "image_id", "img_name", "img_path", "img_id", "stimuli", "photo", "pictures"}
)
INDEX = re.compile(r"(index|unnamed:? ?\d+)?")
NEAR = 0.75  # of difflib: a first line so like an image's name is one, written wrongly
NEAREST = 10  # names of no image for which the nearest image is looked for
LONGEST = 255  # characters of a file's name
MARKS = ",;\t"
ENCODINGS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Listing:
    """What was taken from a file of names.

    column   from 1, of which `heading` is the heading, if it has one; `guessed` where that is a word not known as one
    names    how many rows name something, of which `matched` are images
    values   the columns of the categories, from 1: one, or one for each category; none in a list of names alone
    numbers  whether the categories are numbers of a column that no heading says to be theirs
    """

    file: str
    column: int
    heading: str
    guessed: bool
    names: int
    matched: int
    values: tuple[int, ...] = ()
    numbers: bool = False

    @property
    def place(self) -> str:
        """The column of the names, in words."""
        return f"column {self.column}" + (f' "{printable(self.heading)}"' if self.heading else "")

    def __str__(self) -> str:
        values = f", categories in {columns(self.values)}" if self.values else ""
        return f"{self.file}, {self.place}{values}: {self.names} names, {self.matched} of them images"


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

    def heading(self, column: int) -> str:
        return self.headings[column] if column < len(self.headings) else ""

    def listing(self, matched: int, values: Sequence[int] = (), numbers: bool = False) -> Listing:
        """What was taken; `values` are the columns of the categories, from 0."""
        heading = self.heading(self.column)
        guessed = bool(heading) and plain(heading) not in FILES and not heading.isdigit()
        read = (len(self.rows), matched, tuple(column + 1 for column in values), numbers)
        return Listing(self.path.name, self.column + 1, heading, guessed, *read)


def stems_in(path: Path, images: Names) -> tuple[list[str], Listing, list[Problem]]:
    """The stems of the images that a list names, each once and in its order, and what is wrong with the list.

    Raises DataError where it names nothing, is no text, or two of its columns may be meant.
    """
    table = table_of(path, images)
    names = table.cells(table.column)
    meant = images.stems_of(names)
    problems = both_ways(path, names, images) + unknown(table, meant, images)
    times = Counter(stem for stem in meant if stem is not None)
    problems += [
        Problem(images.name(stem), f"listed {'twice' if count == 2 else f'{count} times'} in {path.name}")
        for stem, count in times.items()
        if count > 1
    ]
    return list(times), table.listing(sum(times.values())), problems


def unknown(table: NameTable, meant: list[str | None], images: Names) -> list[Problem]:
    """A problem for each name of no image, or one for the column where none of its names is one."""
    names = table.cells(table.column)
    wrong = list(dict.fromkeys(name for name, stem in zip(names, meant, strict=True) if stem is None))
    if len(names) > 1 and len(wrong) == len(set(names)):
        return [strange(table, images)]
    place = f"{table.path.name}, column {table.column + 1}" if table.width > 1 else table.path.name
    near = {name: did_you_mean(name, images.files) for name in wrong[:NEAREST]}
    return [
        Problem(short(name), f"in {place}, but no image in {images.folder}/{near.get(name, '')}")
        if name.strip()
        else Problem(table.path.name, "a row without a name")
        for name in wrong
    ]


def strange(table: NameTable, images: Names) -> Problem:
    """That no name of the column that was read is an image's."""
    there = some(short(name) for name in table.cells(table.column) if name.strip())
    listing = table.listing(0)
    known = table.width == 1 or plain(listing.heading) in FILES
    fix = "names here are" if known else "write the heading file over the column of names, which are"
    return Problem(
        table.path.name,
        f"{listing.place} names no image of {images.folder}/ (it has {there}): {fix} such as "
        f"{printable(next(iter(images.files), 'none'))}",
    )


def short(name: str) -> str:
    """A name as it is; what is longer than one can be is cut."""
    return name if len(name) <= LONGEST else f"{name[:40]}..."


def both_ways(path: Path, names: list[str], images: Names) -> list[Problem]:
    return [
        Problem(name, f"in {path.name}, is one image and, without extension, another; give all names their extensions")
        for name in images.undecided(names)
    ]


def is_index(table: NameTable, column: int) -> bool:
    """Whether a column counts the rows, as pandas writes it: by its empty heading, or 0, 1, 2 in order."""
    if column < len(table.headings):
        return INDEX.fullmatch(plain(table.headings[column])) is not None
    cells = table.cells(column)
    return cells in ([str(i + start) for i in range(len(cells))] for start in (0, 1))


def table_of(path: Path, images: Names) -> NameTable:
    """The rows of a file and its column of names. Raises DataError where there are none, or two may be meant."""
    lines = lines_of(path)
    if is_json(lines, images):
        raise DataError(f"{path}: this is JSON: save it as plain text, one name per line")
    usual = max(MARKS, key=lambda mark: sum(mark in line for line in lines))
    cuts = [("", False), *((mark, spaced) for mark in (usual, *MARKS) for spaced in (False, True))]
    ways = [rows for mark, spaced in cuts if (rows := split(path, lines, mark, spaced))]
    if not ways:
        raise DataError(f"{path}: empty: it names no image; write one name per row")
    scores = [best(rows, images) for rows in ways]
    rows = ways[scores.index(max(scores))] if max(scores) > (0, 0) else ways[min(1, len(ways) - 1)]
    headings = rows[0] if is_heading(rows, images) else ()
    rest = tuple(rows[1:] if headings else rows)
    if not rest:
        raise DataError(f"{path}: empty: it names no image; write one name per row")
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
        if len(rows) == 1 and not headings:
            raise DataError(f"{path}: its one row names several images ({shown}, ...): write one name per row")
        raise DataError(
            f"{path}: {columns([column + 1 for column in both])} both name images (in its first row {shown}): "
            "write the heading file over the one meant"
        )
    return first


def contradict(one: list[str | None], other: list[str | None]) -> bool:
    return any(a is not None and b is not None and a != b for a, b in zip(one, other, strict=True))


def columns(of: Sequence[int]) -> str:
    """Columns, counted from 1, in words."""
    if len(of) == 1:
        return f"column {of[0]}"
    return f"columns {', '.join(map(str, of[:-1]))} and {of[-1]}"


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
        raise DataError(f"{path}: cannot be read as a table ({error}): save it as plain text") from error
    return [row for row in rows if any(cell.strip() for cell in row)]


def lines_of(path: Path) -> list[str]:
    """The lines of a text in UTF-8, or in what its byte-order mark says."""
    try:
        content = read_bytes(path)
        encoding = next((name for mark, name in ENCODINGS if content.startswith(mark)), "utf-8-sig")
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text: save it as plain text, one name per line") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if "\0" in text:
        raise DataError(f"{path}: not UTF-8 text: save it as plain text, one name per line")
    return re.split(r"\r\n|\r|\n", text)


def is_json(lines: Sequence[str], images: Names) -> bool:
    """Whether a text is JSON, as a whole or line by line, and not names of images that are in brackets."""
    filled = [line for line in lines if line.strip()]
    bracketed = [line for line in filled if line.lstrip().startswith(("[", "{"))]
    if not bracketed or filled[0] != bracketed[0] or any(images.stem(line) is not None for line in bracketed):
        return False
    return parses("\n".join(filled)) or all(map(parses, filled))


def parses(text: str) -> bool:
    """Whether a text is JSON; no name of a file is nested so deep that Python cannot tell."""
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True
