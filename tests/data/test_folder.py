"""Paired folders of every kind load, or say everything that is wrong with them at once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data.data_folders import image_of, map_of, write_list, write_pairs, write_vischema
from tests.support.data.vischema import data_folder
from vmsbench.data.folder import folder
from vmsbench.data.pairs import Dataset, signed
from vmsbench.data.splits import carve, splits
from vmsbench.data.vischema import vischema
from vmsbench.errors import ConfigurationError, DataError


def names_of(dataset: Dataset) -> tuple[set[str], set[str], set[str]]:
    return set(dataset.train.names), set(dataset.validation.names), set(dataset.test.names)


def test_a_folder_without_lists_is_carved_in_three_that_share_nothing(tmp_path: Path) -> None:
    names = write_pairs(tmp_path, 40)
    train, validation, test = names_of(folder(tmp_path, size=24))
    assert train | validation | test == set(names)
    assert len(train) + len(validation) + len(test) == 40
    assert (len(test), len(validation)) == (6, 4)  # 15% of 40, 12% of the 34 left


def test_pixels_belong_to_their_names(tmp_path: Path) -> None:
    write_pairs(tmp_path, 10)
    dataset = folder(tmp_path, size=24)
    for pairs in (dataset.train, dataset.validation, dataset.test):
        for i, name in enumerate(pairs.names):
            number = int(name[3:5])
            assert np.array_equal(pairs.images[i].numpy(), image_of(number).transpose(2, 0, 1))
            assert np.array_equal(pairs.maps[i].numpy(), map_of(number).transpose(2, 0, 1))
    assert dataset.coding == "rg"
    assert dataset.channels == 2


def test_png_maps_beside_jpeg_images_in_mixed_sizes_and_subfolders(tmp_path: Path) -> None:
    write_pairs(tmp_path, 6, "Photos", "Heat", ".jpg", ".png", grey=True)
    for folder_name, suffix, side in (("Photos", ".jpeg", 50), ("Heat", ".png", 30)):
        (tmp_path / folder_name / "more").mkdir()
        Image.fromarray(map_of(1, side, grey=True)).save(tmp_path / folder_name / "more" / f"extra{suffix}")
    dataset = folder(tmp_path, "Photos", "Heat", size=16)
    assert dataset.coding == "grey"
    assert dataset.channels == 1
    assert dataset.train.images.shape[1:] == (3, 16, 16)
    assert dataset.train.maps.shape[1:] == (1, 16, 16)
    assert "more/extra.jpeg" in set.union(*names_of(dataset))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("before", ["", "\ufeff", "filename\n", "\ufeffImage,rating\r\n", "stimulus_number\n"])
@pytest.mark.parametrize("spelling", ["{}.png", "images/{}.png", "./{}.png", "{}.png,3,x", '"{}.png"'])
def test_lists_in_every_spelling_name_the_same_images(tmp_path: Path, end: str, before: str, spelling: str) -> None:
    names = write_pairs(tmp_path, 8)
    write_list(tmp_path / "held.csv", [spelling.format(name[:-4]) for name in names[5:]], end, before)
    dataset = folder(tmp_path, test="held.csv", size=16)
    assert dataset.test.names == tuple(names[5:])
    assert len(dataset.train) + len(dataset.validation) == 5


def test_names_without_extension_and_three_lists_are_taken_as_given(tmp_path: Path) -> None:
    names = write_pairs(tmp_path, 9)
    for file, part in (("a.txt", names[:4]), ("b.txt", names[4:6]), ("c.txt", names[6:8])):
        write_list(tmp_path / file, [name.removesuffix(".png") for name in part])
    dataset = folder(tmp_path, train="a.txt", validation="b.txt", test="c.txt", size=16)
    assert splits(dataset) == {
        "train": names[:4],
        "validation": names[4:6],
        "test": names[6:8],
        "digest": dataset.digest,
    }


def test_vischema_tests_on_the_official_validation_list_and_carves_its_own(tmp_path: Path) -> None:
    names = write_vischema(tmp_path, 30, 5)
    dataset = vischema(tmp_path, size=16)
    assert dataset.test.names == tuple(names[25:])
    assert len(dataset.validation) == 3
    assert set(dataset.train.names) | set(dataset.validation.names) == set(names[:25])
    assert dataset.title == "VISCHEMA PLUS, 16 px"
    assert set(vischema(tmp_path, size=16, split_seed=1).validation.names) != set(dataset.validation.names)


def test_missing_vischema_says_whom_to_ask_and_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VMSBENCH_DATA", raising=False)
    with pytest.raises(DataError, match=r"University of York.*data\.root=PATH or VMSBENCH_DATA.*data=standin"):
        vischema()
    with pytest.raises(DataError, match=r"nowhere does not exist; give the folder that holds the images and the maps"):
        vischema(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=r"lacks images, vms, viscplus_train.csv, viscplus_val.csv \(found: nothing\)"):
        vischema(tmp_path / "other")
    write_vischema(tmp_path / "real")
    monkeypatch.setenv("VMSBENCH_DATA", str(tmp_path / "real"))
    assert len(vischema(size=16).test) == 4


def test_every_bad_file_is_named_in_one_error(tmp_path: Path) -> None:
    names = write_vischema(tmp_path)
    (tmp_path / "images" / names[0]).write_bytes(b"")
    (tmp_path / "vms" / names[1]).write_bytes(b"no picture")
    (tmp_path / "vms" / names[2]).unlink()
    Image.fromarray(map_of(3)[:12]).save(tmp_path / "vms" / names[3])
    Image.fromarray(map_of(4, grey=True)).save(tmp_path / "vms" / names[4])
    write_list(tmp_path / "viscplus_train.csv", [*names[:16], names[5], names[17], "gone.jpg"])
    with pytest.raises(DataError) as caught:
        vischema(tmp_path, size=16, cache=tmp_path / "cache")
    text = str(caught.value)
    for reason in (
        f"{names[0]}: image empty file",
        f"{names[1]}: map unreadable",
        f"{names[2]}: image without a map",
        f"{names[3]}: wrong shape: the image is 24 x 24 px, its map 24 x 12",
        f"{names[4]}: a grey map among colour maps",
        f"{names[5]}: listed twice in viscplus_train.csv",
        f"{names[17]}: in viscplus_train.csv and in viscplus_val.csv",
        "gone.jpg: in viscplus_train.csv, but no image in images/",
    ):
        assert reason in text
    assert text.startswith("8 bad files")
    assert "\n" not in text


def test_beyond_ten_bad_files_the_error_says_how_to_see_the_rest(tmp_path: Path) -> None:
    names = write_pairs(tmp_path, 15)
    for name in names[:13]:
        (tmp_path / "maps" / name).write_bytes(b"")
    with pytest.raises(DataError, match=f"13 bad files.*and 3 more: vmsbench data check {tmp_path}"):
        folder(tmp_path)


def test_what_is_not_there_is_said_with_what_is(tmp_path: Path) -> None:
    write_pairs(tmp_path / "set", 4)
    with pytest.raises(DataError, match=r"no folder pictures \(found: images/, maps/\); set data.images=NAME"):
        folder(tmp_path / "set", images="pictures")
    with pytest.raises(
        DataError, match=r"data.test=val.csv is not in .* \(found: images/, maps/\); set data.test=FILE"
    ):
        folder(tmp_path / "set", test="val.csv")
    with pytest.raises(DataError, match=r"data.train=images is a folder; set data.train=FILE, a list of images' names"):
        folder(tmp_path / "set", train="images")
    with pytest.raises(DataError, match="does not exist; did you mean set"):
        folder(tmp_path / "sett")
    (tmp_path / "set" / "empty").mkdir()
    with pytest.raises(DataError, match="empty is empty: no pictures in it"):
        folder(tmp_path / "set", maps="empty")
    write_list(tmp_path / "set" / "none.csv", ["", ""])
    with pytest.raises(DataError, match="names no image"):
        folder(tmp_path / "set", test="none.csv")


def test_two_images_of_one_stem_are_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path, 4)
    Image.fromarray(image_of(9)).save(tmp_path / "images" / "pic00.jpg")
    with pytest.raises(DataError, match=r"pic00\.png: same stem as pic00\.jpg"):
        folder(tmp_path)


def test_hidden_files_and_other_files_are_passed_over(tmp_path: Path) -> None:
    write_pairs(tmp_path, 5)
    for name in (".DS_Store", "._pic00.png", "notes.txt"):
        (tmp_path / "images" / name).write_bytes(b"x")
    assert len(set.union(*names_of(folder(tmp_path, size=16)))) == 5


def test_a_coding_must_fit_the_maps(tmp_path: Path) -> None:
    write_pairs(tmp_path / "grey", 5, grey=True)
    write_pairs(tmp_path / "colour", 5)
    assert folder(tmp_path / "colour", coding="rgb").channels == 3
    with pytest.raises(ConfigurationError, match="coding=rg does not fit grey maps: use auto or grey"):
        folder(tmp_path / "grey", coding="rg")
    with pytest.raises(ConfigurationError, match="coding=grey does not fit colour maps: use auto or rg or rgb"):
        folder(tmp_path / "colour", coding="grey")
    with pytest.raises(ConfigurationError, match="did you mean rg"):
        folder(tmp_path / "colour", coding="rbg")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"size=2.5"):
        folder(tmp_path / "colour", size=2.5)  # type: ignore[arg-type]


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path, 2)
    with pytest.raises(DataError, match=r"2 training pair.* at least 3"):
        folder(tmp_path)


def test_data_that_changed_since_is_refused(tmp_path: Path) -> None:
    names = write_pairs(tmp_path, 8)
    digest = folder(tmp_path, size=16).digest
    assert folder(tmp_path, size=16, digest=digest).digest == digest
    assert folder(tmp_path, size=24).digest != digest
    assert folder(tmp_path, size=16, split_seed=1).digest != digest
    Image.fromarray(map_of(99)).save(tmp_path / "maps" / names[0])
    with pytest.raises(DataError, match="changed: its digest"):
        folder(tmp_path, size=16, digest=digest)


def test_the_same_data_elsewhere_has_the_same_digest(tmp_path: Path) -> None:
    write_pairs(tmp_path / "here", 8)
    write_pairs(tmp_path / "there", 8)
    assert folder(tmp_path / "here", size=16).digest == folder(tmp_path / "there", size=16).digest


def test_carving_is_stratified_seeded_and_exact() -> None:
    names = [f"n{i:03d}" for i in range(100)]
    categories = {name: "abcd"[(i % 10) // 3] for i, name in enumerate(names)}  # 30, 30, 30, 10
    kept, carved = carve(names, 0.12, seed=0, categories=categories)
    assert len(carved) == 12
    assert sorted(kept + carved) == names
    for category, share in (("a", 3.6), ("b", 3.6), ("c", 3.6), ("d", 1.2)):
        assert abs(sum(categories[name] == category for name in carved) - share) < 1
    assert carve(names[::-1], 0.12, 0, categories)[1][::-1] == carved
    assert carve(names, 0.12, 1, categories)[1] != carved


def test_one_more_file_moves_few_others() -> None:
    names = [f"n{i:03d}" for i in range(100)]
    before, after = (set(carve(some, 0.12, seed=0)[1]) for some in (names, [*names, "zzz"]))
    assert len(before - after) <= 1


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 12])
def test_a_fraction_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        carve(["a", "b", "c"], fraction, seed=0)


def test_categories_are_read_where_they_are(tmp_path: Path) -> None:
    names = write_vischema(tmp_path)
    write_list(
        tmp_path / "categories.csv", ["file,category", *(f"{name},{'ab'[i % 2]}" for i, name in enumerate(names[:19]))]
    )
    dataset = vischema(tmp_path, size=16)
    assert dataset.test.categories == ("a", "b", "a", "unknown")
    assert set(dataset.train.categories) == {"a", "b"}
    assert folder(tmp_path, maps="vms", size=16).train.categories == ()


@pytest.mark.vischema
def test_blind_baselines_on_the_real_maps_agree_with_the_published_figures() -> None:
    """All black 0.149 and the pixel median 0.133 in [-1, 1], on the official test maps, whichever of them are here."""
    root = data_folder()
    assert root is not None
    dataset = vischema(root)
    truth = signed(dataset.test.maps)
    official = signed(torch.cat([dataset.train.maps, dataset.validation.maps]))
    assert abs(float((truth + 1).abs().mean()) - 0.1491) < 0.001
    assert abs(float((truth - official.median(dim=0).values).abs().mean()) - 0.1327) < 0.001
    mean, std = official.mean((0, 2, 3)), official.std((0, 2, 3))
    assert torch.allclose(mean, torch.tensor([-0.864, -0.712, -1.000]), atol=0.005)
    assert torch.allclose(std, torch.tensor([0.369, 0.425, 0.004]), atol=0.006)
