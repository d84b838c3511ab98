"""How wide a text is, for a terminal of 80 columns."""

from collections.abc import Iterable


def widest(lines: Iterable[str]) -> int:
    """The longest line of several words; a path or address alone on its line stays whole, so that it can be copied."""
    return max(len(line) for line in lines if len(line.split()) != 1)
