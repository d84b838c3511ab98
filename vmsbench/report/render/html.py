"""index.html: the document as one page that needs nothing else, neither files nor network.

Its one small script, inside it, sorts tables; without it the page lacks nothing but that.
"""

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import assert_never

from PIL import Image

from vmsbench.report.blocks import (
    Block,
    Bytes,
    Caution,
    Document,
    Facts,
    FigureBlock,
    Heading,
    Items,
    SampleGrid,
    SampleRow,
    Samples,
    TableBlock,
    Text,
)
from vmsbench.report.render.style import inline_svg
from vmsbench.report.render.tables import Cell, Part, Table

GENERATOR = "vmsbench report"


def to_page(document: Document) -> str:
    css, script = ((Path(__file__).parent / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    try:
        release = f" {version('vmsbench')}"
    except PackageNotFoundError:
        release = ""
    blocks = [
        figures(per_row, list(run)) if per_row > 1 else "\n".join(block_html(block) for block in run)
        for per_row, run in groupby(
            document.blocks, key=lambda block: block.per_row if isinstance(block, FigureBlock) else 1
        )
    ]
    contents = "".join(
        f'<li><a href="#{anchor(block.text)}">{marked(block.text)}</a></li>'
        for block in document.blocks
        if isinstance(block, Heading) and block.level == 2
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="{GENERATOR}">
<link rel="icon" href="data:,">
<title>{escape(document.title)}</title>
<style>
{css}</style>
</head>
<body>
<header>
<h1>{escape(document.title)}</h1>
<p>{marked(document.subtitle)}</p>
</header>
<nav aria-label="Contents"><ul>{contents}</ul></nav>
<main>
{"".join(blocks)}
</main>
<footer><p>Written by vmsbench{release} from the folders of the sweeps. Tables as CSV and LaTeX, figures as PNG and PDF
are next to this page.</p></footer>
<script>
{script}</script>
</body>
</html>
"""


def block_html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f'<h{level} id="{anchor(text)}">{marked(text)}</h{level}>'
        case Text(text, lead):
            return f'<p class="lead">{marked(text)}</p>' if lead else f"<p>{marked(text)}</p>"
        case Caution(text):
            return f'<p class="warning" role="note"><strong>Careful:</strong> {marked(text)}</p>'
        case Items(texts):
            return f"<ul>{''.join(f'<li>{marked(text)}</li>' for text in texts)}</ul>"
        case Facts(facts):
            pairs = (f"<div><dt>{marked(term)}</dt><dd>{marked(fact)}</dd></div>" for term, fact in facts)
            return f"<dl>{''.join(pairs)}</dl>"
        case TableBlock(table, folded, aside):
            if aside:
                return ""
            return folded_html(table) if folded else table_html(table)
        case SampleGrid(samples, picture):
            return gallery_html(samples, picture)
        case FigureBlock():
            return "" if block.aside else figure_html(block)
    assert_never(block)


def anchor(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def marked(text: str) -> str:
    """Escaped, with `back quotes` as code and the scales kept on one line."""
    whole = escape(text).replace("[−1, 1]", "[−1,\u00a01]").replace("[0, 1]", "[0,\u00a01]")
    whole = whole.replace(" ↓", "\u00a0↓").replace(" ↑", "\u00a0↑")
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", whole)


def figures(per_row: int, run: Sequence[Block]) -> str:
    return f'<div class="per_row of{per_row}">{"".join(block_html(block) for block in run)}</div>'


def figure_html(picture: FigureBlock) -> str:
    caption = f"<figcaption>{marked(picture.caption)}</figcaption>" if picture.caption else ""
    width = round(picture.figure.get_figwidth() * 96)
    drawn = inline_svg(picture.figure, picture.name, escape(picture.alt, quote=True))
    return (
        f'<figure><div class="scroll" tabindex="0" role="group" aria-label="Figure">'
        f'<div class="drawing" style="--width:{width}px">{drawn}</div></div>{caption}</figure>'
    )


def folded_html(table: Table) -> str:
    count = sum(len(part.rows) for part in table.parts)
    return f"<details><summary>{marked(table.caption)} ({count} rows)</summary>{table_html(table)}</details>"


def table_html(table: Table) -> str:
    heads = "".join(f'<th scope="col"{kind(table, at)}>{marked(table.columns[at].heading)}</th>' for at in table.shown)
    parts = "".join(part_html(table, part) for part in table.parts)
    notes = "".join(f"<p>{marked(note)}</p>" for note in table.notes)
    sortable = ' class="sortable"' if any(len(part.rows) > 1 for part in table.parts) else ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(table.caption, quote=True)}">'
        f"<table{sortable}><caption><span>{marked(table.caption)}</span></caption><thead><tr>{heads}</tr></thead>{parts}</table></div>"
        + (f'<div class="notes">{notes}</div>' if notes else "")
    )


def kind(table: Table, at: int) -> str:
    return ' class="text"' if table.columns[at].text else ""


def part_html(table: Table, part: Part) -> str:
    first, *others = table.shown
    title = f'<tr class="part"><th scope="rowgroup" colspan="{len(table.shown)}">{marked(part.title)}</th></tr>'
    rows = "".join(
        f'<tr><th scope="row" class="text"{value(row[first])}>{marked(row[first].shown)}</th>'
        + "".join(f"<td{kind(table, at)}{value(row[at])}>{cell_html(row[at])}</td>" for at in others)
        + "</tr>"
        for row in part.rows
    )
    return f"<tbody>{title if part.title else ''}{rows}</tbody>"


def value(cell: Cell) -> str:
    """What a cell is sorted by: its value with all digits."""
    return "" if cell.value is None else f' data-value="{escape(str(cell.value), quote=True)}"'


def cell_html(cell: Cell) -> str:
    """The printed cell, its spread set smaller."""
    value, sign, spread = cell.shown.partition(" ± ") if cell.spread is not None else (cell.shown, "", "")
    text = f"<strong>{marked(value)}</strong>" if cell.strong else marked(value)
    return text + (f"<small> ± {marked(spread)}</small>" if sign else "")


def gallery_html(samples: Samples, picture: FigureBlock) -> str:
    heads = "".join(f'<th scope="col">{escape(column)}</th>' for column in samples.columns)
    rows = "".join(row_html(row, samples.columns) for row in samples.rows)
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="Samples"><table class="samples">'
        f"<caption><span>{marked(picture.caption)}</span></caption>"
        f'<thead><tr><th scope="col">Test image</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def row_html(row: SampleRow, columns: Sequence[str]) -> str:
    stem = Path(row.name).stem
    rank = f"{row.rank}<br>" if row.rank else ""
    cells = []
    for column in columns:
        tile = row.tiles.get(column)
        if tile is None:
            cells.append("<td>–</td>")
            continue
        error = f"<span>{tile.l1:.3f}</span>" if tile.l1 is not None else ""
        alt = escape(f"{column}, {stem}", quote=True)
        cells.append(f'<td><img alt="{alt}" src="{data_uri(tile.pixels)}">{error}</td>')
    return f'<tr><th scope="row">{rank}<small>{escape(stem)}</small></th>{"".join(cells)}</tr>'


def data_uri(pixels: Bytes) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
