"""A copy of the package that is broken in one place."""

import shutil
from pathlib import Path

from tests.support.processes.running import ROOT


def broken(place: Path, file: str, words: str, others: str) -> Path:
    """A copy of the package in which some words are others."""
    for part in ("vmsbench", "conf"):
        shutil.copytree(ROOT / part, place / part)
    text = (place / "vmsbench" / file).read_text()
    assert words in text
    (place / "vmsbench" / file).write_text(text.replace(words, others))
    return place
