"""A table as data, and its three plain forms: CSV with every digit, LaTeX with booktabs, Markdown."""

import csv
import io
from dataclasses import dataclass, field

Raw = float | int | str | None


@dataclass(frozen=True)
class Column:
    """key names it in the CSV; heading is for people; `text` columns are set left; hidden ones are in the CSV alone."""

    key: str
    heading: str
    text: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class Cell:
    """The value with all its digits, its spread where it has one, and what is printed; strong where it leads."""

    value: Raw = None
    shown: str = "–"
    spread: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class Part:
    """Rows under a heading of their own; each row has a cell per column."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Table:
    """name is the file's stem; caption says what is scored on which images; notes stand below."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def shown(self) -> tuple[int, ...]:
        """The indices of the columns that people see."""
        return tuple(at for at, column in enumerate(self.columns) if not column.hidden)


def words(value: str | None) -> Cell:
    return Cell(value or None, value or "–")


def number_cell(value: float | None, digits: int, spread: float | None = None) -> Cell:
    """A number with so many digits, ± its spread; a dash where there is none."""
    if value is None:
        return Cell()
    text = f"{value:.{digits}f}".replace("-", "−")
    return Cell(value, text if spread is None else f"{text} ± {spread:.{digits}f}", spread)


def to_csv(table: Table) -> str:
    """One heading line; a column that has spreads is followed by one called KEY_spread; absence is empty."""
    rows = [(part.title, row) for part in table.parts for row in part.rows]
    spreads = [any(row[at].spread is not None for _, row in rows) for at in range(len(table.columns))]
    titled = any(part.title for part in table.parts)
    heading = ["part"] if titled else []
    for column, has_spread in zip(table.columns, spreads, strict=True):
        heading += [column.key, f"{column.key}_spread"] if has_spread else [column.key]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    for title, row in rows:
        line: list[Raw] = [title] if titled else []
        for cell, has_spread in zip(row, spreads, strict=True):
            line += [cell.value, cell.spread] if has_spread else [cell.value]
        writer.writerow(["" if item is None else item for item in line])
    return text.getvalue()


LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "Δ": r"$\Delta$",
    "−": r"$-$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "×": r"$\times$",
    "→": r"$\to$",
    "–": "--",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "\u2009": r"\,",
    "`": "",
}


def escape_latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


def latex_cell(cell: Cell) -> str:
    text = escape_latex(cell.shown)
    return rf"\textbf{{{text}}}" if cell.strong else text


def to_latex(table: Table) -> str:
    """A tabular to \\input inside a table environment; needs booktabs alone. The caption and notes end it."""
    columns = [table.columns[at] for at in table.shown]
    lines = [f"% {escape_latex(table.caption)}".replace("\n", " "), "% needs \\usepackage{booktabs}"]
    lines.append(rf"\begin{{tabular}}{{@{{}}{''.join('l' if column.text else 'r' for column in columns)}@{{}}}}")
    lines += [r"\toprule", " & ".join(escape_latex(column.heading) for column in columns) + r" \\"]
    for part in table.parts:
        lines.append(r"\midrule")
        if part.title:
            lines.append(rf"\multicolumn{{{len(columns)}}}{{@{{}}l}}{{\emph{{{escape_latex(part.title)}}}}} \\")
        for row in part.rows:
            lines.append(" & ".join(latex_cell(row[at]) for at in table.shown) + r" \\")
    lines.append(r"\bottomrule")
    for note in (table.caption, *table.notes):
        lines.append(
            rf"\multicolumn{{{len(columns)}}}{{@{{}}p{{0.95\linewidth}}@{{}}}}"
            rf"{{\footnotesize {escape_latex(note)}}} \\"
        )
    return "\n".join([*lines, r"\end{tabular}", ""])


def to_markdown(table: Table) -> str:
    """A pipe table; the parts' titles are rows in italics."""
    columns = [table.columns[at] for at in table.shown]
    lines = [
        "| " + " | ".join(escape_pipe(column.heading) for column in columns) + " |",
        "|" + "|".join(" :--- " if column.text else " ---: " for column in columns) + "|",
    ]
    for part in table.parts:
        if part.title:
            lines.append(f"| *{escape_pipe(part.title)}* |" + " |" * (len(columns) - 1))
        lines += ["| " + " | ".join(markdown_cell(row[at]) for at in table.shown) + " |" for row in part.rows]
    return "\n".join(lines)


def markdown_cell(cell: Cell) -> str:
    text = escape_pipe(cell.shown)
    return f"**{text}**" if cell.strong else text


def escape_pipe(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
