"""What a name means: the same file in every spelling that lists, folders and operating systems use."""

import os
import shlex
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from vmsbench.errors import DataError

JPEGS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
SUFFIXES = JPEGS | {".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
"""What a picture's file name ends in, in lower case."""


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
        self.spelled: dict[str, tuple[str, ...]] = {}
        self.stems = {stem: file for file, stem in reversed(self.files.items())}

    def name(self, stem: str) -> str:
        """The file of that stem, in composed Unicode."""
        return self.stems[stem]

    def stem(self, name: str, bare: bool = False) -> str | None:
        """The stem of the file that `name` means: sun_a, sun_a.jpg, images/sun_a.jpg, ./sun_a.png.

        Where there are a.jpg and a.jpg.png, "a.jpg" is the name of the first and the stem of the second. It means the
        first, unless names are `bare`, written without their extensions.
        """
        as_stem, as_file = self.as_stem(name), self.as_file(name)
        meant = (as_stem, as_file) if bare else (as_file, as_stem)
        found = next((stem for stem in meant if stem is not None), None)
        if found is not None:
            return found
        return next((stem for one in self.spellings(name) if (stem := without_suffix(one)) in self.stems), None)

    def stems_of(self, names: Sequence[str]) -> list[str | None]:
        """What each of the names of one list means: bare where all are stems and not all are files."""
        bare = all(self.as_stem(name) is not None for name in names)
        bare = bare and any(self.as_file(name) is None for name in names)
        return [self.stem(name, bare) for name in names]

    def undecided(self, names: Sequence[str]) -> list[str]:
        """The names that are a file's and another's stem, in a list that has both names with and without extension."""
        if all(self.as_stem(name) is not None for name in names) or all(
            self.as_file(name) is not None for name in names
        ):
            return []
        both = {name: (self.as_file(name), self.as_stem(name)) for name in names}
        return [name for name, (file, stem) in both.items() if None not in (file, stem) and file != stem]

    def as_file(self, name: str) -> str | None:
        return next((self.files[one] for one in self.spellings(name) if one in self.files), None)

    def as_stem(self, name: str) -> str | None:
        return next((one for one in self.spellings(name) if one in self.stems), None)

    def spellings(self, name: str) -> tuple[str, ...]:
        """What a name may be called here, each once; remembered, for lists are gone through several times."""
        if name not in self.spelled:
            self.spelled[name] = tuple(dict.fromkeys(self.spell(composed(name))))
        return self.spelled[name]

    def spell(self, name: str) -> Iterator[str]:
        for text in dict.fromkeys((name, name.strip(), name.strip().replace("\\", "/"))):
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
        command = f"vmsbench data check {shlex.quote(str(root))}"
        rest = f"; and {len(wrong) - at_most} more: {command}" if len(wrong) > at_most else ""
        count = "1 bad file" if len(wrong) == 1 else f"{len(wrong)} bad files"
        raise DataError(f"{count} in {root}: {'; '.join(wrong[:at_most])}{rest}")
