"""Datasets from Python: the check of a folder, and synthetic data."""

from collections.abc import Sequence
from pathlib import Path

from vmsbench.data.inspection import DataCheck, check
from vmsbench.data.standin import write_standin as write


def check_data(
    path: Path | str,
    *,
    images: str | None = None,
    maps: str | None = None,
    repeats: Sequence[str] | None = None,
    fixations: str | None = None,
) -> DataCheck:
    """Check a folder of images and maps: counts, sizes, statistics of the channels, problems. Every file is decoded.

    images, maps         the names of the two sub-folders (default: found by itself)
    repeats, fixations   as the settings of data=folder

    A bad file does not raise: `.problems` lists each with its reason. Raises DataError where there is no such dataset.
    """
    return check(path, images, maps, repeats, fixations)


def write_standin(path: Path | str, *, count: int = 640, size: int = 64, seed: int = 0) -> Path:
    """Write synthetic data in the layout of VISCHEMA PLUS, and return the folder.

    count   number of pairs
    size    height and width in pixels

    Raises DataError where `path` holds something else or cannot be written, ConfigurationError for too few pairs.
    """
    return write(path, count, size, seed)
