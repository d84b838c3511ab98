"""Lists in every shape that people's tools write them name the right images, or are refused."""

from pathlib import Path

import pytest
from PIL import Image

from tests.support.data.data_folders import image_of, map_of, write_pairs
from vmsbench.data.folder import folder
from vmsbench.data.inspection import check, lines
from vmsbench.data.sources.categories import categories_in
from vmsbench.data.sources.lists import stems_in
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
    with pytest.raises(DataError, match=r"list\.csv: not UTF-8 text: save it as plain text"):
        stems_in(tmp_path / "list.csv", NUMBERS)


@pytest.mark.parametrize(
    "text",
    [
        '["7.jpg", "31.jpg"]',
        '{"test": ["7.jpg"]}\n',
        '[\n "7.jpg",\n "31.jpg"\n]\n',
        "[\n7,\n31\n]",
        '{"file": "7.jpg"}\n\n{"file": "31.jpg"}\n',
        '["7.jpg"]\n["31.jpg"]\n',
        "[1]\n",
        100_000 * "[",
    ],
    ids=["list", "object", "indented", "numbers", "lines of objects", "lines of lists", "one number", "deep"],
)
def test_json_is_refused_with_how_lists_are_written(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"this is JSON: save it as plain text, one name per line"):
        stems(tmp_path, text)


def test_names_in_brackets_are_names(tmp_path: Path) -> None:
    images = Names(["[1].jpg", "[2].jpg"], "images")
    for text in ("[1].jpg\n", "[1]", "[1]\n", "[1]\n[2]\n", "[2].jpg\n[1].jpg\n"):
        assert stems(tmp_path, text, images) == [name.removesuffix(".jpg") for name in text.split()]


def test_a_line_that_is_too_long_for_a_name_is_cut(tmp_path: Path) -> None:
    for text in (f"<svg {'x' * 5000}", f"31.jpg\n{'x' * 5000}\n"):
        (tmp_path / "list.csv").write_text(text)
        (problem,) = stems_in(tmp_path / "list.csv", NUMBERS)[2]
        assert len(str(problem)) < 300


@pytest.mark.parametrize("text", ["7.jpg, 31.jpg, 4.jpg\n", "7.jpg;31.jpg;4.jpg"])
def test_a_list_in_one_row_is_refused_with_how_lists_are_written(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"its one row names several images .*write one name per row"):
        stems(tmp_path, text)


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
        'list.csv: column 2 "filename" names no image of images/ (it has a.jpg, b.jpg): names here are such as 0.jpg'
    ]


def test_a_column_that_names_no_image_is_named_with_the_fix(tmp_path: Path) -> None:
    fix = "write the heading file over the column of names, which are such as 0.jpg"
    for text, column, has in (
        ("0.5;good\n0.7;bad\n", "column 1", "0.5, 0.7"),
        (",picture of\n0,a.png\n1,b.png\n", 'column 2 "picture of"', "a.png, b.png"),
    ):
        (tmp_path / "list.csv").write_text(text)
        found, listing, (problem,) = stems_in(tmp_path / "list.csv", NUMBERS)
        assert (found, listing.matched) == ([], 0)
        assert str(problem) == f"list.csv: {column} names no image of images/ (it has {has}): {fix}"


