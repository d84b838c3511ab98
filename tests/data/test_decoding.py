"""Pictures of every kind become bytes, or are refused with the reason."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from vmsbench.data.decoding import UnreadableFile, open_upright, orientation, read, read_pair, read_pairs

SIDE = 16


def gradient(height: int = SIDE, width: int = SIDE) -> np.ndarray:
    return np.linspace(0, 255, height * width).reshape(height, width).astype(np.uint8)


def colours(height: int = SIDE, width: int = SIDE) -> np.ndarray:
    plane = gradient(height, width)
    return np.stack([plane, 255 - plane, plane // 2], axis=-1)


def test_a_colour_file_of_the_right_size_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png", SIDE)
    assert not picture.grey
    assert np.array_equal(picture.pixels, colours().transpose(2, 0, 1))


@pytest.mark.parametrize("mode", ["L", "LA", "P of greys", "16 bit", "16 bit tiff"])
def test_grey_files_of_any_mode_give_one_channel(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.tiff" if "tiff" in mode else "a.png")
    grey = Image.fromarray(gradient())
    if mode == "LA":
        grey.putalpha(255)
    if mode == "P of greys":
        grey = grey.convert("P")
        grey.putpalette([level for level in range(256) for _ in range(3)])
        grey.putdata(gradient().ravel().tolist())
    if "16" in mode:
        grey = Image.fromarray(gradient().astype(np.uint16) * 257)
    grey.save(path)
    picture = read(path, SIDE)
    assert picture.grey
    assert np.array_equal(picture.pixels[0], gradient())


def test_a_one_bit_file_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(gradient() > 127).save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png", SIDE).pixels[0], 255 * (gradient() > 127))


def test_a_colour_file_that_happens_to_be_grey_stays_colour(tmp_path: Path) -> None:
    Image.fromarray(gradient()).convert("RGB").save(tmp_path / "a.png")
    assert not read(tmp_path / "a.png", SIDE).grey


def test_a_coloured_palette_gives_its_colours(tmp_path: Path) -> None:
    picture = Image.new("P", (SIDE, SIDE), 1)
    picture.putpalette([0, 0, 0, 200, 100, 50])
    picture.save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", SIDE).pixels[:, 3, 3].tolist() == [200, 100, 50]


def test_transparent_parts_are_black(tmp_path: Path) -> None:
    alpha = np.where(np.arange(SIDE) < 8, 255, 0).astype(np.uint8)[:, None].repeat(SIDE, axis=1)
    Image.fromarray(np.dstack([np.full((SIDE, SIDE, 3), 250, np.uint8), alpha])).save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png", SIDE).pixels
    assert (pixels[:, :8] == 250).all()
    assert (pixels[:, 8:] == 0).all()


def test_a_cmyk_photograph_is_colour(tmp_path: Path) -> None:
    Image.fromarray(np.full((SIDE, SIDE, 3), (250, 10, 10), np.uint8)).convert("CMYK").save(tmp_path / "a.jpg")
    assert np.allclose(read(tmp_path / "a.jpg", SIDE).pixels[:, 4, 4], (250, 10, 10), atol=6)


def test_a_photograph_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    upright = Image.fromarray(np.repeat([[255] * 32, [0] * 32], 24, axis=0).astype(np.uint8)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    upright.rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif, quality=95)
    picture = read(tmp_path / "a.jpg", SIDE)
    assert (picture.width, picture.height) == (32, 48)
    assert picture.pixels[:, :6].min() > 240
    assert picture.pixels[:, -6:].max() < 15


SAVED = {"jpg": {"quality": 95, "subsampling": 0}, "png": {}, "webp": {"lossless": True}, "tiff": {}}


def tagged(path: Path, orientation: object, pixels: np.ndarray) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, **SAVED[path.suffix[1:]])
    return path


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("suffix", SAVED)
def test_every_orientation_in_every_format_is_as_pillow_turns_it(tmp_path: Path, suffix: str, orientation: int) -> None:
    """0 and 9 are no orientations, and are in files all the same."""
    path = tagged(tmp_path / f"a.{suffix}", orientation, colours(24, 36))
    with Image.open(path) as file:
        wanted = ImageOps.exif_transpose(file).convert("RGB")
    picture = read(path, 48)
    assert (picture.width, picture.height) == wanted.size == open_upright(path).size
    assert np.array_equal(np.asarray(open_upright(path)), np.asarray(wanted))
    resized = np.asarray(wanted.resize((48, 48), Image.Resampling.BILINEAR))
    assert np.array_equal(picture.pixels, resized.transpose(2, 0, 1))
    assert picture.facts.turned == (2 <= orientation <= 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_that_is_decoded_smaller_keeps_its_own_size_and_way_up(tmp_path: Path, orientation: int) -> None:
    pixels = np.zeros((200, 301, 3), np.uint8)
    pixels[:100, :150] = 255
    path = tagged(tmp_path / "a.jpg", orientation, pixels)
    with Image.open(path) as file:
        wanted = ImageOps.exif_transpose(file)
    picture = read(path, SIDE)
    assert (picture.width, picture.height) == wanted.size
    small = np.asarray(wanted.resize((SIDE, SIDE), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.abs(small.astype(int) - picture.pixels).max() < 40  # at the edges
    assert np.abs(small.astype(int) - picture.pixels).mean() < 3


def test_an_image_and_its_map_that_are_stored_differently_lie_on_each_other(tmp_path: Path) -> None:
    upright = colours(24, 36)
    Image.fromarray(upright).save(tmp_path / "a.png")
    for suffix in SAVED:
        path = tagged(tmp_path / f"map.{suffix}", 6, np.rot90(upright).copy())  # 6: turn clockwise to view
        pair = read_pair(tmp_path / "a.png", path, 32)
        assert np.abs(pair.image.pixels.astype(int) - pair.map.pixels).max() <= (12 if suffix == "jpg" else 0)
        assert (pair.image.facts.turned, pair.map.facts.turned) == (False, True)


@pytest.mark.parametrize("exif", [b"Exif\0\0 damaged", b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
def test_damaged_exif_does_not_damage_the_picture(tmp_path: Path, exif: bytes) -> None:
    for suffix in ("jpg", "png", "webp"):
        Image.fromarray(colours()).save(tmp_path / f"a.{suffix}", exif=exif, **SAVED[suffix])
        assert read(tmp_path / f"a.{suffix}", SIDE).pixels.shape == (3, SIDE, SIDE)


def test_an_orientation_that_is_no_number_is_none(tmp_path: Path) -> None:
    path = tagged(tmp_path / "a.tiff", 6, colours(24, 36))
    with Image.open(path) as file:
        for told in ("6", (6, 6), b"6", 6.5, 70000, -6):
            file.getexif()[0x0112] = told
            assert orientation(file) == 1


def test_the_first_of_several_frames_is_read_and_they_are_counted(tmp_path: Path) -> None:
    frames = [Image.fromarray(gradient() // (k + 1)) for k in range(3)]
    for suffix in ("tiff", "gif", "png", "webp"):
        path = tmp_path / f"a.{suffix}"
        lossless = {"lossless": True} if suffix == "webp" else {}
        frames[0].save(path, save_all=True, append_images=frames[1:], **lossless)
        picture = read(path, SIDE)
        assert picture.facts.frames == 3
        assert np.array_equal(picture.pixels[0], gradient())
    frames[0].save(tmp_path / "one.gif")
    assert read(tmp_path / "one.gif", SIDE).facts.frames == 1


def test_a_scale_stretches_values_before_they_are_cut_to_bytes(tmp_path: Path) -> None:
    twelve = np.linspace(0, 4095, SIDE * SIDE).reshape(SIDE, SIDE).round().astype(np.uint16)
    Image.fromarray(twelve).save(tmp_path / "a.png")
    stretched = read(tmp_path / "a.png", SIDE, scale=65535 / 4095).pixels[0]
    assert np.abs(stretched - twelve / 4095 * 255).max() <= 0.51
    Image.fromarray(gradient() % 2).save(tmp_path / "b.png")
    assert np.array_equal(read(tmp_path / "b.png", SIDE, scale=255).pixels[0], 255 * (gradient() % 2))
    Image.fromarray(colours()).save(tmp_path / "c.png")
    assert np.array_equal(
        read(tmp_path / "c.png", SIDE, scale=2).pixels, (2 * colours().astype(int)).clip(0, 255).transpose(2, 0, 1)
    )


@pytest.mark.parametrize("side", [64, 256, 700, 1024])
def test_shrinking_a_fine_chequerboard_gives_its_mean_not_moire(tmp_path: Path, side: int) -> None:
    board = (255 * ((np.arange(side) + np.arange(side)[:, None]) % 2)).astype(np.uint8)
    for suffix in ("png", "jpg"):
        Image.fromarray(board).save(tmp_path / f"a.{suffix}", quality=95)
        pixels = read(tmp_path / f"a.{suffix}", SIDE).pixels.astype(float)
        assert abs(pixels.mean() - 127.5) < 3
        assert pixels.std() < 6


def test_a_large_jpeg_reads_nearly_as_the_same_picture_in_png(tmp_path: Path) -> None:
    down, across = np.mgrid[:700, :700] / 700
    smooth = 127 + 120 * np.stack([np.sin(9 * across), np.cos(7 * down), np.sin(5 * (across + down))], axis=-1)
    picture = Image.fromarray(smooth.astype(np.uint8))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "a.jpg", quality=97, subsampling=0)
    png, jpeg = (read(tmp_path / f"a.{suffix}", 64).pixels.astype(int) for suffix in ("png", "jpg"))
    assert np.abs(png - jpeg).max() <= 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"\xff\xd8\xff\xe0 no picture", "unreadable"), (b"text", "unreadable")],
)
def test_files_that_are_no_pictures_say_why(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableFile, match=reason):
        read(tmp_path / "a.jpg", SIDE)


def test_a_photograph_cut_short_is_unreadable(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match="unreadable"):
        read(tmp_path / "a.jpg", SIDE)


@pytest.mark.parametrize("pixels", [np.zeros((16, 16), np.float32), np.zeros((16, 16), np.int32)])
def test_32_bit_pixels_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.tiff")
    with pytest.raises(UnreadableFile, match="8 or 16 bits"):
        read(tmp_path / "a.tiff", SIDE)


def test_a_pair_may_differ_in_size_but_not_in_shape(tmp_path: Path) -> None:
    for name, width, height in (("a", 60, 40), ("b", 31, 20), ("c", 40, 60), ("d", 1, 1)):
        Image.fromarray(colours(height, width)).save(tmp_path / f"{name}.png")
    pair = read_pair(tmp_path / "a.png", tmp_path / "b.png", SIDE)
    assert pair.image.pixels.shape == pair.map.pixels.shape == (3, SIDE, SIDE)
    with pytest.raises(UnreadableFile, match="wrong shape: the image is 60 x 40 px, its map 40 x 60"):
        read_pair(tmp_path / "a.png", tmp_path / "c.png", SIDE)
    with pytest.raises(UnreadableFile, match="map wrong shape: 1 x 1 px"):
        read_pair(tmp_path / "a.png", tmp_path / "d.png", SIDE)


def test_many_pairs_come_in_order_with_reasons_in_the_gaps(tmp_path: Path) -> None:
    for level in range(6):
        Image.new("L", (SIDE, SIDE), level).save(tmp_path / f"{level}.png")
    (tmp_path / "3.png").write_bytes(b"")
    results = read_pairs([(tmp_path / f"{level}.png",) * 2 for level in range(6)], SIDE)
    assert results[3] == "image empty file; map empty file"
    assert [pair.image.pixels[0, 0, 0] for pair in results if not isinstance(pair, str)] == [0, 1, 2, 4, 5]
    assert all(pair.image.pixels.shape[0] == 3 for pair in results if not isinstance(pair, str))
