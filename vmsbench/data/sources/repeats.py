"""Further maps of the same images, by other annotators or by halves of them: what people agree on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vmsbench.data.decoding import UnreadableFile, read
from vmsbench.data.sources.names import Names, some, stem_of
from vmsbench.data.sources.walking import walk
from vmsbench.errors import ConfigurationError, DataError


def read_repeats(
    root: Path, folders: Sequence[str], names: Sequence[str], channels: int, size: int, scale: float = 1
) -> Tensor:
    """The maps of `names` in each of R folders relative to `root`: uint8, R x N x channels x size x size.

    Raises ConfigurationError for fewer than two folders, DataError where a folder or maps of it are missing or unfit.
    """
    if isinstance(folders, str) or len(folders) < 2:
        raise ConfigurationError(
            f"data.repeats={folders}: give two folders of maps at least, such as data.repeats=[half_a,half_b]"
        )
    return torch.from_numpy(np.stack([_folder(root / one, one, names, channels, size, scale) for one in folders]))


def _folder(folder: Path, called: str, names: Sequence[str], channels: int, size: int, scale: float) -> np.ndarray:
    if not folder.is_dir():
        raise DataError(f"data.repeats: there is no folder {folder}")
    files = {path.relative_to(folder).as_posix(): path for path in walk(folder).files}
    paths = {stem_of(file): path for file, path in files.items()}
    stems = dict(zip(names, Names(files, folder.name).stems_of([stem_of(name) for name in names]), strict=True))
    missing = [name for name, stem in stems.items() if stem is None]
    if missing:
        raise DataError(f"data.repeats: {called} has no map for {len(missing)} of {len(names)} images: {some(missing)}")
    return np.stack([_pixels(paths[stem], called, channels, size, scale) for stem in stems.values() if stem])


def _pixels(path: Path, called: str, channels: int, size: int, scale: float) -> np.ndarray:
    try:
        pixels = read(path, size, scale).pixels
    except UnreadableFile as error:
        raise DataError(f"data.repeats: {called}/{path.name}: {error}") from error
    if channels == 1 and len(pixels) == 3 and (pixels == pixels[:1]).all():
        return pixels[:1]
    if len(pixels) != channels:
        kinds = {1: "grey", 3: "in colour"}
        raise DataError(f"data.repeats: {called}/{path.name} is {kinds[len(pixels)]}, the maps are {kinds[channels]}")
    return pixels
