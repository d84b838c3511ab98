"""report.md: the document as Markdown, with links to the figures' files."""

from typing import assert_never

from vmsbench.report.blocks import (
    Block,
    Caution,
    Document,
    Facts,
    FigureBlock,
    Heading,
    Items,
    SampleGrid,
    TableBlock,
    Text,
)
from vmsbench.report.render.tables import to_markdown


def to_report(document: Document) -> str:
    parts = [f"# {document.title}", document.subtitle, *(block_text(block) for block in document.blocks)]
    return "\n\n".join(part for part in parts if part) + "\n"


def block_text(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Text(text):
            return text
        case Caution(text):
            return f"> **Careful:** {text}"
        case Items(texts):
            return "\n".join(f"- {text}" for text in texts)
        case Facts(facts):
            return "\n".join(f"- **{term}**: {fact}" for term, fact in facts)
        case TableBlock(table, _, aside):
            return "" if aside else "\n\n".join([f"**{table.caption}**", to_markdown(table), *table.notes])
        case SampleGrid(_, picture) | (FigureBlock() as picture):
            if picture.aside:
                return ""
            link = f"![{picture.alt}](plots/{picture.name}.png)"
            return f"{link}\n\n*{picture.caption}*" if picture.caption else link
    assert_never(block)