def test_a_name_of_no_image_is_named_with_its_column_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("score,file\n0.5,beach.jpg\n0.7,moutain.jpg\n0.1,zzz.jpg\n")
    _, _, problems = stems_in(tmp_path / "list.csv", Names(["beach.jpg", "mountain.jpg"], "photos"))
    assert [str(one) for one in problems] == [
        "moutain.jpg: in list.csv, column 2, but no image in photos/; did you mean mountain.jpg?",
        "zzz.jpg: in list.csv, column 2, but no image in photos/",
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


@pytest.mark.parametrize(
    ("head", "row", "place"),
    [
        ("file,indoor,outdoor", "{name}.jpg,{indoor},{outdoor}", "columns 2 and 3"),
        (",file,indoor,outdoor", "{index},{name}.jpg,{indoor},{outdoor}", "columns 3 and 4"),
        ("indoor,file,outdoor", "{indoor},{name}.jpg,{outdoor}", "columns 1 and 3"),
        ("indoor,outdoor,file", "{indoor},{outdoor},{name}.jpg", "columns 1 and 2"),
        ("file,width,indoor,outdoor", "{name}.jpg,700,{indoor},{outdoor}", "columns 3 and 4"),
        ("file,category_indoor,category_outdoor", "{name},{indoor},{outdoor}", "columns 2 and 3"),
        ("file;indoor;outdoor", "{name};{indoor};{outdoor}", "columns 2 and 3"),
        ("file,indoor,outdoor,note", "{name},{indoor},{outdoor},fine", "columns 2 and 3"),
        ("file,place,indoor,outdoor", "{name},{kind},{indoor},{outdoor}", "column 2"),
        ("file,indoor,outdoor,category", "{name},{indoor},{outdoor},{kind}", "column 4"),
    ],
)
@pytest.mark.parametrize("flags", [(0, 1), (False, True), (0.0, 1.0), ("", "x")])
def test_a_column_for_each_category_is_read(
    tmp_path: Path, head: str, row: str, place: str, flags: tuple[object, object]
) -> None:
    (tmp_path / "categories.csv").write_text(
        "\n".join([head, *(row.format(name=39 - i, index=i, **one_hot(i, flags)) for i in range(40))])
    )
    kinds, listing, problems = categories_in(tmp_path / "categories.csv", NUMBERS)
    assert not problems
    assert kinds == {str(39 - i): KINDS[i % 2] for i in range(40)}
    assert f", categories in {place}: 40 names, 40 of them images" in str(listing)
    assert not listing.numbers


def one_hot(number: int, flags: tuple[object, object]) -> dict[str, object]:
    """What is written of an image whose category is KINDS[number % 2]."""
    return {"indoor": flags[number % 2 == 0], "outdoor": flags[number % 2], "kind": KINDS[number % 2]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,night,people\n{}", "no heading says so and they are numbers"),  # both, or neither, in some rows
        ("{}", "no heading says so and they are numbers"),
        ("file,width,height\n{}", "no heading says so and they are numbers"),
        ("file,score\n{}", "no heading says so and they are numbers"),
        ("file,category\n{}", "every pair has the same category"),
        ("file,place\n{}", "every pair has a category of its own"),
        ("file,class\n{}", ""),
        ("file,indoor\n{}", ""),
    ],
    ids=["flags", "no headings", "sizes", "scores", "one", "each its own", "numbered", "one flag"],
)
def test_categories_that_may_be_something_else_are_said(
    tmp_path: Path, text: str, said: str, request: pytest.FixtureRequest
) -> None:
    rows = {
        "flags": "{name},{odd},1",
        "no headings": "{name},{odd},{even}",
        "sizes": "{name},640,48{odd}",
        "scores": "{name},0.{odd}",
        "one": "{name},a",
        "each its own": "{name},k{i}",
        "numbered": "{name},{odd}",
        "one flag": "{name},{odd}",
    }[request.node.callspec.id]
    names = write_pairs(tmp_path, 10)
    written = [rows.format(name=name, odd=i % 2, even=1 - i % 2, i=i) for i, name in enumerate(names)]
    (tmp_path / "categories.csv").write_text(text.format("\n".join(written)))
    checked = check(tmp_path)
    assert checked.good
    place = "categories.csv, column 2: "
    assert len(checked.as_json()["warnings"]) == bool(said)
    assert all(one.startswith(place) and said in one for one in checked.provenance.warnings)
    dataset = folder(tmp_path, categories="categories.csv", size=16)
    assert dataset.provenance.warnings == checked.provenance.warnings
    assert said in "\n".join(dataset.provenance.lines())


def test_categories_that_fit_no_image_or_contradict_themselves_are_problems(tmp_path: Path) -> None:
    for rows, said in (
        (
            "file,category\nx.jpg,a\ny.jpg,b\n",
            'categories.csv: column 1 "file" names no image of images/ (it has x.jpg, y.jpg): names here are such as '
            "0.jpg",
        ),
        ("file,category\n1.jpg,a\n1.jpg,b\n", "1.jpg: in categories.csv as a and as b"),
    ):
        (tmp_path / "categories.csv").write_text(rows)
        assert [str(one) for one in categories_in(tmp_path / "categories.csv", NUMBERS)[2]] == [said]
    (tmp_path / "categories.csv").write_text("1.jpg\n2.jpg\n")
    with pytest.raises(DataError, match="no column of categories: give rows of file,category"):
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
    assert (told.lists["categories"].column, told.lists["categories"].values) == (2, (1,))
    assert told.warnings == ("categories.csv has no category for 2 of 10 pairs",)
    checked = check(tmp_path)
    assert 'test: test.csv, column 2 "filename": 2 names, 2 of them images' in " ".join(
        " ".join(lines(checked)).split()
    )
    assert checked.as_json()["provenance"]["lists"]["test"]["column"] == 2
