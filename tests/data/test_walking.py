"""Folders with links, odd names and odd files are read whole, or it is said what was not."""

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.data.data_folders import map_of, write_list, write_pairs
from vmsbench.data.folder import folder
from vmsbench.data.inspection import check
from vmsbench.data.sources.walking import walk
from vmsbench.errors import DataError

PARTS = ("images", "maps")


def names(root: Path, **settings: object) -> set[str]:
    dataset = folder(root, size=16, **settings)  # type: ignore[arg-type]
    return {name for pairs in (dataset.train, dataset.validation, dataset.test) for name in pairs.names}


def test_folders_that_are_links_are_followed_and_said(tmp_path: Path) -> None:
    near = write_pairs(tmp_path / "set", 5)
    write_pairs(tmp_path / "far", 6)
    for part in PARTS:
        (tmp_path / "set" / part / "more").symlink_to(tmp_path / "far" / part)
    assert names(tmp_path / "set") == {*near, *(f"more/pic{i:02d}.png" for i in range(6))}
    told = folder(tmp_path / "set", size=16).provenance
    assert told.images is not None
    assert told.images.links == ("more",)
    assert "11 pictures; links followed: more" in told.lines()[1]
    assert not told.warnings


@pytest.mark.parametrize("target", [".", "..", "../..", "/", "itself"])
def test_a_link_that_leads_back_is_no_endless_way(tmp_path: Path, target: str) -> None:
    there = write_pairs(tmp_path, 5)
    for part in PARTS:
        (tmp_path / part / "back").symlink_to("back" if target == "itself" else target)
    assert names(tmp_path) == set(there)
    warnings = folder(tmp_path, size=16).provenance.warnings
    assert [warning.partition(":")[0] for warning in warnings] == ["images/", "maps/"]
    assert all("back" in warning for warning in warnings)


def test_a_folder_reached_in_two_ways_is_read_once_by_its_own_name(tmp_path: Path) -> None:
    write_pairs(tmp_path / "set", 6, "images/z", "maps/z")
    for part in PARTS:
        (tmp_path / "set" / part / "a").symlink_to("z")
    assert names(tmp_path / "set") == {f"z/pic{i:02d}.png" for i in range(6)}
    assert "are skipped: a" in folder(tmp_path / "set", size=16).provenance.warnings[0]


def test_maps_that_lie_among_the_images_are_no_images(tmp_path: Path) -> None:
    there = write_pairs(tmp_path, 6, "pictures", "pictures/maps")
    assert names(tmp_path, images="pictures", maps="pictures/maps") == set(there)
    (tmp_path / "pictures" / "too").symlink_to(tmp_path / "pictures" / "maps")
    assert names(tmp_path, images="pictures", maps="pictures/maps") == set(there)


@pytest.mark.parametrize("how", ["named twice", "a link"])
def test_one_folder_for_images_and_maps_is_refused(tmp_path: Path, how: str) -> None:
    write_pairs(tmp_path, 5)
    if how == "a link":
        shutil.rmtree(tmp_path / "maps")
        (tmp_path / "maps").symlink_to("images")
    with pytest.raises(DataError, match=r"set data\.images=NAME data\.maps=NAME"):
        folder(tmp_path, maps="maps" if how == "a link" else "images")


def test_links_that_lead_nowhere_are_said(tmp_path: Path) -> None:
    write_pairs(tmp_path, 5)
    (tmp_path / "images" / "gone").symlink_to("/nowhere/at/all")
    assert folder(tmp_path, size=16).provenance.warnings == ("images/: 1 links lead nowhere: gone",)
    for part in PARTS:
        (tmp_path / part / "lost.png").symlink_to("/nowhere/lost.png")
    with pytest.raises(DataError, match=r"1 bad file.*lost.png: image unreadable \(No such file or directory\)"):
        folder(tmp_path, size=16)


def test_a_name_that_is_not_utf_8_is_named_by_check_and_by_reading(tmp_path: Path) -> None:
    write_pairs(tmp_path, 5)
    shutil.copy(tmp_path / "images" / "pic00.png", os.fsencode(tmp_path) + b"/images/caf\xe9.png")
    os.mkdir(os.fsencode(tmp_path) + b"/maps/\xff")
    said = [r"images/caf\xe9.png: its name is not UTF-8: rename it", r"maps/\xff/: its name is not UTF-8: rename it"]
    assert [str(problem) for problem in check(tmp_path).problems] == said
    with pytest.raises(DataError) as caught:
        folder(tmp_path, size=16, cache=tmp_path / "cache")
    assert all(one in str(caught.value) for one in said)
    str(caught.value).encode()


def test_a_path_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    write_pairs(root, 5)
    with pytest.raises(DataError, match=r"\\xff: this path is not UTF-8: rename its folders"):
        folder(root)


def test_names_composed_and_decomposed_are_partners(tmp_path: Path) -> None:
    """Linux writes names as they come, macOS decomposes them."""
    write_pairs(tmp_path, 8)
    for part, form in (("images", "NFC"), ("maps", "NFD")):
        for path in list((tmp_path / part).iterdir()):
            path.rename(path.with_name(unicodedata.normalize(form, f"é{path.name}")))
    write_list(tmp_path / "test.csv", [unicodedata.normalize("NFD", f"épic0{i}.png") for i in range(3)])
    dataset = folder(tmp_path, test="test.csv", size=24)
    assert dataset.test.names == tuple(f"\u00e9pic0{i}.png" for i in range(3))
    assert all(np.array_equal(dataset.test.maps[i].numpy(), map_of(i).transpose(2, 0, 1)) for i in range(3))
    digest = dataset.digest
    for path in list((tmp_path / "images").iterdir()):
        path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))
    assert folder(tmp_path, test="test.csv", size=24).digest == digest


def test_files_that_look_the_same_are_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path, 5)
    for form in ("NFC", "NFD"):
        shutil.copy(tmp_path / "maps" / "pic00.png", tmp_path / "maps" / unicodedata.normalize(form, "é.png"))
    assert "same stem as" in str(check(tmp_path).problems[0])


def test_double_suffixes_are_told_apart(tmp_path: Path) -> None:
    write_pairs(tmp_path, 6)
    for part in PARTS:
        (tmp_path / part / "pic00.png").rename(tmp_path / part / "img.jpg.png")
        (tmp_path / part / "pic01.png").rename(tmp_path / part / "img.png")
    write_list(tmp_path / "test.csv", ["img.jpg", "img"])
    dataset = folder(tmp_path, test="test.csv", size=24)
    assert dataset.test.names == ("img.jpg.png", "img.png")
    assert np.array_equal(dataset.test.maps[0].numpy(), map_of(0).transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPG"])
def test_every_suffix_of_a_jpeg_is_one(tmp_path: Path, suffix: str) -> None:
    write_pairs(tmp_path, 5, image_suffix=".jpg")
    for path in list((tmp_path / "images").iterdir()):
        path.rename(path.with_suffix(suffix))
    assert names(tmp_path) == {f"pic{i:02d}{suffix}" for i in range(5)}


def test_a_folder_of_files_that_are_not_read_is_not_called_empty(tmp_path: Path) -> None:
    write_pairs(tmp_path, 5)
    for path in list((tmp_path / "maps").iterdir()):
        path.rename(path.with_suffix(".npy"))
    with pytest.raises(DataError, match=r"maps has no pictures in it \(found: 5 .npy\); .bmp .gif .jfif .* are read"):
        folder(tmp_path)


def test_of_many_kinds_of_files_the_commonest_are_named(tmp_path: Path) -> None:
    write_pairs(tmp_path, 5)
    for number in range(30):
        for copy in range(1 + (number == 7)):
            (tmp_path / "images" / f"{copy}.x{number:02d}").write_bytes(b"x")
    (line,) = [line for line in folder(tmp_path, size=16).provenance.lines() if "  images" in line]
    assert line.endswith("; skipped: 2 .x07, 1 .x00, 1 .x01, 1 .x02, 1 .x03, 1 .x04 and 24 of 24 other kinds")


def test_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    there = write_pairs(tmp_path, 5)
    for name in (".DS_Store", "._pic00.png", "notes.txt", "more.txt", "README", "scan.heic"):
        (tmp_path / "images" / name).write_bytes(b"x")
    for name in (".ipynb_checkpoints", "__MACOSX", "@eaDir"):
        shutil.copytree(tmp_path / "maps", tmp_path / "images" / name)
    os.mkfifo(tmp_path / "images" / "pipe.png")
    assert names(tmp_path) == set(there)
    told = folder(tmp_path, size=16).provenance
    assert told.images is not None
    assert told.images.passed_over == {
        **{".heic": 1, ".txt": 2, "files without a suffix": 1, "hidden files": 2, "hidden folders": 3},
        "pipes, sockets and devices": 1,
    }
    assert told.warnings == ("images/: 1 .heic are skipped: such files are not read",)


def test_a_subfolder_that_nobody_may_read_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").mkdir()
    plainly: Callable[..., object] = os.scandir

    def refused(place: Path) -> object:
        if Path(place).name == "secret":
            raise PermissionError(13, "Permission denied")
        return plainly(place)

    monkeypatch.setattr("vmsbench.data.sources.walking.os.scandir", refused)
    assert [str(problem) for problem in walk(tmp_path).problems] == ["secret/: cannot be read (Permission denied)"]
