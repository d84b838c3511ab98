"""What a name means: the same file in every spelling that lists, folders and operating systems use."""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from vmsbench.data.decoding import SUFFIXES
from vmsbench.errors import DataError


@dataclass(frozen=True)
class Problem:
    """A bad file or name, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{printable(self.name)}: {self.reason}"


class Names:
    """The picture files of a folder, given relative to it, found by any spelling of their names.

    A file is known by its stem, the name without its extension in composed Unicode (NFC): macOS writes the same name
    decomposed (NFD).
    """

    def __init__(self, files: Iterable[str], folder: str = "") -> None:
        self.folder = composed(folder)
        self.files = {composed(file): stem_of(file) for file in files}
        self.stems = {stem: file for file, stem in reversed(self.files.items())}

    def name(self, stem: str) -> str:
        """The file of that stem, in composed Unicode."""
        return self.stems[stem]

    def stem(self, name: str) -> str | None:
        """The stem of the file that `name` means: sun_a, sun_a.jpg, images/sun_a.jpg, ./sun_a.png.

        The very name of a file goes before a stem: where there are a.jpg and a.jpg.jpg, "a.jpg" means the first.
        """
        meant = list(self.spellings(name))
        for spelling in meant:
            if spelling in self.files:
                return self.files[spelling]
        return next((stem for stem in [*meant, *map(without_suffix, meant)] if stem in self.stems), None)

    def spellings(self, name: str) -> Iterator[str]:
        name = composed(name)
        for text in (name, name.strip(), name.strip().strip("\"'"), name.strip().replace("\\", "/")):
            parts = PurePosixPath(text).parts
            yield "/".join(parts)
            if parts[:1] == (self.folder,):
                yield "/".join(parts[1:])


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def stem_of(file: str) -> str:
    return os.path.splitext(composed(file))[0]


def is_picture(file: str) -> bool:
    return not file.startswith(".") and os.path.splitext(file)[1].lower() in SUFFIXES


def without_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in SUFFIXES else name


def is_text(name: str) -> bool:
    """Whether a file's name is UTF-8; Python carries other bytes along as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """A name as it can be printed on one line: bytes that are not UTF-8 and control characters are escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def some(names: Iterable[str], at_most: int = 3) -> str:
    """The first few names, for a message."""
    shown = [printable(name) for name in names]
    more = f" and {len(shown) - at_most} more" if len(shown) > at_most else ""
    return ", ".join(shown[:at_most]) + more


def refuse(root: object, problems: Iterable[Problem], at_most: int = 10) -> None:
    """Raise one DataError for all problems, if there are any: the first ten, and how to see the rest."""
    wrong = [str(problem) for problem in problems]
    if wrong:
        rest = f"; and {len(wrong) - at_most} more: vmsbench data check {root}" if len(wrong) > at_most else ""
        count = "1 bad file" if len(wrong) == 1 else f"{len(wrong)} bad files"
        raise DataError(f"{count} in {root}: {'; '.join(wrong[:at_most])}{rest}")
