"""Tables of categories: a column of them, or a column of 0 and 1 for each (one-hot, as pandas' `get_dummies` writes).

Which column holds the names is found as in lists. Of several columns that may be categories the one with a known
heading is meant, else the one behind the names.
"""

from collections.abc import Sequence
from pathlib import Path

from vmsbench.data.sources.lists import Listing, NameTable, both_ways, columns, is_index, plain, strange, table_of
from vmsbench.data.sources.names import Names, Problem, printable
from vmsbench.errors import DataError

CATEGORIES = frozenset(
    {"category", "categories", "class", "classes", "label", "labels", "kind", "type", "group", "scene", "condition"}
    | {"class_name", "category_name", "scene_category", "scene_type"}
)
YES = frozenset({"1", "1.0", "true", "yes", "x"})
NO = frozenset({"0", "0.0", "false", "no", ""})


def categories_in(path: Path, images: Names) -> tuple[dict[str, str], Listing, list[Problem]]:
    """Stem -> category, from a table of names and categories in any order, and what is wrong with it.

    Names without an image are skipped (a table may be of more images than are here), all of them at once are not.
    """
    table = table_of(path, images)
    values, numbers = category_columns(table)
    names = table.cells(table.column)
    rows = [
        (stem, kind)
        for stem, kind in zip(images.stems_of(names), kinds_of(table, values), strict=True)
        if stem is not None
    ]
    kinds = {stem: kind for stem, kind in rows if kind}
    problems = both_ways(path, names, images) + [
        Problem(images.name(stem), f"in {path.name} as {printable(kind)} and as {printable(kinds[stem])}")
        for stem, kind in dict.fromkeys(rows)
        if kind and kind != kinds[stem]
    ]
    if not rows:
        problems.append(strange(table, images))
    return kinds, table.listing(len(rows), values, numbers), problems


def category_columns(table: NameTable) -> tuple[list[int], bool]:
    """The column of the categories, or one for each, from 0; and whether they are numbers that may mean another thing.

    Raises DataError where there is none, or two may be meant.
    """
    others = [column for column in range(table.width) if column != table.column]
    known = [column for column in others if plain(table.heading(column)) in CATEGORIES]
    likely = known or [column for column in others if not is_index(table, column)] or others
    if not likely:
        raise DataError(f"{table.path}: no column of categories: give rows of file,category")
    after = [column for column in likely if column == table.column + 1]
    if known:
        return (after or known)[:1], False
    flags = one_hot(table, likely)
    if flags and (not after or after[0] in flags or numeric(table, after[0])):
        return flags, False
    if len(likely) > 1 and not after:
        raise DataError(
            f"{table.path}: {columns([column + 1 for column in likely])} may both be categories: "
            "write the heading category over the one meant"
        )
    chosen = (after or likely)[0]
    return [chosen], numeric(table, chosen) and (len(likely) > 1 or not whole(table, chosen))


def one_hot(table: NameTable, among: Sequence[int]) -> list[int]:
    """The columns with a heading that are yes or no, where there are several and each row has a single yes."""
    answers = {column: list(map(answer, table.cells(column))) for column in among if table.heading(column).strip()}
    flags = [column for column, said in answers.items() if None not in said]
    rows = zip(*(answers[column] for column in flags), strict=True)
    return flags if len(flags) > 1 and all(row.count(True) == 1 for row in rows) else []


def answer(cell: str) -> bool | None:
    """What a cell says; None where that is neither yes nor no."""
    word = cell.strip().lower()
    return True if word in YES else False if word in NO else None


def kinds_of(table: NameTable, values: Sequence[int]) -> list[str]:
    """The category of each row: a cell, or the heading over its yes, without a category_ that all headings have."""
    if len(values) == 1:
        return [cell.strip() for cell in table.cells(values[0])]
    headings = [table.heading(column).strip() for column in values]
    before = {plain(heading.partition("_")[0]) for heading in headings}
    if len(before) == 1 and before <= CATEGORIES:  # category_indoor, category_outdoor
        headings = [heading.partition("_")[2] for heading in headings]
    rows = zip(*(table.cells(column) for column in values), strict=True)
    return [next(heading for heading, cell in zip(headings, row, strict=True) if answer(cell)) for row in rows]


def numeric(table: NameTable, column: int) -> bool:
    return all(map(is_number, filter(None, map(str.strip, table.cells(column)))))


def whole(table: NameTable, column: int) -> bool:
    return not any("." in cell for cell in table.cells(column))


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
