"""Random small datasets with a known right answer: whatever a folder is like, what is read is what was put there.

    python -m pytest tests/data/test_random_folders.py                                       sixty datasets
    VMSBENCH_EXAMPLES=2000 python -m pytest tests/data/test_random_folders.py --hypothesis-seed=1

Right answers are made by numpy alone, before anything is written: pixels, their way up, partners, splits, categories.
"""

import csv
import io
import os
import shutil
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from vmsbench.data.folder import folder
from vmsbench.data.inspection import check

EXAMPLES = int(os.environ.get("VMSBENCH_EXAMPLES", "0"))
SIDE = 16
LOSSY = 40  # of 255: the most that a JPEG of smooth pixels may be off
TURNED = ("jpg", "jpeg", "jfif", "png", "webp", "tiff")  # formats with an orientation tag
GREY = {  # mode -> formats that keep it
    "L": ("png", "bmp", "tiff", "gif", "jpg", "jfif"),
    "LA": ("png", "tiff"),
    "1": ("png", "bmp", "tiff", "gif"),
    "P": ("png", "bmp", "gif"),
    "I;16": ("png", "tiff"),
}
COLOUR = {
    "RGB": ("png", "bmp", "tiff", "webp", "jpg", "jpeg", "PNG"),
    "RGBA": ("png", "tiff", "webp"),
    "P": ("png", "gif"),
    "CMYK": ("tiff",),
}
SPARSE = {  # modes of fixation maps, in which everything but black is one
    "L": ("png", "bmp", "tiff", "gif"),
    "1": ("png", "bmp", "tiff"),
    "I;16": ("png", "tiff"),
    "RGB": ("png", "bmp", "tiff", "webp"),
    "RGBA": ("png", "tiff"),
}
PARTS = ("images", "maps", "seen", "half_a", "half_b")
LETTERS = "ab79 ,;'\"#&=%-_()[]{}!.$é\u0301ü日\u1e9b\u0323ß\u2028"
WORDS = ("0", "1", "2", "7", "31", "img", "img.jpg", "img.jpg.png", "IMG", "nul", "-rf", "~", "$HOME", "%20")


@dataclass(frozen=True)
class File:
    """A picture as it is written: how, and which way up; `decomposed` is its name's form."""

    grey: bool
    mode: str
    suffix: str
    orientation: int
    decomposed: bool


@dataclass(frozen=True)
class Member:
    """A pair: its name without suffix, the folder that it lies in, and its file in each of the folders `PARTS`."""

    stem: str
    place: str
    image: File
    map: File
    seen: File
    half_a: File
    half_b: File

    def file(self, part: str) -> File:
        found: File = getattr(self, part.removesuffix("s"))
        return found


@dataclass(frozen=True)
class Style:
    """How a list is written."""

    columns: str
    spelling: str
    delimiter: str
    encoding: str
    end: str
    last: bool
    decomposed: bool
    headed: bool


def is_name(stem: str) -> bool:
    plain = unicodedata.normalize("NFC", stem)
    return bool(plain.strip()) and not plain.startswith(".") and len(unicodedata.normalize("NFD", plain).encode()) < 90


stems = st.one_of(st.text(LETTERS, min_size=1, max_size=8), st.sampled_from(WORDS)).filter(is_name)


@st.composite
def files(draw: st.DrawFn, grey: bool, modes: dict[str, tuple[str, ...]] | None = None) -> File:
    modes = modes or (GREY if grey else COLOUR)
    mode = draw(st.sampled_from(sorted(modes)))
    suffix = draw(st.sampled_from(modes[mode]))
    orientation = draw(st.integers(1, 8)) if suffix.lower() in TURNED else 1
    return File(grey, mode, suffix, orientation, draw(st.booleans()))


@st.composite
def members(draw: st.DrawFn) -> list[Member]:
    names = draw(st.lists(stems, min_size=5, max_size=8, unique_by=lambda stem: unicodedata.normalize("NFC", stem)))
    grey = draw(st.booleans())
    places = st.sampled_from(["", "", "sub dir/", "deep/er/", "linked/", "looped/"])
    return [
        Member(
            name, draw(places), draw(files(draw(st.booleans()))), draw(files(grey)), draw(files(True, SPARSE)),
            draw(files(grey)), draw(files(grey)),
        )
        for name in names
    ]  # fmt: skip


