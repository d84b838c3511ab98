"""Folders of data as people have them, odd and broken ones too."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.data.data_folders import map_of, write_list

PAIRS = 14
Make = Callable[[Path], object]


def maps(draw: Callable[[int], Image.Image], suffix: str = ".png", part: str = "maps", **save: object) -> Make:
    def make(root: Path) -> None:
        for i in range(PAIRS):
            (root / part / f"pic{i:02d}.png").unlink()
            draw(i).save(root / part / f"pic{i:02d}{suffix}", **save)

    return make


def masks(number: int) -> Image.Image:
    return Image.fromarray(map_of(number, grey=True) // 128)


def turned(number: int) -> Image.Image:
    picture = Image.fromarray(map_of(number))
    picture.getexif()[0x0112] = 3
    return picture


def index_list(root: Path) -> None:
    (root / "test.csv").write_text(",filename\n0,pic03.png\n1,pic01.png\n")


def linked(root: Path) -> None:
    for part in ("images", "maps"):
        (root / "elsewhere" / part).mkdir(parents=True)
        for i in range(7):
            os.rename(root / part / f"pic{i:02d}.png", root / "elsewhere" / part / f"pic{i:02d}.png")
        (root / part / "more").symlink_to(root / "elsewhere" / part)


def decomposed(root: Path) -> None:
    os.rename(root / "images" / "pic00.png", root / "images" / "caf\u00e9.png")
    os.rename(root / "maps" / "pic00.png", root / "maps" / "cafe\u0301.png")


def map_to_tiff(path: Path) -> None:
    Image.open(path).save(path.with_suffix(".tif"))


def not_utf8(root: Path) -> None:
    for part in ("images", "maps"):
        os.rename(root / part / "pic00.png", os.fsencode(root / part) + b"/caf\xe9.png")


def alpha_alone(number: int) -> Image.Image:
    picture = Image.new("RGBA", (24, 24))
    picture.putalpha(Image.fromarray(map_of(number, grey=True)))
    return picture


def categories_with_an_index(root: Path) -> None:
    rows = [f"{row},pic{PAIRS - 1 - row:02d}.png,{'ab'[row % 2]}" for row in range(PAIRS)]
    (root / "categories.csv").write_text("\n".join([",file,category", *rows]) + "\n")


def further(*folders: str, last: Callable[[Path], object] = lambda root: None) -> Make:
    """Folders with the maps themselves, as fixations and as halves; `last` is done to them then."""

    def make(root: Path) -> None:
        for folder in folders:
            shutil.copytree(root / "maps", root / folder)
            for i in range(PAIRS):
                Image.fromarray(map_of(50 + i)).save(root / folder / f"pic{i:02d}.png")
        last(root)

    return make


def both_bad(root: Path) -> None:
    (root / "images" / "pic03.png").write_bytes(b"")
    (root / "maps" / "pic03.png").write_bytes(b"no picture")


USABLE: dict[str, tuple[Make, str]] = {
    "as it should be": (lambda root: None, ""),
    "a list with an index": (index_list, 'column 2 "filename": 2 names, 2 of them images'),
    "masks of 0 and 1": (maps(masks), "the brightest value of any map is 1 of 255: data.scale=255"),
    "maps in blue": (
        maps(lambda i: Image.fromarray(map_of(i)[..., ::-1].copy())), "blue, 50 % of white on average, is not read",
    ),
    "maps on white": (
        maps(lambda i: Image.fromarray(255 - map_of(i, grey=True) // 4)), "the darkest value of any map is 192 of 255",
    ),
    "black maps": (maps(lambda i: Image.new("RGB", (24, 24))), "every map is black"),
    "several frames": (
        maps(lambda i: Image.fromarray(map_of(i)), ".tif", save_all=True, append_images=[Image.new("RGB", (24, 24))]),
        "all 14 maps have several frames, the first is read",
    ),
    "turned maps": (
        maps(turned, ".png", exif=turned(0).getexif().tobytes()), "14 turned upright",
    ),
    "links": (linked, "links followed: more"),
    "composed and decomposed": (decomposed, ""),
    "12 bits in 16": (
        maps(lambda i: Image.fromarray(map_of(i, grey=True).astype(np.uint16) * 16)),
        "the brightest value of any map is 4080 of 65535: data.scale=16",
    ),
    "maps that are transparency": (maps(alpha_alone), "all 14 maps hold nothing but transparency"),
    "categories with an index": (categories_with_an_index, 'column 2 "file", categories in column 3: 14 names, 14 of'),
    "densities as fixations": (further("seen"), "seen/: 100 % of all pixels are not black"),
    "halves that are one": (further("half_a", "half_b"), "half_b/: its maps are those of half_a/"),
    "files that are not read": (lambda root: np.save(root / "maps" / "a.npy", np.zeros(3)), "files are not read"),
}  # fmt: skip
REFUSED: dict[str, tuple[Make, str]] = {
    "no picture": (lambda root: (root / "images" / "pic03.png").write_text("hello"), "pic03.png: image unreadable"),
    "an empty file": (lambda root: (root / "maps" / "pic03.png").write_bytes(b""), "pic03.png: map empty file"),
    "cut short": (
        lambda root: (root / "maps" / "pic03.png").write_bytes((root / "maps" / "pic03.png").read_bytes()[:300]),
        "pic03.png: map unreadable",
    ),
    "another shape": (
        lambda root: Image.new("RGB", (24, 60)).save(root / "maps" / "pic03.png"), "pic03.png: wrong shape",
    ),
    "a name that is not UTF-8": (not_utf8, "caf\\xe9.png: its name is not UTF-8"),
    "an unknown name in a list": (lambda root: write_list(root / "test.csv", ["pic01.png", "pic99.png"]), "pic99.png"),
    "a table without names": (
        lambda root: (root / "test.csv").write_text("score,kind\n1.5,good\n2.5,bad\n"), "names no image of images/",
    ),
    "a list that is no text": (
        lambda root: (root / "test.csv").write_bytes(b"\xff\xfe\xff"), "test.csv: not UTF-8 text",
    ),
    "both files of a pair": (both_bad, "pic03.png: image empty file; map unreadable"),
    "a fixation map that is none": (
        further("seen", last=lambda root: (root / "seen" / "pic03.png").write_bytes(b"")), "seen/pic03.png: empty file",
    ),
    "two maps of one name": (
        further("half_a", "half_b", last=lambda root: map_to_tiff(root / "half_a" / "pic03.png")),
        "half_a/pic03.tif: same stem as pic03.png",
    ),
    "no maps": (lambda root: [file.unlink() for file in (root / "maps").iterdir()], "maps is empty"),
}  # fmt: skip
FURTHER = ("a fixation map that is none", "two maps of one name")
"""What is refused where the settings name further folders alone."""


def overrides(root: Path) -> tuple[str, ...]:
    """The settings that name all that is there."""
    files = {"test.csv": "data.test=test.csv", "categories.csv": "data.categories=categories.csv"}
    folders = {"seen": "data.fixations=seen", "half_a": "data.repeats=[half_a,half_b]"}
    return tuple(setting for name, setting in (files | folders).items() if (root / name).exists())
