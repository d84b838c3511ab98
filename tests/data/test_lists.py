"""Lists in every shape that people's tools write them name the right images, or are refused."""

from pathlib import Path

import pytest
from PIL import Image

from tests.support.data_folders import image_of, map_of
from vmsbench.data.folder import folder
from vmsbench.data.inspection import check, lines
from vmsbench.data.sources.lists import categories_in, stems_in
from vmsbench.data.sources.names import Names, printable
from vmsbench.errors import DataError

NUMBERS = Names([f"{i}.jpg" for i in range(40)], "images")
KINDS = ["indoor", "outdoor"]


def stems(tmp_path: Path, text: str, images: Names = NUMBERS, encoding: str = "utf-8") -> list[str]:
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    found, _, problems = stems_in(tmp_path / "list.csv", images)
    assert not problems
    return found


def categories(tmp_path: Path, rows: list[str]) -> dict[str, str]:
    (tmp_path / "categories.csv").write_text("\n".join(rows) + "\n")
    kinds, _, problems = categories_in(tmp_path / "categories.csv", NUMBERS)
    assert not problems, problems
    return kinds


@pytest.mark.parametrize(
    "text",
    [
        ",filename\n0,31.jpg\n1,7.jpg\n",
        ",filename\n0,31\n1,7\n",
        ",filename\n5,31.jpg\n9,7.jpg\n",  # the rows of a table that was shuffled keep their index
        ",Unnamed: 0,image\n0,5,31.jpg\n1,9,7.jpg\n",
        "index,file\n0,31.jpg\n1,7.jpg\n",
        ",0\n0,31.jpg\n1,7.jpg\n",
        "0\n31.jpg\n7.jpg\n",  # pandas' name of a column without one, and an image's
        ",score,filename\n0,5,31.jpg\n1,9,7.jpg\n",
        "id,file_name\n0,31.jpg\n1,7.jpg\n",
        "\tfile\n0\t31.jpg\n1\t7.jpg\n",
        "file;score\n31.jpg;1,5\n7.jpg;2,5\n",
        "0,31.jpg\n1,7.jpg\n",
        '0, "31.jpg"\n1, "7.jpg"\n',
        "image,map\nimages/31.jpg,maps/31.png\nimages/7.jpg,maps/7.png\n",
        "31.jpg,\n7.jpg,\n",
        "images\\31.jpg\r\nimages\\7.jpg\r\n",
        "31.jpg\r7.jpg\r",
    ],
)
def test_the_column_whose_entries_are_images_is_read(tmp_path: Path, text: str) -> None:
    assert stems(tmp_path, text) == ["31", "7"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_lists_are_read_in_what_their_byte_order_mark_says(tmp_path: Path, encoding: str) -> None:
    assert stems(tmp_path, "file\nä b.jpg\nß.jpg\n", Names(["ä b.jpg", "ß.jpg"]), encoding) == ["ä b", "ß"]


@pytest.mark.parametrize("content", ["dät\n".encode("latin-1"), "31.jpg\n".encode("utf-16-le"), b"31.jpg\n\0"])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"list\.csv is not UTF-8 text: save it as plain text"):
        stems_in(tmp_path / "list.csv", NUMBERS)


@pytest.mark.parametrize("text", ["0,31\n1,7\n", "31,5\n7,9\n", "a,b\n0,31\n1,7\n"])
def test_two_columns_that_may_both_be_meant_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        DataError, match=r"columns 1 and 2 both name images .*write the heading file over the one meant"
    ):
        stems(tmp_path, text)


def test_an_index_is_not_read_where_the_names_are_of_other_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"column 2 has names of pictures that are not in images/, column 1 has names"):
        stems(tmp_path, "0,a.jpg\n1,b.jpg\n")
    (tmp_path / "list.csv").write_text(",filename\n0,a.jpg\n1,b.jpg\n")
    assert [str(one) for one in stems_in(tmp_path / "list.csv", NUMBERS)[2]] == [
        "a.jpg: in list.csv, but no image in images/",
        "b.jpg: in list.csv, but no image in images/",
    ]


@pytest.mark.parametrize("first", ["3l", "sun_bcah", "pic7"])
def test_a_first_line_written_wrongly_is_no_heading(tmp_path: Path, first: str) -> None:
    (tmp_path / "list.csv").write_text(f"{first}\n31.jpg\n7.jpg\n")
    _, _, problems = stems_in(tmp_path / "list.csv", Names(["31.jpg", "7.jpg", "sun_abcah.jpg"]))
    assert [one.name for one in problems] == [first]


