"""Further maps of the same images, by other annotators or by halves of them: what people agree on."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from vmsbench.data.decoding import Picture, UnreadableFile, read, threads, unlike_image
from vmsbench.errors import ConfigurationError

KINDS = {1: "grey", 3: "in colour"}


def several(root: Path, folders: Sequence[str] | None) -> Sequence[str]:
    """The folders of repeats, relative to `root`; none without any. Raises ConfigurationError for one alone, or one
    given twice."""
    if folders is None:
        return ()
    if isinstance(folders, str) or len(folders) < 2:
        raise ConfigurationError(
            f"data.repeats={folders}: give two folders of maps at least, such as data.repeats=[half_a,half_b], or "
            "--repeats half_a --repeats half_b"
        )
    places = [(root / one).resolve() for one in folders]
    if twice := [one for at, one in enumerate(folders) if places[at] in places[:at]]:
        raise ConfigurationError(f"data.repeats: {twice[0]} is given twice; give each annotator's folder once")
    return folders


def read_repeats(files: Sequence[tuple[Path, Path]], channels: int, size: int, scale: float = 1) -> list[Picture | str]:
    """The further map of each (image, map), channels x size x size, in order; in place of one that cannot be, why."""

    def attempt(paths: tuple[Path, Path]) -> Picture | str:
        try:
            return _fitting(*paths, channels, size, scale)
        except UnreadableFile as error:
            return str(error)

    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(attempt, files))


def _fitting(image: Path, path: Path, channels: int, size: int, scale: float) -> Picture:
    picture = read(path, size, scale)
    if said := unlike_image(image, (picture.width, picture.height), "map"):
        raise UnreadableFile(said)
    if channels == 1 and not picture.grey and picture.facts.equal:
        return replace(picture, pixels=picture.pixels[:1])
    if channels == 3 and picture.grey and picture.facts.highest == 0:
        return replace(picture, pixels=np.repeat(picture.pixels, 3, axis=0))
    if len(picture.pixels) != channels:
        raise UnreadableFile(f"it is {KINDS[len(picture.pixels)]}, the maps are {KINDS[channels]}")
    return picture