styles = st.builds(
    Style,
    columns=st.sampled_from(["names", "index", "shuffled index", "id", "score before", "score behind", "maps"]),
    spelling=st.sampled_from(["file", "file", "stem", "folder", "dot", "backslash"]),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    decomposed=st.booleans(),
    headed=st.booleans(),
)


def pixels_of(number: int, file: File) -> np.ndarray:
    """Smooth or rough pixels of the file's mode, upright, as the file holds them."""
    random = np.random.default_rng([number, len(file.mode)])
    down, across = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = [128 + 110 * np.sin(random.uniform(1, 4) * down + random.uniform(1, 4) * across) for _ in range(4)]
    smooth = np.stack(waves, axis=-1).astype(np.uint8)
    if file.mode == "L":
        return smooth[..., 0]
    if file.mode == "LA":
        return smooth[..., :2]
    if file.mode == "1":
        return random.random((SIDE, SIDE)) > 0.5
    if file.mode == "P":
        return random.integers(0, 16, (SIDE, SIDE), dtype=np.uint8)
    if file.mode == "I;16":
        return random.integers(0, 65536, (SIDE, SIDE), dtype=np.uint16)
    return smooth[..., : len(file.mode)]


def fixated(number: int, file: File) -> np.ndarray:
    """Pixels of the file's mode that are black but for three, of the least level that there is; upright."""
    random = np.random.default_rng([number, 5])
    channels = len(file.mode) if file.mode.startswith("RGB") else 1
    pixels = np.zeros((SIDE, SIDE, channels), np.uint16 if file.mode == "I;16" else np.uint8)
    rows, columns = random.integers(0, SIDE, (2, 3))
    pixels[rows, columns, random.integers(0, min(channels, 3))] = 1
    if file.mode == "RGBA":
        pixels[..., 3] = 255
    return pixels[..., 0] != 0 if file.mode == "1" else pixels.squeeze(-1) if channels == 1 else pixels


