"""Further folders, of fixations and of other people's maps: what is read there is shown, and what is wrong is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.command_line import called
from tests.support.data.data_folders import map_of, write_pairs
from vmsbench.data.folder import folder
from vmsbench.data.inspection import check, lines
from vmsbench.errors import ConfigurationError, DataError

SIDE = 24
HALVES = ["half_a", "half_b"]


def points(number: int, level: int = 1) -> Image.Image:
    pixels = np.zeros((SIDE, SIDE), np.uint16)
    pixels[number, 3:6] = level
    return Image.fromarray(pixels)


def with_further(root: Path, count: int = 12, draw: Callable[[int], Image.Image] = points) -> list[str]:
    names = write_pairs(root, count, side=SIDE)
    (root / "seen").mkdir()
    for number, name in enumerate(names):
        draw(number).save(root / "seen" / name)
    for number, half in enumerate(HALVES, start=1):
        (root / half).mkdir()
        for at, name in enumerate(names):
            Image.fromarray(map_of(100 * number + at, SIDE)).save(root / half / name)
    return names


def test_what_was_read_of_further_folders_is_shown_by_logs_checks_and_json(tmp_path: Path) -> None:
    with_further(tmp_path)
    told = folder(tmp_path, size=SIDE, fixations="seen", repeats=HALVES).provenance
    fixations = "seen/, 12 pictures; 12 of 12 images have one; 3.0 of 576 pixels fixated on average"
    halves = "half_a/, 12 pictures; 2 of 2 test images have one; values 0 to 255 of 255, 256 different"
    assert told.lines()[3:5] == [f"  fixations  {fixations}", f"  repeats    {halves}"]
    assert told.warnings == ()
    assert told.as_json()["further"]["repeats half_b"]["matched"] == 2
    checked = check(tmp_path, fixations="seen", repeats=HALVES)
    text = " ".join(" ".join(lines(checked)).split())
    assert "fixations: seen/, 12 pictures; 12 of 12 images have one; 3.0 of 4096 pixels fixated on average" in text
    assert "repeats: half_b/, 12 pictures; 12 of 12 images have one; values 0 to 255 of 255, 256 different" in text
    assert checked.good
    end = called(
        "data", "check", tmp_path, "--fixations", "seen", "--repeats", "half_a", "--repeats", "half_b", "--json"
    )
    assert end.code == 0
    assert '"repeats half_a"' in end.out


def test_fixations_that_changed_are_other_data_and_repeats_are_not(tmp_path: Path) -> None:
    """Fixations change scores; how far people agree changes none, and more of them may come later."""
    names = with_further(tmp_path)
    plain = folder(tmp_path, size=16)
    before = folder(tmp_path, size=16, fixations="seen", repeats=HALVES)
    assert folder(tmp_path, size=16, repeats=HALVES).digest == plain.digest
    assert before.digest != plain.digest
    points(20).save(tmp_path / "seen" / names[0])
    Image.fromarray(map_of(7)).save(tmp_path / "half_a" / before.test.names[0])
    after = folder(tmp_path, size=16, fixations="seen", repeats=HALVES)
    assert after.digest != before.digest
    with pytest.raises(DataError, match="changed: its digest is"):
        folder(tmp_path, size=16, fixations="seen", digest=before.digest)
    for what in ("fixations", "repeats half_a"):
        assert after.provenance.further[what].digest != before.provenance.further[what].digest
    assert after.provenance.further["repeats half_b"] == before.provenance.further["repeats half_b"]


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda i: Image.fromarray(map_of(i, SIDE, grey=True)), "seen/: 100 % of all pixels are not black"),
        (lambda i: points(i, level=0 if i < 3 else 1), "seen/: 3 of 12 images have no fixation, and no such score"),
    ],
)
def test_fixations_that_are_odd_are_said(tmp_path: Path, draw: Callable[[int], Image.Image], said: str) -> None:
    with_further(tmp_path, draw=draw)
    for told in (
        folder(tmp_path, size=16, fixations="seen").provenance.warnings,
        check(tmp_path, fixations="seen").provenance.warnings,
    ):
        assert any(one.startswith(said) for one in told), told


def test_further_folders_that_are_odd_are_said(tmp_path: Path) -> None:
    names = with_further(tmp_path)
    for name in names:
        (tmp_path / "half_b" / name).write_bytes((tmp_path / "half_a" / name).read_bytes())
        (tmp_path / "half_a" / f"more {name}").write_bytes((tmp_path / "half_a" / name).read_bytes())
    for name in names:
        Image.fromarray(map_of(3, SIDE) // 128).save(tmp_path / "seen" / name)
    given = folder(tmp_path, size=16, repeats=["half_a", "half_b", "maps", "seen"]).provenance.warnings
    assert given == (
        "half_a/: 12 of its pictures are of no image here",
        "seen/: the brightest value of any map is 1 of 255: data.scale=255 makes it white, or are these labels?",
        "half_b/: its maps are those of half_a/: people agree with themselves",
        "maps/: its maps are the very maps that are learned",
    )


def test_all_that_is_wrong_with_further_folders_is_listed_at_once(tmp_path: Path) -> None:
    names = with_further(tmp_path)
    test = folder(tmp_path, size=16).test.names
    (tmp_path / "seen" / names[0]).write_bytes(b"")
    (tmp_path / "seen" / names[1]).write_bytes(b"no picture")
    Image.new("L", (SIDE, 2 * SIDE), "white").save(tmp_path / "seen" / names[2])
    points(1).save(tmp_path / "seen" / "pic05.tif")
    (tmp_path / "half_a" / test[0]).unlink()
    Image.fromarray(map_of(1, SIDE, grey=True)).save(tmp_path / "half_b" / test[1])
    said = [
        "data.repeats=half_a: no map for 1 of 2 images",
        "seen/pic05.tif: same stem as pic05.png",
        "seen/pic00.png: empty file",
        "seen/pic01.png: unreadable (",
        "seen/pic02.png: wrong shape: the image is 24 x 24 px, its fixation map 24 x 48",
        f"half_b/{test[1]}: it is grey, the maps are in colour",
    ]
    with pytest.raises(DataError) as caught:
        folder(tmp_path, size=16, fixations="seen", repeats=HALVES)
    assert str(caught.value).startswith(f"{len(said)} bad files in ")
    assert all(one in str(caught.value) for one in said)
    checked = check(tmp_path, fixations="seen", repeats=HALVES)
    assert [one for one in said[1:] if not any(str(problem).startswith(one) for problem in checked.problems)] == []
    assert "half_a/: no map for 1 of 12 images" in checked.provenance.warnings


def test_a_black_grey_file_among_colour_maps_is_black_there_too(tmp_path: Path) -> None:
    with_further(tmp_path)
    first = folder(tmp_path, size=SIDE).test.names[0]
    Image.new("L", (SIDE, SIDE)).save(tmp_path / "half_a" / first)
    repeats = folder(tmp_path, size=SIDE, repeats=HALVES).repeats
    assert repeats is not None
    assert not repeats[0, 0].any()


def test_folders_that_are_no_annotators_are_one_line(tmp_path: Path) -> None:
    with_further(tmp_path)
    (tmp_path / "again").symlink_to("half_a")
    for given in (["half_a", "half_a"], ["half_a", "again"]):
        with pytest.raises(ConfigurationError, match=r"data\.repeats: .* is given twice; give each annotator's folder"):
            folder(tmp_path, repeats=given)
    with pytest.raises(
        DataError, match=r"data\.fixations: .* has no folder gaze \(found: again/, half_a/, half_b/, images/"
    ):
        folder(tmp_path, fixations="gaze")
