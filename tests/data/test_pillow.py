"""What Pillow makes of unusual files is told as facts or reasons, and its own warnings are not printed."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.data.data_folders import image_of, map_of, write_pairs
from tests.support.processes.running import surroundings
from vmsbench.data.decoding import UnreadableFile, read
from vmsbench.data.folder import folder

SIDE = 24
GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6  # the colour types of PNG


def png16(path: Path, pixels: np.ndarray, colour: int, *, chunks: bytes = b"") -> None:
    """A PNG of 16 bits a sample, of H x W x C values; Pillow cannot write colours of 16 bits."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunks + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def sixteen(channels: int, seed: int = 0) -> np.ndarray:
    shape = (SIDE, SIDE, channels)
    return np.random.default_rng(seed).integers(0, 65536, shape, dtype=np.uint16)


@pytest.mark.parametrize(("colour", "channels"), [(COLOUR, 3), (COLOUR_ALPHA, 4), (GREY_ALPHA, 2)])
def test_of_sixteen_bits_a_colour_the_upper_eight_are_read_and_that_is_said(
    colour: int, channels: int, tmp_path: Path
) -> None:
    values = sixteen(channels)
    if channels in (2, 4):
        values[..., -1] = 65535
    png16(tmp_path / "a.png", values, colour)
    picture = read(tmp_path / "a.png", SIDE)
    colours = values[..., : 3 if channels > 2 else 1]
    assert picture.facts.cut
    assert np.abs(picture.pixels.transpose(1, 2, 0).astype(int) - colours // 256).max() <= 1
    write_pairs(tmp_path / "data", 10)
    for i in range(10):
        png16(tmp_path / "data" / "maps" / f"pic{i:02d}.png", values, colour)
    told = folder(tmp_path / "data", size=16).provenance.warnings
    assert "all 10 maps have 16 bits for each colour, of which the upper 8 are read" in told


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "png"])
def test_greys_of_sixteen_bits_in_either_byte_order_keep_all_of_them(mode: str, tmp_path: Path) -> None:
    values = sixteen(1)
    if mode == "png":
        png16(tmp_path / "a.tif", values, GREY)
    else:
        order = ">u2" if mode.endswith("B") else "<u2"
        Image.frombytes(mode, (SIDE, SIDE), values.astype(order).tobytes()).save(tmp_path / "a.tif")
    picture = read(tmp_path / "a.tif", SIDE)
    assert np.array_equal(picture.pixels[0], np.round(values[..., 0] / 257))
    assert (picture.facts.white, picture.facts.cut) == (65535, False)
    assert (picture.facts.lowest, picture.facts.highest) == (values.min(), values.max())


def test_maps_of_eight_bits_among_maps_of_sixteen_are_said(tmp_path: Path) -> None:
    write_pairs(tmp_path, 10, grey=True)
    for i in range(5):
        level = map_of(i, grey=True).astype(np.uint16) * 257
        Image.fromarray(level).save(tmp_path / "maps" / f"pic{i:02d}.png")
    dataset = folder(tmp_path, size=SIDE)
    assert dataset.provenance.warnings == (
        "5 of 10 maps (pic00.png and 4 more) have 16 bits, others 8: each is read from black to its own white",
    )
    for name, map_ in zip(dataset.train.names, dataset.train.maps, strict=True):
        assert np.array_equal(map_[0].numpy(), map_of(int(name[3:5]), grey=True))


def test_a_tiff_of_signed_numbers_is_refused_with_a_way_out(tmp_path: Path) -> None:
    Image.fromarray(np.arange(-288, 288, dtype=np.int32).reshape(SIDE, SIDE)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableFile, match="32-bit pixels: save it with 8 or 16 bits"):
        read(tmp_path / "a.tif", SIDE)


def test_a_picture_of_too_many_pixels_is_one_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(image_of(0)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(UnreadableFile, match=r"it has more pixels than Pillow reads, 400: shrink it first"):
        read(tmp_path / "a.png", SIDE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)  # from here to twice as many Pillow warns
    assert np.array_equal(read(tmp_path / "a.png", SIDE).pixels, image_of(0).transpose(2, 0, 1))


def transparent_palette(path: Path) -> None:
    picture = Image.fromarray(image_of(3)).quantize(16)
    picture.save(path, transparency=bytes([0, 128] + 14 * [255]))


def corrupt_exif(path: Path) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\x0f\x01\x02\0\xff\xff\0\0\xff\xff\0\0"
    Image.fromarray(image_of(4)).save(path.with_suffix(".jpg"), exif=exif)
    path.with_suffix(".jpg").rename(path)


def large(path: Path) -> None:
    Image.new("L", (9600, 9600), 100).save(path)  # more than the 89 million pixels of which Pillow warns


def icc_broken(path: Path) -> None:
    Image.fromarray(image_of(5)).save(path, icc_profile=b"no profile")


ODD: dict[str, Callable[[Path], None]] = {
    "a palette with transparency": transparent_palette,
    "corrupt Exif": corrupt_exif,
    "a broken colour profile": icc_broken,
    "a chunk that nobody knows": lambda path: png16(path, sixteen(1), GREY, chunks=chunk(b"xxXx", b"?")),
    "very many pixels": large,
}


@pytest.mark.parametrize("name", [name for name in ODD if name != "very many pixels"])
def test_odd_files_are_read_all_the_same(name: str, tmp_path: Path) -> None:
    ODD[name](tmp_path / "a.png")
    read(tmp_path / "a.png", SIDE)


@pytest.mark.slow
def test_pillow_prints_no_warnings_of_its_own(tmp_path: Path) -> None:
    write_pairs(tmp_path, 10)
    for number, write in enumerate(ODD.values()):
        write(tmp_path / "images" / f"pic{number:02d}.png")
    program = "import sys; sys.argv[0] = 'vmsbench'; from vmsbench.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", program, "data", "check", str(tmp_path), "--json"],
        env=surroundings(), cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "PIL" not in done.stderr
    assert "pixels" not in done.stderr
