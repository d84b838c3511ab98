"""Commands of vmsbench in this process: as `main` runs them, without a new Python."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

NOBODY = 65534


@dataclass(frozen=True)
class Called:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All of it, on one line."""
        return " ".join(f"{self.out}\n{self.err}".split())


def called(*arguments: object) -> Called:
    from vmsbench.cli.app import app
    from vmsbench.cli.exit_codes import run
    from vmsbench.sweep.tune import warn_once

    warn_once.cache_clear()
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["vmsbench", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run(app)
    finally:
        sys.argv = before
    return Called(code, out.getvalue(), err.getvalue())


def refused(end: Called, *words: str) -> None:
    """It was refused in one line that says all this."""
    assert end.code == 2, end
    (line,) = end.err.splitlines()
    assert line.startswith("error: "), end
    assert all(word in line for word in words), line


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Within the block files are opened as by somebody who owns none of them."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
