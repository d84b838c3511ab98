"""The files of a folder and its subfolders: links are followed, each folder is entered once, and what is skipped is
reported."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vmsbench.data.sources.names import Problem, composed, is_picture, is_text, printable, some
from vmsbench.errors import DataError
from vmsbench.files import patiently

SYSTEM = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})


@dataclass(frozen=True)
class Walk:
    """What lies in a folder.

    files     those wanted, hidden ones never, sorted; a link that leads nowhere is among them: reading says why
    links     folders that were reached by a link, relative to `folder`
    aside     what was skipped -> how many: a suffix such as ".txt", or a reason
    dead      other links that lead nowhere, relative to `folder`
    doubled   links to folders that are read anyway or hold this one, relative to `folder`
    problems  names and folders that cannot be read
    """

    folder: Path
    files: tuple[Path, ...]
    links: tuple[str, ...]
    aside: dict[str, int]
    dead: tuple[str, ...]
    doubled: tuple[str, ...]
    problems: tuple[Problem, ...]


class Walker:
    """Enters real folders first, then links in their order; a folder seen before is not entered again."""

    def __init__(self, folder: Path, wanted: Callable[[str], bool], without: Sequence[Path]) -> None:
        self.folder, self.wanted = folder, wanted
        self.seen = {inode(place) for place in [*without, *folder.resolve().parents]} - {inode(folder)}
        self.files: list[Path] = []
        self.waiting: list[Path] = []
        self.links: list[str] = []
        self.aside: Counter[str] = Counter()
        self.dead: list[str] = []
        self.doubled: list[str] = []
        self.problems: list[Problem] = []

    def walk(self) -> Walk:
        self.enter(self.folder)
        while self.waiting:
            link = self.waiting.pop(0)
            if inode(link) in self.seen:
                self.doubled.append(self.name(link))
            else:
                self.links.append(self.name(link))
                self.enter(link)
        return Walk(
            self.folder,
            tuple(sorted(self.files)),
            tuple(self.links),
            dict(sorted(self.aside.items())),
            tuple(self.dead),
            tuple(self.doubled),
            tuple(self.problems),
        )

    def name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def enter(self, place: Path) -> None:
        deeper = [place]
        while deeper:
            place = deeper.pop()
            if (same := inode(place)) in self.seen:
                continue
            self.seen.add(same)
            try:
                entries = patiently(partial(inside, place))
            except OSError as error:
                if place == self.folder:
                    raise DataError(f"{place} cannot be read ({error.strerror})") from error
                self.problems.append(Problem(f"{self.name(place)}/", f"cannot be read ({error.strerror})"))
                continue
            for entry in entries:
                self.take(entry, deeper)

    def take(self, entry: os.DirEntry[str], deeper: list[Path]) -> None:
        path = Path(entry.path)
        kind = kind_of(entry)
        if kind == "folder" and (entry.name.startswith(".") or entry.name in SYSTEM):
            self.aside["hidden folders"] += 1
        elif kind in ("folder", "link to a folder"):
            if not is_text(entry.name):
                self.problems.append(Problem(f"{self.name(path)}/", "its name is not UTF-8: rename it"))
            elif kind == "folder":
                deeper.append(path)
            else:
                self.waiting.append(path)
        elif entry.name.startswith("."):
            self.aside["hidden files"] += 1
        elif kind == "dead link" and not self.wanted(entry.name):
            self.dead.append(self.name(path))
        elif not self.wanted(entry.name):
            self.aside[path.suffix.lower() or "files without a suffix"] += 1
        elif kind == "other":
            self.aside["pipes, sockets and devices"] += 1
        elif not is_text(entry.name):
            self.problems.append(Problem(self.name(path), "its name is not UTF-8: rename it"))
        else:
            self.files.append(path)


def walk(folder: Path, wanted: Callable[[str], bool] = is_picture, without: Sequence[Path] = ()) -> Walk:
    """The files of `folder` and below whose names are `wanted`, those in the folders `without` left out.

    Raises DataError where `folder` itself cannot be read.
    """
    return Walker(folder, wanted, without).walk()


def kinds(aside: Mapping[str, int], at_most: int = 6) -> str:
    """What was skipped, in words: the commonest kinds, and how many others."""
    each = sorted(aside.items(), key=lambda kind: -kind[1])
    shown = [f"{count} {printable(what)}" for what, count in each[:at_most]]
    others = sum(count for _, count in each[at_most:])
    return ", ".join(shown) + (f" and {others} of {len(each) - at_most} other kinds" if others else "")


def inside(place: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name. Raises OSError."""
    with os.scandir(place) as there:
        return sorted(there, key=lambda entry: entry.name)


def kind_of(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if entry.is_dir():
            return "link to a folder"
        if entry.is_file():
            return "file"
        return "dead link" if entry.is_symlink() else "other"
    except OSError:  # a link to itself, or one into a folder that cannot be read
        return "dead link"


def inode(place: Path) -> tuple[int, int] | str:
    try:
        status = place.stat()
    except OSError:
        return str(place)
    return status.st_dev, status.st_ino


def remarks(found: Walk) -> list[str]:
    """What is out of the ordinary in a folder."""
    called = f"{composed(found.folder.name)}/"
    told = []
    if found.dead:
        told.append(f"{called}: {len(found.dead)} links lead nowhere: {some(found.dead)}")
    if found.doubled:
        told.append(f"{called}: links to folders read already, or around it, are skipped: {some(found.doubled)}")
    unread = {suffix: count for suffix, count in found.aside.items() if suffix in LIKELY}
    if unread:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in unread.items())
        told.append(f"{called}: {kinds} are skipped: such files are not read")
    return told


LIKELY = frozenset(
    {".npy", ".npz", ".mat", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".svg", ".pdf", ".psd", ".dng", ".raw"}
    | {".ppm", ".pgm", ".pbm", ".tga", ".exr", ".hdr", ".pfm", ".dcm", ".nii", ".h5", ".hdf5", ".pt", ".pth", ".zip"}
)
