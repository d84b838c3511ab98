"""Maps that decode well and are not what they seem are said to be odd, by check and by the dataset alike."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.data.data_folders import map_of, write_pairs
from tests.support.wide import widest
from vmsbench.data.folder import folder
from vmsbench.data.inspection import check, lines
from vmsbench.errors import ConfigurationError

Drawn = Callable[[int], Image.Image]
SIDE = 24


def levels(number: int, *values: int) -> np.ndarray:
    """Each of the values somewhere."""
    return np.resize(np.roll(np.array(values), number), (SIDE, SIDE))


def warnings(root: Path, draw: Drawn, part: str = "maps", suffix: str = ".png", **settings: object) -> list[str]:
    """What is said of ten pairs whose maps (or images) are drawn anew."""
    write_pairs(root, 10)
    for i in range(10):
        (root / part / f"pic{i:02d}.png").unlink()
        draw(i).save(root / part / f"pic{i:02d}{suffix}", **settings)
    said = list(folder(root, size=16).provenance.warnings)
    checked = check(root)
    assert list(checked.provenance.warnings) == checked.as_json()["warnings"] == said
    assert checked.good
    text = lines(checked)
    assert ("nothing wrong found" in text) == (not said)
    assert widest(text) <= 80
    flat = " ".join(" ".join(text).split())
    assert all(" ".join(one.split()) in flat for one in said)
    return said


def alpha_alone(number: int) -> Image.Image:
    picture = Image.new("RGBA", (SIDE, SIDE))
    picture.putalpha(Image.fromarray(map_of(number, grey=True)))
    return picture


def palette(number: int) -> Image.Image:
    picture = Image.fromarray(levels(number, 0, 1, 2, 3).astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 255, 255, 0])
    return picture


def grey(number: int) -> np.ndarray:
    return map_of(number, grey=True)


def dark(number: int) -> np.ndarray:
    """A map of many levels in red and green, mostly black."""
    map_ = map_of(number)
    map_[SIDE // 4 :] = 0
    return map_


def halves(number: int, odd: np.ndarray, even: np.ndarray) -> Image.Image:
    """One way of drawing for every second map, another for the rest."""
    return Image.fromarray(odd if number % 2 else even)


ALL_BUT_BLACK = (
    "5 of 10 maps (pic01.png and 4 more) are all but black, others are not: were they saved on another scale, or are "
    "they labels? data.scale is for all maps"
)
DIM = "the brightest value of any map is {}: data.scale={} makes it white, or are these labels?"


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda i: Image.fromarray(levels(i, 0, 1).astype(np.uint8)), [DIM.format("1 of 255", "255")]),
        (lambda i: Image.fromarray(levels(i, 0, 1, 2, 3).astype(np.uint8)), [DIM.format("3 of 255", "85")]),
        (lambda i: Image.fromarray(levels(i, 0, 77, 4095).astype(np.uint16)), [DIM.format("4095 of 65535", "16.0037")]),
        (lambda i: Image.fromarray(levels(i, 0, 255).astype(np.uint16)), [DIM.format("255 of 65535", "257")]),
        (lambda i: Image.new("RGB", (SIDE, SIDE)), ["every map is black"]),
        (
            lambda i: Image.fromarray(levels(i, 0, 128, 255).astype(np.uint8)),
            ["3 different values alone (0, 128, 255)"],
        ),
        (alpha_alone, ["every map is black", "all 10 maps hold nothing but transparency"]),
        (palette, ["all 10 maps are palettes of colours: are these labels?"]),
        (
            lambda i: Image.fromarray(map_of(i, grey=True)).convert("RGB"),
            ["red, green and blue are equal in every map"],
        ),
        (lambda i: Image.fromarray(map_of(i) * (i > 5)), ["6 of 10 maps are black"]),
        (
            lambda i: Image.fromarray(map_of(i)[..., [2, 1, 0]]),  # as a program writes them that counts from blue
            ["blue, 50 % of white on average, is not read: data.coding=rgb reads it"],
        ),
        (
            lambda i: Image.fromarray(map_of(i)[..., [2, 2, 0]]),
            ["blue, 50 % of white on average, is not read; red and green are black: data.coding=rgb reads it"],
        ),
        (lambda i: Image.fromarray(255 - map_of(i, grey=True) // 4), ["the darkest value of any map is 192 of 255"]),
        (
            lambda i: Image.fromarray(np.dstack([map_of(i), levels(i, 9, 255).astype(np.uint8)])),
            ["all 10 maps have transparent parts"],
        ),
        (lambda i: halves(i, grey(i) // 128, grey(i)), [ALL_BUT_BLACK]),
        (lambda i: halves(i, grey(i) // 64, grey(i)), [ALL_BUT_BLACK]),
        (lambda i: halves(i, (dark(i) > 0).astype(np.uint8), dark(i)), [ALL_BUT_BLACK]),
        (lambda i: halves(i, grey(i).astype(np.uint16), grey(i) * np.uint16(257)), [ALL_BUT_BLACK]),
        (lambda i: halves(i, grey(i) * np.uint16(16), grey(i) * np.uint16(257)), [ALL_BUT_BLACK]),
        (
            lambda i: halves(i, 255 - dark(i)[..., 0], dark(i)[..., 0]),
            ["5 of 10 maps (pic01.png and 4 more) are mostly white, others mostly black: are they inverted?"],
        ),
        (
            lambda i: halves(i, 255 - dark(i), dark(i)),
            ["5 of 10 maps (pic01.png and 4 more) are mostly white", "maps (pic01.png and 4 more) have blue"],
        ),
        (
            lambda i: halves(i, dark(i)[..., ::-1].copy(), dark(i)),
            ["5 of 10 maps (pic01.png and 4 more) have blue, which is not read, others hardly any: are their channels"],
        ),
        (
            lambda i: halves(i, grey(i) * np.uint16(257), grey(i)),
            ["5 of 10 maps (pic01.png and 4 more) have 16 bits, others 8: each is read from black to its own white"],
        ),
        (lambda i: halves(i, 0 * dark(i), dark(i)), ["5 of 10 maps are black"]),
        (lambda i: halves(i, grey(i) // 128 * 255, 255 - grey(i) // 128 * 255), []),  # masks, some of large things
        (lambda i: Image.fromarray(255 * levels(i, 0, 1).astype(np.uint8)), []),  # masks, black and white
        (lambda i: Image.fromarray(levels(i, 0, 1).astype(bool)), []),
        (lambda i: Image.fromarray(map_of(i)), []),
    ],
)
def test_maps_on_another_scale_labels_and_hidden_maps_are_said(tmp_path: Path, draw: Drawn, said: list[str]) -> None:
    found = warnings(tmp_path, draw)
    assert len(found) == len(said)
    assert all(part in one for part, one in zip(said, found, strict=True)), found


def test_the_scale_that_is_named_makes_it_good(tmp_path: Path) -> None:
    assert "data.scale=255 " in warnings(tmp_path, lambda i: Image.fromarray(levels(i, 0, 1).astype(np.uint8)))[0]
    dataset, plain = folder(tmp_path, size=SIDE, scale=255), folder(tmp_path, size=SIDE)
    assert not dataset.provenance.warnings
    assert set(dataset.train.maps.unique().tolist()) == {0, 255}
    assert dataset.digest != plain.digest
    cached = [folder(tmp_path, size=SIDE, scale=scale, cache=tmp_path / "cache") for scale in (1, 255, 1.0, 255.0)]
    assert [one.digest for one in cached] == 2 * [plain.digest, dataset.digest]
    assert [int(one.train.maps.max()) for one in cached] == [1, 255, 1, 255]
    assert "beyond white" in folder(tmp_path, size=16, scale=300).provenance.warnings[0]


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), True, "2", None])
def test_a_scale_that_is_none_is_refused(tmp_path: Path, scale: object) -> None:
    write_pairs(tmp_path, 5)
    with pytest.raises(ConfigurationError, match=r"scale=.* is not a factor: give a number above 0, such as 255"):
        folder(tmp_path, scale=scale)  # type: ignore[arg-type]


def test_grey_maps_saved_in_colour_can_be_read_as_grey(tmp_path: Path) -> None:
    warnings(tmp_path, lambda i: Image.fromarray(map_of(i, grey=True)).convert("RGB"))
    dataset = folder(tmp_path, size=SIDE, coding="grey")
    assert dataset.train.maps.shape[1] == dataset.channels == 1
    assert not dataset.provenance.warnings


def test_blue_is_read_where_all_three_are(tmp_path: Path) -> None:
    (said,) = warnings(tmp_path, lambda i: Image.fromarray(map_of(i)[..., [2, 1, 0]]))
    assert said.startswith("blue, ")
    dataset = folder(tmp_path, size=SIDE, coding="rgb")
    assert not dataset.provenance.warnings
    assert dataset.channels == 3


def test_grey_files_among_grey_maps_saved_in_colour_are_alike(tmp_path: Path) -> None:
    said = warnings(tmp_path, lambda i: Image.fromarray(map_of(i, grey=True)).convert("RGB" if i % 3 else "L"))
    dataset = folder(tmp_path, size=SIDE)
    assert (dataset.coding, said) == ("grey", [])
    for name, map_ in zip(dataset.train.names, dataset.train.maps, strict=True):
        assert np.array_equal(map_[0].numpy(), map_of(int(name[3:5]), grey=True))


def test_a_black_grey_file_among_colour_maps_is_black(tmp_path: Path) -> None:
    """As programs that make PNG files small write them."""
    assert not warnings(tmp_path, lambda i: Image.fromarray(map_of(i)) if i else Image.new("L", (SIDE, SIDE)))
    dataset = folder(tmp_path, size=SIDE)
    maps = {
        name: map_
        for part in (dataset.train, dataset.validation, dataset.test)
        for name, map_ in zip(part.names, part.maps, strict=True)
    }
    assert maps["pic00.png"].shape == (3, SIDE, SIDE)
    assert not maps["pic00.png"].any()


@pytest.mark.parametrize("suffix", [".tif", ".gif"])
def test_frames_that_are_ignored_are_said(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(map_of(k, grey=True)) for k in range(4)]
    (said,) = warnings(tmp_path, lambda i: frames[0], suffix=suffix, save_all=True, append_images=frames[1:])
    assert said.startswith("all 10 maps have several frames, the first is read (pic00.png has 4")


def test_odd_images_are_said_too(tmp_path: Path) -> None:
    far = warnings(tmp_path / "dim", lambda i: Image.fromarray(levels(i, 0, 4095).astype(np.uint16)), "images")
    assert far == ["the brightest value of any image is 4095 of 65535"]
    flat = warnings(
        tmp_path / "flat",
        lambda i: Image.new("RGB", (SIDE, SIDE), "red") if i < 2 else Image.fromarray(map_of(i + 50)),
        "images",
    )
    assert flat == ["2 of 10 images are one flat colour"]
    dim = warnings(tmp_path / "half", lambda i: halves(i, grey(i + 50) // 128, grey(i + 50)), "images")
    assert dim == ["5 of 10 images (pic01.png and 4 more) are all but black: were they saved on another scale?"]
    same = warnings(tmp_path / "same", lambda i: Image.fromarray(map_of(i)), "images")
    assert same == ["all 10 maps are identical to their image"]


def test_the_account_says_what_was_read(tmp_path: Path) -> None:
    names = write_pairs(tmp_path, 10)
    for i, name in enumerate(names[:3]):
        exif = Image.Exif()
        exif[0x0112] = 3
        Image.fromarray(map_of(i)).save(tmp_path / "maps" / name, exif=exif)
    told = folder(tmp_path, size=16).provenance
    assert told.lines() == [
        f"read from {tmp_path}",
        "  images     images/, 10 pictures",
        "  maps       maps/, 10 pictures; 3 turned upright; colour, red and green used; values 0 to 255 of 255, "
        "256 different",
        "  pairs      7 train (drawn), 1 validation (drawn), 2 test (drawn)",
    ]
    plain = told.as_json()
    assert plain["decoded"]["maps"] | {"turned": 3, "lowest": 0, "highest": 255} == plain["decoded"]["maps"]
    assert (plain["pairs"], plain["warnings"]) == ({"train": 7, "validation": 1, "test": 2}, [])