def palette(grey: bool) -> np.ndarray:
    levels = np.arange(16, dtype=np.uint8) * 16 + 3
    return np.stack([levels, levels if grey else levels[::-1], levels if grey else 255 - levels // 2], axis=-1)


def right(pixels: np.ndarray, file: File) -> np.ndarray:
    """What is to be read, C x S x S, C = 1 for grey files."""
    whole = pixels.astype(int)
    if file.mode == "1":
        whole = 255 * whole
    elif file.mode == "I;16":
        whole = np.round(whole / 257).astype(int)
    elif file.mode == "P":
        whole = palette(file.grey)[pixels].astype(int)[..., : 1 if file.grey else 3]
    elif file.mode in ("LA", "RGBA"):
        whole = np.round(whole[..., :-1] * whole[..., -1:] / 255).astype(int)
    elif file.mode == "CMYK":
        whole = np.round((255 - whole[..., :3]) * (255 - whole[..., 3:]) / 255).astype(int)
    return np.atleast_3d(whole).transpose(2, 0, 1)


def stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright pixels as a file with this tag holds them: Exif's own table, undone."""
    turn = {2: (0, True), 3: (2, False), 4: (2, True), 5: (1, True), 6: (1, False), 7: (3, True), 8: (3, False)}
    quarter, mirrored = turn.get(orientation, (0, False))
    turned = np.rot90(pixels, quarter)
    if not mirrored:
        return turned
    return turned[:, ::-1] if orientation in (2, 4) else turned[::-1]


def write(path: Path, pixels: np.ndarray, file: File) -> None:
    held = np.ascontiguousarray(stored(pixels, file.orientation))
    if file.mode == "P":
        picture = Image.frombytes("P", (SIDE, SIDE), held.tobytes())
        picture.putpalette(palette(file.grey).ravel().tolist())
    elif file.mode in ("CMYK", "LA"):
        picture = Image.frombytes(file.mode, (SIDE, SIDE), held.tobytes())
    else:
        picture = Image.fromarray(held)
    options: dict[str, object] = {}
    if file.orientation > 1:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = file.orientation  # type: ignore[index]
    if file.suffix in ("jpg", "jpeg", "jfif"):
        options |= {"quality": 97, "subsampling": 0}
    if file.suffix == "webp":
        options |= {"lossless": True, "exact": True}
    picture.save(path, **options)


def form(name: str, decomposed: bool) -> str:
    return unicodedata.normalize("NFD" if decomposed else "NFC", name)


def path_of(root: Path, member: Member, part: str) -> Path:
    file = member.file(part)
    return root / part / member.place / form(f"{member.stem}.{file.suffix}", file.decomposed)


def name_of(member: Member) -> str:
    return form(f"{member.place}{member.stem}.{member.image.suffix}", False)


def contents_of(number: int, member: Member, part: str) -> np.ndarray:
    """The pixels of the numbered member's file in a folder."""
    if part == "seen":
        return fixated(number, member.seen)
    return pixels_of(len(PARTS) * number + PARTS.index(part), member.file(part))


def write_folder(root: Path, all_of_them: list[Member]) -> None:
    for part in PARTS:
        for place in ("sub dir", "deep/er"):
            (root / part / place).mkdir(parents=True)
        (root / "elsewhere" / part).mkdir(parents=True)
        (root / part / "linked").symlink_to(root / "elsewhere" / part)
        (root / "elsewhere" / f"looped {part}").mkdir()
        (root / part / "looped").symlink_to(f"../elsewhere/looped {part}")
        (root / "elsewhere" / f"looped {part}" / "back").symlink_to(root)
        (root / part / ".ipynb_checkpoints").mkdir()
        for odd in (".ipynb_checkpoints/a.png", "._a.png", "Thumbs.db", "notes.txt"):
            (root / part / odd).write_bytes(b"no picture")
    for number, member in enumerate(all_of_them):
        for part in PARTS:
            write(path_of(root, member, part), contents_of(number, member, part), member.file(part))


def is_right(read: np.ndarray, number: int, member: Member, part: str) -> bool:
    """Whether what was read of a file, C x S x S, is what it was made of."""
    file = member.file(part)
    off = np.abs(read.astype(int) - right(contents_of(number, member, part), file)).max()
    return bool(off <= (LOSSY if file.suffix in ("jpg", "jpeg", "jfif") else 1))


def spelled(member: Member, style: Style) -> str:
    name = f"{member.place}{member.stem}.{member.image.suffix}"
    if style.spelling == "stem":
        name = f"{member.place}{member.stem}"
    elif style.spelling == "folder":
        name = f"images/{name}"
    elif style.spelling == "dot":
        name = f"./{name}"
    elif style.spelling == "backslash":
        name = name.replace("/", "\\")
    return form(name, style.decomposed)


def is_decidable(listed: list[Member], all_of_them: list[Member], style: Style) -> bool:
    """No: names without extensions that are all, letter by letter, the names of other files."""
    names = {name_of(member) for member in all_of_them}
    bare = {form(f"{member.place}{member.stem}", False) for member in listed}
    return style.spelling != "stem" or not bare <= names


def write_table(path: Path, headings: list[str], rows: list[list[str]], style: Style, headed: bool) -> None:
    """Alone in its row a name is written as it is, in a table as csv quotes it."""
    text = io.StringIO()
    if len(rows[0]) == 1:
        lines = [row[0] for row in ([headings, *rows] if headed else rows)]
        text.write(style.end.join(lines) + style.end)
    else:
        table = csv.writer(text, delimiter=style.delimiter, lineterminator=style.end)
        table.writerows([headings, *rows] if headed else rows)
    content = text.getvalue() if style.last else text.getvalue().removesuffix(style.end)
    path.write_bytes(content.encode(style.encoding))


def write_list(path: Path, listed: list[Member], style: Style) -> int:
    """Returns the column of the names, from 1. Stems are written under headings: numbers may be names as well."""
    random = np.random.default_rng(len(listed))
    names = [spelled(member, style) for member in listed]
    index = [str(i) for i in range(len(names))]
    shuffled = [str(i) for i in random.permutation(40)[: len(names)]]
    scores = [f"{score:.2f}" for score in random.random(len(names))]
    maps = [f"maps/{name}" for name in names]
    headings, columns = {
        "names": (["file"], [names]),
        "index": (["", "filename"], [index, names]),
        "shuffled index": (["", "filename"], [shuffled, names]),
        "id": (["index", "image"], [shuffled, names]),
        "score before": (["score", "image_name"], [scores, names]),
        "score behind": (["Filename", "score"], [names, scores]),
        "maps": (["image", "map"], [names, maps]),
    }[style.columns]
    headed = style.headed or (style.spelling == "stem" and style.columns != "names")
    write_table(path, headings, [list(row) for row in zip(*columns, strict=True)], style, headed)
    return columns.index(names) + 1


def write_categories(path: Path, all_of_them: list[Member], style: Style, order: str) -> dict[str, str]:
    kinds = {name_of(member): "kl"[number % 2] + "ind" for number, member in enumerate(all_of_them)}
    rows = []
    for number, member in enumerate(all_of_them):
        cells = {"i": str(number), "n": spelled(member, style), "c": kinds[name_of(member)]}
        rows.append([cells[which] for which in order])
    headings = [{"i": "", "n": "file", "c": "category"}[which] for which in order]
    write_table(path, headings, rows, style, headed=style.headed or style.spelling == "stem")
    return kinds


@given(
    all_of_them=members(),
    tests=st.integers(1, 2),
    style=styles,
    kind_style=styles,
    order=st.sampled_from(["nc", "cn", "inc", "icn"]),
)
@settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
@pytest.mark.slow
def test_what_is_read_is_what_was_put_there(
    all_of_them: list[Member], tests: int, style: Style, kind_style: Style, order: str
) -> None:
    listed = all_of_them[::-1][:tests]
    assume(is_decidable(listed, all_of_them, style))
    assume(is_decidable(all_of_them, all_of_them, kind_style))
    root = Path(tempfile.mkdtemp(prefix="a folder "))
    try:
        write_folder(root, all_of_them)
        column = write_list(root / "held out.csv", listed, style)
        kinds = write_categories(root / "categories.csv", all_of_them, kind_style, order)
        given_ = {"test": "held out.csv", "categories": "categories.csv", "size": SIDE}
        given_ |= {"fixations": "seen", "repeats": ["half_a", "half_b"]}
        dataset = folder(root, **given_)  # type: ignore[arg-type]

        assert dataset.test.names == tuple(name_of(member) for member in listed)
        rest = set(dataset.train.names) | set(dataset.validation.names)
        assert rest == {name_of(member) for member in all_of_them[::-1][tests:]}
        wanted = {name_of(member): number for number, member in enumerate(all_of_them)}
        for pairs in (dataset.train, dataset.validation, dataset.test):
            assert list(pairs.categories) == [kinds[name] for name in pairs.names]
            assert pairs.fixations is not None
            for row, name in enumerate(pairs.names):
                number = wanted[name]
                member = all_of_them[number]
                assert is_right(pairs.images[row].numpy(), number, member, "images"), (name, member.image)
                assert is_right(pairs.maps[row].numpy(), number, member, "maps"), (name, member.map)
                colours = np.atleast_3d(fixated(number, member.seen))[..., :3]
                points = pairs.fixations.points[row].numpy()
                assert np.array_equal(points, colours.any(axis=2)), (name, member.seen)
        assert dataset.repeats is not None
        for which, maps in zip(("half_a", "half_b"), dataset.repeats, strict=True):
            for name, map_ in zip(dataset.test.names, maps, strict=True):
                number = wanted[name]
                assert is_right(map_.numpy(), number, all_of_them[number], which), (which, name)
        assert dataset.coding == ("grey" if all_of_them[0].map.grey else "rg")

        told = dataset.provenance
        assert (told.lists["test"].column, told.lists["test"].matched) == (column, tests)
        assert (told.lists["categories"].matched, told.lists["categories"].names) == (len(all_of_them),) * 2
        for source, values, part in (
            (told.images, told.decoded.images, "image"),
            (told.maps, told.decoded.maps, "map"),
        ):
            assert source is not None
            assert source.pictures == len(all_of_them)
            assert set(source.links) == {"linked", "looped"}
            assert values.turned == sum(getattr(member, part).orientation > 1 for member in all_of_them)
        for what in ("fixations", "repeats half_a", "repeats half_b"):
            known = told.further[what]
            assert known.source.pictures == len(all_of_them)
            assert known.matched == known.images == (len(all_of_them) if what == "fixations" else tests)
        assert check(root, fixations="seen", repeats=["half_a", "half_b"]).good
        cached = [folder(root, **given_, cache=root / "cache") for _ in range(2)]  # type: ignore[arg-type]
        assert all((one.digest, one.provenance) == (dataset.digest, told) for one in cached)
    finally:
        shutil.rmtree(root)
