"""Small folders of pairs for the data tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def image_of(number: int, side: int = 24) -> np.ndarray:
    return np.random.default_rng([0, number]).integers(0, 256, (side, side, 3), dtype=np.uint8)


def map_of(number: int, side: int = 24, grey: bool = False) -> np.ndarray:
    levels = np.random.default_rng([1, number]).integers(0, 256, (side, side, 3), dtype=np.uint8)
    levels[..., 2] = 0
    return levels[..., 0] if grey else levels


def write_pairs(
    root: Path,
    count: int,
    images: str = "images",
    maps: str = "maps",
    image_suffix: str = ".png",
    map_suffix: str = ".png",
    grey: bool = False,
    side: int = 24,
) -> list[str]:
    """pic00 ... in root/images and root/maps; returns the images' names."""
    (root / images).mkdir(parents=True)
    (root / maps).mkdir(parents=True)
    for i in range(count):
        Image.fromarray(image_of(i, side)).save(root / images / f"pic{i:02d}{image_suffix}", quality=95)
        Image.fromarray(map_of(i, side, grey)).save(root / maps / f"pic{i:02d}{map_suffix}", quality=95)
    return [f"pic{i:02d}{image_suffix}" for i in range(count)]


def write_vischema(root: Path, count: int = 20, tests: int = 4) -> list[str]:
    names = write_pairs(root, count, maps="vms", image_suffix=".jpg", map_suffix=".jpg")
    write_list(root / "viscplus_train.csv", names[: count - tests])
    write_list(root / "viscplus_val.csv", names[count - tests :])
    return names


def write_list(path: Path, names: Sequence[str], end: str = "\n", before: str = "") -> None:
    path.write_bytes((before + end.join(names)).encode("utf-8"))