def test_a_heading_that_nobody_knows_is_said(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Datei\n31.jpg\n7.jpg\n")
    found, listing, _ = stems_in(tmp_path / "list.csv", NUMBERS)
    assert found == ["31", "7"]
    assert listing.guessed
    assert str(listing) == 'list.csv, column 1 "Datei": 2 names, 2 of them images'


def test_names_with_commas_quotes_and_spaces_are_names(tmp_path: Path) -> None:
    odd = ["a,b.jpg", 'say "x".jpg', " led.jpg", "a;b,c.jpg", "it's.jpg", "#1.jpg", "-x.jpg", "file.jpg", "[1].jpg"]
    images = Names(odd, "images")
    wanted = [name[:-4] for name in odd]
    assert stems(tmp_path, "\n".join(odd), images) == wanted
    quoted = ['"' + name.replace('"', '""') + '",5' for name in odd]
    assert stems(tmp_path, "\n".join(["filename,score", *quoted]), images) == wanted


def test_an_image_that_is_called_like_a_heading_does_not_hide_it(tmp_path: Path) -> None:
    images = Names(["file.jpg", "filename.jpg", "31.jpg", "7.jpg"])
    for text in ("file\n31.jpg\n7.jpg\n", ",filename\n0,31\n1,7\n", "filename,score\n31.jpg,file\n7.jpg,x\n"):
        assert stems(tmp_path, text, images) == ["31", "7"]
    assert stems(tmp_path, "file.jpg\n31.jpg\n", images) == ["file", "31"]


def test_the_very_name_of_a_file_goes_before_a_stem() -> None:
    names = Names(["img.jpg.jpg", "img.jpg", "only.jpg.png"])
    assert [names.stem(name) for name in ("img.jpg", "img.jpg.jpg", "img", "only.jpg", "only.jpg.png", "only")] == [
        *("img", "img.jpg", "img", "only.jpg", "only.jpg", None)
    ]


def test_a_list_without_extensions_means_stems_and_one_that_has_both_is_refused(tmp_path: Path) -> None:
    images = Names(["img.jpg", "img.jpg.png", "img.jpg.png.tiff", "a.png"], "images")
    assert stems(tmp_path, "img.jpg.png\nimg.jpg\na\n", images) == ["img.jpg.png", "img.jpg", "a"]
    assert stems(tmp_path, "img.jpg.png\nimg.jpg\na.png\n", images) == ["img.jpg", "img", "a"]
    (tmp_path / "list.csv").write_text("img.jpg\na\nimg.jpg.png.tiff\n")
    (problem,) = stems_in(tmp_path / "list.csv", images)[2]
    assert str(problem).startswith("img.jpg: in list.csv, is one image and, without extension, another; give all names")


def test_composed_and_decomposed_unicode_are_one_name() -> None:
    assert Names(["a\u0308.jpg"]).stem("\u00e4.jpg") == Names(["\u00e4.jpg"]).stem("a\u0308.png") == "\u00e4"


def test_names_are_printed_on_one_line() -> None:
    assert printable("a\nb\udcff ä.jpg") == "a\\nb\\xff ä.jpg"


@pytest.mark.parametrize(
    "way", ["plain", "index", "index without headings", "swapped", "swapped without headings", "more"]
)
def test_categories_are_of_the_right_images_in_every_order(tmp_path: Path, way: str) -> None:
    """With an index that counts from 0 upwards the names count downwards: the two cannot be taken for each other."""
    names = [39 - i for i in range(40)]
    kinds = [KINDS[name % 2] for name in names]
    each = list(zip(range(40), names, kinds, strict=True))
    rows = {
        "plain": ["file,category", *(f"{name}.jpg,{kind}" for _, name, kind in each)],
        "index": [",file,category", *(f"{i},{name}.jpg,{kind}" for i, name, kind in each)],
        "index without headings": [f"{i},{name}.jpg,{kind}" for i, name, kind in each],
        "swapped": ["category,file", *(f"{kind},{name}" for _, name, kind in each)],
        "swapped without headings": [f"{kind},{name}.jpg" for _, name, kind in each],
        "more": ["file,width,category", *(f"{name}.jpg,700,{kind}" for _, name, kind in each)],
    }[way]
    assert categories(tmp_path, rows) == {str(name): kind for _, name, kind in each}


def test_categories_that_fit_no_image_or_contradict_themselves_are_problems(tmp_path: Path) -> None:
    for rows, said in (
        ("file,category\nx.jpg,a\ny.jpg,b\n", "categories.csv: names no image of images/ (it has x.jpg, y.jpg)"),
        ("file,category\n1.jpg,a\n1.jpg,b\n", "1.jpg: in categories.csv as a and as b"),
    ):
        (tmp_path / "categories.csv").write_text(rows)
        assert [str(one) for one in categories_in(tmp_path / "categories.csv", NUMBERS)[2]] == [said]
    (tmp_path / "categories.csv").write_text("1.jpg\n2.jpg\n")
    with pytest.raises(DataError, match="has no column of categories: give rows of file,category"):
        categories_in(tmp_path / "categories.csv", NUMBERS)
    (tmp_path / "categories.csv").write_text("a,9,1.jpg\nb,9,2.jpg\n")
    with pytest.raises(DataError, match=r"columns 1 and 2 may both be categories: write the heading category over"):
        categories_in(tmp_path / "categories.csv", NUMBERS)


def test_which_column_was_read_and_what_it_lacks_is_shown(tmp_path: Path) -> None:
    for part in ("images", "maps"):
        (tmp_path / part).mkdir()
    for i in range(10):
        Image.fromarray(image_of(i)).save(tmp_path / "images" / f"{i}.jpg")
        Image.fromarray(map_of(i)).save(tmp_path / "maps" / f"{i}.png")
    (tmp_path / "test.csv").write_text(",filename\n0,3.jpg\n1,7.jpg\n")
    (tmp_path / "categories.csv").write_text("kind,file\n" + "".join(f"{KINDS[i % 2]},{i}\n" for i in range(8)))
    dataset = folder(tmp_path, test="test.csv", categories="categories.csv", size=16)
    assert dataset.test.names == ("3.jpg", "7.jpg")
    told = dataset.provenance
    assert (told.lists["test"].column, told.lists["test"].heading, told.lists["test"].matched) == (2, "filename", 2)
    assert (told.lists["categories"].column, told.lists["categories"].values) == (2, 1)
    assert told.warnings == ("categories.csv has no category for 2 of 10 pairs",)
    checked = check(tmp_path)
    assert 'test: test.csv, column 2 "filename": 2 names, 2 of them images' in " ".join(
        " ".join(lines(checked)).split()
    )
    assert checked.as_json()["provenance"]["lists"]["test"]["column"] == 2
