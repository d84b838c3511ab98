"""The pictures of a folder and its subfolders by the names of what they show."""

from collections.abc import Sequence
from pathlib import Path

from vmsbench.data.sources.names import Names, Problem, stem_of
from vmsbench.data.sources.walking import walk


class Shelf:
    """The picture files of a folder and its subfolders, by stem; those in the folders `without` are left out.

    problems   names that cannot be read, and files of which another has the stem
    """

    def __init__(self, folder: Path, without: Sequence[Path] = ()) -> None:
        self.folder, self.found = folder, walk(folder, without=without)
        files = [path.relative_to(folder).as_posix() for path in self.found.files]
        self.names = Names(files, folder.name)
        self.paths: dict[str, Path] = {}
        self.problems = [Problem(f"{folder.name}/{one.name}", one.reason) for one in self.found.problems]
        for file, path in zip(files, self.found.files, strict=True):
            other = self.paths.setdefault(stem_of(file), path)
            if other != path:
                self.problems.append(Problem(f"{folder.name}/{path.name}", f"same stem as {other.name}"))

    def name(self, stem: str) -> str:
        return self.names.name(stem)
