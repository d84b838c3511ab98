"""Lines for people: within the width of a terminal, as they are elsewhere."""

import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import TextIO


def say(*lines: str, to: TextIO | None = None) -> None:
    """Print lines, on standard output or in `to`.

    In a terminal those that are wider than it go on in indented lines, cut between words alone.
    What names a folder, and JSON, is left whole, so that it can be copied.
    """
    print("\n".join(fitted(lines, to)), file=to, flush=True)


def fitted(lines: Iterable[str], to: TextIO | None = None) -> list[str]:
    if not (to or sys.stdout).isatty():
        return list(lines)
    width = shutil.get_terminal_size().columns
    return [part for line in lines for part in parts(line, width)]


def parts(line: str, width: int) -> list[str]:
    if len(line) <= width or line.startswith(("read from ", "{")):
        return [line]
    indent = len(line) - len(line.lstrip())
    return broken(line, width, then=" " * (indent + 2))


def broken(text: str, width: int, first: str = "", then: str = "") -> list[str]:
    """Lines of `width` columns, the first one and the others with an indent; addresses, paths and names stay whole."""
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )
