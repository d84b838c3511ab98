"""`vmsbench data check`: what is there, what is wrong, and pictures to look at."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.support.command_line import called, refused
from tests.support.data.data_folders import write_list, write_pairs, write_vischema
from vmsbench.data import rendering
from vmsbench.data.inspection import check, lines, picture
from vmsbench.data.pairs import Pairs
from vmsbench.data.rendering import drawable, grid, render
from vmsbench.errors import ConfigurationError, DataError


def test_a_good_dataset_is_counted_and_measured(tmp_path: Path) -> None:
    write_vischema(tmp_path)
    checked = check(tmp_path)
    assert checked.good
    assert checked.counts == {"pairs": 20, "train": 16, "test": 4}
    assert checked.image_sizes == {"24 x 24": 20}
    text = lines(checked)
    assert text[-1] == "nothing wrong found"
    assert any("train = viscplus_train.csv, test = viscplus_val.csv" in line for line in text)


def test_channel_statistics_are_those_of_the_pixels(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "maps").mkdir()
    for i, red in enumerate((0, 0, 0, 204)):
        Image.new("RGB", (64, 64), (9, 9, 9)).save(tmp_path / "images" / f"{i}.png")
        Image.new("RGB", (64, 64), (red, 51, 0)).save(tmp_path / "maps" / f"{i}.png")
    checked = check(tmp_path)
    assert checked.mean == pytest.approx((0.2, 0.2, 0.0))
    assert checked.std == pytest.approx((0.8 * 3**0.5 / 4, 0.0, 0.0))
    assert checked.without_red == 0.75
    red = next(line for line in lines(checked) if line.strip().startswith("red"))
    assert red.split() == ["red", "-0.600", "0.693", "0.200", "0.346"]


def test_all_that_is_wrong_is_listed_within_80_columns(tmp_path: Path) -> None:
    names = write_vischema(tmp_path, 40, 8)
    for name in names[:25]:
        (tmp_path / "images" / name).write_bytes(b"")
    write_list(tmp_path / "viscplus_val.csv", [*names[30:], "a-name-that-is-quite-long" * 4])
    checked = check(tmp_path)
    text = lines(checked)
    assert len(checked.problems) == 25 + 2 + 1
    assert all(any(line.strip().startswith(f"{name}: image empty file") for line in text) for name in names[:25])
    assert all(len(line) <= 80 for line in text if "quite-long" not in line)
    assert checked.counts["pairs"] == 15


def test_of_a_pair_whose_files_are_both_bad_and_of_a_file_without_a_partner_all_is_said(tmp_path: Path) -> None:
    write_pairs(tmp_path, 6)
    (tmp_path / "images" / "pic00.png").write_bytes(b"")
    (tmp_path / "maps" / "pic00.png").write_bytes(b"no picture")
    (tmp_path / "maps" / "pic01.png").unlink()
    (tmp_path / "images" / "pic01.png").write_bytes(b"")
    (tmp_path / "images" / "pic02.png").unlink()
    (tmp_path / "maps" / "pic02.png").write_bytes(b"")
    (tmp_path / "test.csv").write_text("0,1\n")
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "categories.csv").write_text("pic03.png\n")
    assert [str(problem) for problem in check(tmp_path).problems] == [
        "train.txt: not UTF-8 text: save it as plain text, one name per line",
        "0: in test.csv, column 1, but no image in images/",
        "categories.csv: no column of categories: give rows of file,category",
        "pic01.png: image without a map",
        "pic02.png: map without an image",
        "pic00.png: image empty file; map unreadable (cannot identify image file)",
        "pic01.png: image empty file",
        "pic02.png: map empty file",
    ]


def test_hints_of_the_check_are_options_that_it_takes(tmp_path: Path) -> None:
    write_pairs(tmp_path, 5, "one", "two")
    for given in ((), ("--images", "pictures"), ("--images", "one", "--maps", "one")):
        end = called("data", "check", tmp_path, *given)
        refused(end, "give --images NAME --maps NAME")
        assert "data.images" not in end.err
    assert called("data", "check", tmp_path, "--images", "one", "--maps", "two", "--json").code == 0


def test_partners_that_are_missing_on_either_side_are_named(tmp_path: Path) -> None:
    write_pairs(tmp_path, 6)
    (tmp_path / "images" / "pic00.png").unlink()
    (tmp_path / "maps" / "pic01.png").unlink()
    assert [str(problem) for problem in check(tmp_path).problems] == [
        "pic01.png: image without a map",
        "pic00.png: map without an image",
    ]


def test_folders_of_other_names_are_recognised_or_can_be_told(tmp_path: Path) -> None:
    write_pairs(tmp_path / "a", 5, "Stimuli", "Heatmaps", grey=True)
    checked = check(tmp_path / "a")
    assert (checked.kind, checked.without_red, len(checked.mean)) == ("grey", None, 1)
    write_pairs(tmp_path / "b", 5, "one", "two")
    with pytest.raises(DataError, match=r"looks like an images and a maps folder \(found: one/, two/\)"):
        check(tmp_path / "b")
    assert check(tmp_path / "b", images="one", maps="two").good


def test_a_wrong_path_says_what_is_there(tmp_path: Path) -> None:
    write_vischema(tmp_path / "vischema_plus")
    with pytest.raises(DataError, match=r"did you mean .*/vischema_plus\?"):
        check(tmp_path)
    with pytest.raises(DataError, match="is a file, not a folder"):
        check(tmp_path / "vischema_plus" / "viscplus_val.csv")
    with pytest.raises(DataError, match="does not exist; did you mean vischema_plus"):
        check(tmp_path / "vischema_pls")


def test_a_dataset_with_nothing_usable_is_still_described(tmp_path: Path) -> None:
    for name in write_pairs(tmp_path, 3):
        (tmp_path / "images" / name).write_bytes(b"")
    checked = check(tmp_path)
    assert checked.counts["pairs"] == 0
    assert lines(checked)[-4].startswith("3 bad")
    with pytest.raises(ConfigurationError, match="no pair to draw"):
        picture(checked.pairs)


@pytest.mark.parametrize("count", [1, 3, 8, 30])
def test_the_picture_shows_up_to_eight_pairs(tmp_path: Path, count: int) -> None:
    pairs = Pairs(
        tuple(f"n{i}" for i in range(count)),
        torch.full((count, 3, 64, 64), 100, dtype=torch.uint8),
        torch.full((count, 3, 64, 64), 50, dtype=torch.uint8),
    )
    drawn = picture(pairs)
    rows, columns = -(-min(count, 8) // 2), 6 if count > 1 else 3
    assert drawn.size == (6 + columns * 134, 22 + rows * 150)


def test_a_name_of_two_lines_is_drawn_on_one(tmp_path: Path) -> None:
    write_pairs(tmp_path, 4)
    for part in ("images", "maps"):
        (tmp_path / part / "pic00.png").rename(tmp_path / part / "a\nb.png")
    checked = check(tmp_path)
    assert "a\nb.png" in checked.pairs.names
    assert picture(checked.pairs).size == (6 + 6 * 134, 22 + 2 * 150)


def test_maps_are_rendered_in_their_own_colours() -> None:
    maps = torch.tensor([[10, 20, 30]], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert render(maps[:, :1]).flatten().tolist() == [10, 10, 10]
    assert render(maps[:, :2]).flatten().tolist() == [10, 20, 0]
    assert render(maps[0]).flatten().tolist() == [10, 20, 30]


def test_a_grid_places_pictures_between_white_gutters() -> None:
    red = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None].expand(3, 4, 4)
    drawn = grid([[red, None], [None, red]], scale=10)
    assert drawn.size == (6 + 2 * 46, 6 + 2 * 46)
    assert drawn.getpixel((10, 10)) == drawn.getpixel((60, 60)) == (255, 0, 0)
    assert drawn.getpixel((60, 10)) == drawn.getpixel((10, 60)) == drawn.getpixel((2, 2)) == (255, 255, 255)
    taller = grid([[red]], scale=10, titles=["a title far too long for its column"])
    assert taller.size == (52, 68)
    assert all(taller.getpixel((x, y)) == (255, 255, 255) for x in (50, 51) for y in range(68))


def test_files_that_no_list_names_are_looked_at_too(tmp_path: Path) -> None:
    names = write_vischema(tmp_path)
    some = (tmp_path / "images" / names[0]).read_bytes()
    (tmp_path / "images" / "stray.jpg").write_bytes(some)
    (tmp_path / "vms" / "orphan.jpg").write_bytes(some)
    (tmp_path / "images" / "empty.jpg").write_bytes(b"")
    (tmp_path / "vms" / "empty.jpg").write_bytes(some)
    assert {problem.name for problem in check(tmp_path).problems} == {"stray.jpg", "orphan.jpg", "empty.jpg"}


def test_vischema_plus_without_one_of_its_lists_is_not_taken_for_any_folder(tmp_path: Path) -> None:
    write_vischema(tmp_path)
    (tmp_path / "viscplus_val.csv").unlink()
    with pytest.raises(DataError, match=r"looks like VISCHEMA PLUS but lacks viscplus_val.csv"):
        check(tmp_path)


def test_the_check_ends_with_what_to_do(tmp_path: Path) -> None:
    """Also of pictures that no list names, which no sweep uses."""
    names = write_vischema(tmp_path)
    (tmp_path / "images" / "unlisted.jpg").write_bytes(b"")
    (tmp_path / "vms" / names[0]).write_bytes(b"")
    for option, where in (([], "the list above"), (["--json"], '"problems"')):
        end = called("data", "check", tmp_path, "--picture", tmp_path / "pairs.png", *option)
        assert end.code == 1
        assert end.err.startswith(f"3 bad in {where}: a sweep that uses one of these refuses it; replace each")


def test_names_are_drawn_in_letters_that_the_font_has_and_escaped_in_others(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawable("sünä_Ж_\U0001f600\n.png") == "sünä_Ж_\U0001f600\\n.png"
    assert drawable("名前.png") == "\\u540d\\u524d.png"
    monkeypatch.setattr(rendering, "find_spec", lambda _: None)  # without Matplotlib
    for one in (rendering.lettering, rendering.has_glyph):
        one.cache_clear()
    try:
        assert drawable("sünä.png") == "s\\xfcn\\xe4.png"
        assert grid([[torch.zeros(3, 8, 8, dtype=torch.uint8)]], 4, captions=[["ä"]]).size == (44, 60)
    finally:
        for one in (rendering.lettering, rendering.has_glyph):
            one.cache_clear()
