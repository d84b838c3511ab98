"""Progress of a running sweep: a live table in a terminal, plain lines with the time elsewhere."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmsbench.sweep.trial import Callback


def terminal() -> bool:
    """Whether standard output is a terminal that can redraw what it shows."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def watching(folder: Path, quiet: bool = False) -> Iterator["Callback"]:
    """The callback that shows a sweep: a live table in a terminal, lines elsewhere; where `quiet`, what is odd
    about the data alone."""
    from vmsbench.sweep.progress_lines import Lines, Quiet

    if quiet:
        yield Quiet()
    elif terminal():
        from vmsbench.cli.live_table import LiveTable

        table = LiveTable(folder)
        try:
            yield table
        finally:
            table.close()
    else:
        yield Lines(folder.name)
