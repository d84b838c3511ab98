"""Predicted maps from elsewhere: scored as our own are, and each way to get them wrong named in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.data.data_folders import write_pairs, write_vischema
from tests.support.sweep_maker import make_sweep, tiny
from tests.support.wide import widest
from vmsbench.api.evaluation import about, in_both, standings, store
from vmsbench.cli.commands.results.evaluate import evaluate
from vmsbench.data.pairs import Dataset, Pairs, unit
from vmsbench.errors import UserError
from vmsbench.files import read_json
from vmsbench.metrics.baselines import Given, PixelMedian
from vmsbench.metrics.climatology import Climatology
from vmsbench.metrics.external_predictions import read_predictions
from vmsbench.metrics.scores import score
from vmsbench.report.analysis.ranking import rank
from vmsbench.report.document import compose
from vmsbench.report.render.markdown import to_report
from vmsbench.store.reader import collect

SIZE = 24
NAMES = [f"pic{i:02d}.jpg" for i in range(4)]


def truth() -> Pairs:
    """Four maps: a green square on black, a red one in half of them, no blue."""
    maps = torch.zeros(4, 3, SIZE, SIZE, dtype=torch.uint8)
    for n in range(4):
        maps[n, 1, 2 + n : 10 + n, 4:12] = 200
        maps[n, 0, :5, : 4 * n] = 120
    return Pairs(tuple(NAMES), torch.zeros_like(maps), maps)


PAIRS = truth()
UNIT = unit(PAIRS.maps).numpy()


def arrays(folder: Path, maps: np.ndarray, names: list[str] = NAMES) -> Path:
    folder.mkdir(exist_ok=True)
    for name, one in zip(names, maps, strict=True):
        np.save(folder / f"{Path(name).stem}.npy", one)
    return folder


def pictures(folder: Path, maps: np.ndarray, names: list[str] = NAMES) -> Path:
    folder.mkdir(exist_ok=True)
    for name, one in zip(names, maps, strict=True):
        Image.fromarray(np.ascontiguousarray(one.transpose(1, 2, 0))).save(folder / f"{Path(name).stem}.png")
    return folder


def test_pictures_arrays_and_archives_of_the_same_maps_are_the_same_predictions(tmp_path: Path) -> None:
    bytes_ = (np.random.default_rng(0).random((4, 3, SIZE, SIZE)) * 255).astype(np.uint8)
    last_first = bytes_[::-1].astype(np.float32) / 255
    np.savez(tmp_path / "predictions.npz", names=np.array(NAMES[::-1]), predictions=last_first)
    ways = [
        pictures(tmp_path / "png", bytes_),
        arrays(tmp_path / "bytes", bytes_),
        arrays(tmp_path / "floats", bytes_ / 255),
        arrays(tmp_path / "channels last", (bytes_ / 255).transpose(0, 2, 3, 1)),
        tmp_path / "predictions.npz",
        tmp_path,
    ]
    for way in ways:
        maps, remarks = read_predictions(way, PAIRS)
        torch.testing.assert_close(maps, unit(torch.from_numpy(bytes_)))
        assert not remarks


def test_samples_are_scored_by_crps_and_two_channels_as_red_and_green(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).random((4, 5, 2, SIZE, SIZE)).astype(np.float32)
    maps, _ = read_predictions(arrays(tmp_path, samples), PAIRS)
    result = score(maps, unit(PAIRS.maps))
    assert result["crps"] < result["l1"]
    assert result["l1_blue"] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: 2 * x - 1, r"look like the scale \[-1, 1\] of the models; give \(x \+ 1\) / 2"),
        (lambda x: 255 * x, r"look like bytes 0..255; give x / 255"),
        (lambda x: (x + 1) / 2, r"converted by \(x \+ 1\) / 2 as if from \[-1, 1\]; give x"),
        (lambda x: x / 255, r"divided by 255 once too often"),
        (lambda x: 3 * x - 1.5, r"outside \[0, 1\]: clamp the predictions"),
        (lambda x: np.where(x > 0.7, np.nan, x), r"NaN or infinite values in the map of pic00.jpg"),
        (lambda x: x[:, :, ::2, ::2], r"is 12 x 12 px where the truth has 24 x 24; read the data at that size by data"),
        (lambda x: x[:, :, ::2], r"is 24 x 12 px where the truth has 24 x 24; bring the predictions to 24 x 24 first"),
        (lambda x: x[:, 0, 0], r"shape \(24,\); needed are numbers, C x H x W"),
        (lambda x: (255 * x).astype(np.int64), r"int64 values; give floats in \[0, 1\], or bytes"),
    ],
)
def test_maps_on_another_scale_or_of_another_shape_are_recognised(change, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read_predictions(arrays(tmp_path, change(UNIT)), PAIRS)
    assert "\n" not in str(caught.value)


def test_pictures_saved_without_their_255_or_at_another_size_are_recognised(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="saved as bytes as is"):
        read_predictions(pictures(tmp_path / "ones", UNIT.round().astype(np.uint8)), PAIRS)
    with pytest.raises(UserError, match=r"pic00.png is 48 x 48 px where the truth has 24 x 24; read the data at that"):
        read_predictions(pictures(tmp_path / "big", PAIRS.maps.numpy().repeat(2, 2).repeat(2, 3)), PAIRS)
    one = arrays(tmp_path / "mixed", UNIT)
    np.save(one / "pic02.npy", UNIT[2, :2])
    with pytest.raises(UserError, match=r"shape \(2, 24, 24\) for pic02.jpg, \(3, 24, 24\) for pic00.jpg"):
        read_predictions(one, PAIRS)


def test_names_missing_extra_or_of_other_images_are_listed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"2 of 4 images have none: pic02.jpg, pic03.jpg"):
        read_predictions(arrays(tmp_path / "few", UNIT[:2], NAMES[:2]), PAIRS)
    more = arrays(tmp_path / "more", np.concatenate([UNIT, UNIT[:1]]), [*NAMES, "x.jpg"])
    with pytest.raises(UserError, match=r"1 belong to no image of the data: x; remove them"):
        read_predictions(more, PAIRS)
    _, remarks = read_predictions(more, PAIRS, others=["x.jpg"])
    assert remarks == ["1 predictions are for images that are not scored here, and ignored: x"]
    with pytest.raises(UserError, match=r"no prediction by the name of an image: it has out0, out1"):
        read_predictions(arrays(tmp_path / "others", UNIT, [f"out{i}" for i in range(4)]), PAIRS)
    pictures(tmp_path / "few", PAIRS.maps[:1].numpy(), NAMES[:1])
    with pytest.raises(UserError, match=r"two files for pic00"):
        read_predictions(tmp_path / "few", PAIRS)


def test_places_without_predictions_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no predictions at"):
        read_predictions(tmp_path / "nowhere", PAIRS)
    with pytest.raises(UserError, match=r"no pictures and no .npy files"):
        read_predictions(tmp_path, PAIRS)
    (tmp_path / "a.npz").write_text("nothing")
    Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "one.png")
    np.save(tmp_path / "one.npy", UNIT)
    with pytest.raises(UserError, match=r"one.png is one picture; give the folder that holds a map for each image"):
        read_predictions(tmp_path / "one.png", PAIRS)
    with pytest.raises(UserError, match=r"one.npy is one array without names; give the folder"):
        read_predictions(tmp_path / "one.npy", PAIRS)
    (tmp_path / "one.png").unlink()
    (tmp_path / "one.npy").unlink()
    with pytest.raises(UserError, match=r"is not an .npz with the arrays names and predictions"):
        read_predictions(tmp_path / "a.npz", PAIRS)
    np.savez(tmp_path / "b.npz", names=np.array(NAMES))
    with pytest.raises(UserError, match=r"has no array predictions"):
        read_predictions(tmp_path / "b.npz", PAIRS)
    (tmp_path / "pic00.png").write_text("no picture")
    (tmp_path / "a.npz").unlink()
    with pytest.raises(UserError, match=r"predictions: pic00.png: unreadable"):
        read_predictions(tmp_path, PAIRS)


@pytest.mark.parametrize(
    ("names", "maps", "said"),
    [
        (np.array(NAMES, dtype=object), UNIT, r"it holds objects: save np.array\(names, dtype=str\)"),
        (np.array(NAMES), UNIT.astype(str), r"predictions are <U\d+; needed are numbers"),
        (np.array(NAMES), UNIT + 0j, r"predictions are complex\d+; needed are numbers"),
        (np.array(NAMES), np.zeros((4, 0, 3, SIZE, SIZE)), r"\(4, 0, 3, 24, 24\) hold nothing"),
        (np.array(NAMES), UNIT[:3], r"shape \(3, 3, 24, 24\) for 4 different names of 4"),
        (np.array(NAMES), np.array(0.5), r"shape \(\) for 4 different names of 4"),
    ],
    ids=["objects", "words", "complex", "no samples", "one short", "a number"],
)
def test_archives_of_anything_but_a_map_for_each_name_are_one_line(names, maps, said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "theirs.npz", names=names, predictions=maps)
    with pytest.raises(UserError, match=said) as caught:
        read_predictions(tmp_path / "theirs.npz", PAIRS)
    assert "\n" not in str(caught.value)
    assert "allow_pickle" not in str(caught.value)


def test_constant_maps_one_map_for_all_and_swapped_channels_are_remarked(tmp_path: Path) -> None:
    _, remarks = read_predictions(arrays(tmp_path / "black", 0 * UNIT), PAIRS)
    assert remarks[0] == "4 of 4 predicted maps are constant; their CC is 0 by definition"
    _, remarks = read_predictions(arrays(tmp_path / "same", UNIT[[1, 1, 1, 1]]), PAIRS)
    assert remarks == ["all predictions are one and the same map: they do not depend on the image"]
    _, remarks = read_predictions(arrays(tmp_path / "bgr", UNIT[:, ::-1]), PAIRS)
    assert "OpenCV" in remarks[0]


def test_some_maps_on_another_scale_than_the_rest_are_remarked(tmp_path: Path) -> None:
    share = np.array([1, 255, 1, 255]).reshape(4, 1, 1, 1)
    _, remarks = read_predictions(arrays(tmp_path / "half", UNIT / share), PAIRS)
    assert len(remarks) == 1
    assert remarks[0].startswith("2 of 4 predicted maps are not black, and have no value above 1 of 255 (")
    assert all(name in remarks[0] for name in PAIRS.names[1::2])


def grey_truth() -> Pairs:
    return Pairs(PAIRS.names, PAIRS.images, PAIRS.maps[:, 1:2])


def test_three_equal_channels_are_grey_where_the_truth_is_grey(tmp_path: Path) -> None:
    true = grey_truth()
    three = true.maps.expand(-1, 3, -1, -1).numpy()
    for way in (
        pictures(tmp_path / "pictures", three),
        arrays(tmp_path / "arrays", three / 255),
        arrays(tmp_path / "samples", np.stack([three, three], 1)),
    ):
        maps, _ = read_predictions(way, true)
        assert maps.shape[-3] == 1
        assert score(maps, unit(true.maps))["l1"] == pytest.approx(0)
    mixed = pictures(tmp_path / "mixed", three)
    Image.fromarray(true.maps[0, 0].numpy()).save(mixed / "pic00.png")
    assert torch.equal(read_predictions(mixed, true)[0], unit(true.maps))


def test_coloured_predictions_of_grey_maps_are_refused(tmp_path: Path) -> None:
    maps, _ = read_predictions(pictures(tmp_path / "colour", PAIRS.maps.numpy()), grey_truth())
    assert maps.shape[1] == 3
    with pytest.raises(UserError, match="3 channels where the truth has 1"):
        score(maps, unit(grey_truth().maps))


def test_hidden_files_among_predictions_are_passed_over_and_links_followed(tmp_path: Path) -> None:
    arrays(tmp_path / "far", UNIT)
    (tmp_path / "near" / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("._pic00.npy", ".pic01.npy", ".ipynb_checkpoints/pic00-checkpoint.npy"):
        (tmp_path / "near" / name).write_bytes(b"no array")
    for file in (tmp_path / "far").iterdir():
        (tmp_path / "near" / file.name).symlink_to(file)
    torch.testing.assert_close(read_predictions(tmp_path / "near", PAIRS)[0], unit(PAIRS.maps))


def test_predictions_are_matched_in_every_spelling_of_a_name(tmp_path: Path) -> None:
    names = ["caf\u00e9.jpg", "img.jpg.jpg", "sub/a.jpg", "b c.jpg"]
    true = Pairs(tuple(names), PAIRS.images, PAIRS.maps)
    for spelled in (
        ["cafe\u0301", "img.jpg", "sub/a", "b c"],  # stems, as `vmsbench predict` writes them
        ["cafe\u0301.png", "img.jpg.png", "sub/a.png", "b c.png"],
        ["caf\u00e9.jpg", "img.jpg.jpg", "./sub/a.jpg", "b c.jpg"],
    ):
        np.savez(tmp_path / "predictions.npz", names=np.array(spelled), predictions=UNIT)
        torch.testing.assert_close(read_predictions(tmp_path / "predictions.npz", true)[0], unit(PAIRS.maps))
    near = Pairs(("img.jpg", "img.jpg.png", "a.jpg", "b.jpg"), PAIRS.images, PAIRS.maps)
    stems = arrays(tmp_path / "stems", UNIT[:0], [])
    for name, one in zip(["img", "img.jpg", "a", "b"], UNIT, strict=True):
        np.save(stems / f"{name}.npy", one)
    torch.testing.assert_close(read_predictions(stems, near)[0], unit(PAIRS.maps))
    np.savez(tmp_path / "predictions.npz", names=np.array(["b c", "b c.png", *names[:2]]), predictions=UNIT)
    with pytest.raises(UserError, match=r"b c and b c\.png both mean b c\.jpg; keep one"):
        read_predictions(tmp_path / "predictions.npz", true)


def copied(base: Path, folder: str, sources: list[str], names: list[str]) -> None:
    """The true maps of `sources` as predictions for `names`."""
    (base / folder).mkdir()
    for source, name in zip(sources, names, strict=True):
        Image.open(base / "data" / "vms" / source).save(base / folder / f"{Path(name).stem}.png")


def answer(capsys: pytest.CaptureFixture[str], *arguments, **options) -> dict:
    given: dict = {"data": None, "split": "test", "as_json": True, "name": None} | options
    capsys.readouterr()
    evaluate(*arguments, **given)
    return json.loads(capsys.readouterr().out)


def test_a_folder_of_maps_stands_beside_the_baselines_scored_by_the_same_function(tmp_path: Path, capsys) -> None:
    names = write_vischema(tmp_path / "data", count=24, tests=6)
    overrides = ["data=vischema", f"data.root={tmp_path / 'data'}", f"data.size={SIZE}"]
    copied(tmp_path, "mine", names[18:], names[18:])
    found = answer(capsys, str(tmp_path / "mine"), overrides, runs=tmp_path)
    assert found["data"]["images"] == 6
    mine, median = found["predictors"]["mine"], found["predictors"]["pixel_median"]
    assert mine["scores"]["l1"] == mine["scores"]["mse"] == 0
    assert median["scores"]["l1"] == 2 * median["scores"]["l1_unit"] > 0
    assert mine["tracks"]["answer"]["verdict"] == "ok"
    assert mine["tracks"]["answer"]["skill"] == {"value": 1, "low": 1, "high": 1}
    assert mine["tracks"]["distribution"]["reference"] == "climatology"
    assert mine["tracks"]["distribution"]["verdict"] == "a single answer, not dressed"
    assert mine["tracks"]["distribution"]["skill"] is None
    assert median["tracks"]["distribution"]["skill"] is None, "its CRPS is its L1"
    assert median["kind"] == "blind"
    assert median["tracks"]["answer"]["skill"]["value"] <= 0
    assert mine["fid"]["n"] == 6
    alone = answer(capsys, "baselines", [f"data.size={SIZE}"], runs=tmp_path, data=tmp_path / "data")
    assert list(alone["predictors"]) == ["black", "pixel_mean", "pixel_median", "climatology", "random_train"]
    assert alone["predictors"]["pixel_median"] == median


def test_named_predictions_enter_the_report_as_somebody_elses(tmp_path: Path, capsys) -> None:
    folder = make_sweep(tmp_path / "runs", "unet")
    data = tiny()
    np.savez(tmp_path / "theirs.npz", names=np.array(data.test.names), predictions=data.test.maps.numpy() // 2)
    config = read_json(folder / "sweep.json")["config"]
    maps, _ = read_predictions(tmp_path / "theirs.npz", data.test)
    scores = answer_of(maps, data)
    for _ in range(2):
        tracks = in_both(maps, data.test, None, "not given")
        store(tmp_path / "runs" / "outside" / "theirs", scores, maps, tracks, data, tmp_path / "theirs.npz")
    assert config["data"]["digest"] == data.digest
    group = collect(tmp_path / "runs", []).groups[0]
    assert set(group.models) == {"UNet", "theirs (outside)"}
    standing = rank(group).answer.standings["theirs (outside)"]
    assert standing.mean == pytest.approx(score(maps, unit(data.test.maps))["crps"])
    assert standing.word in ("ok", "no skill shown")
    text = to_report(compose(collect(tmp_path / "runs", [])))
    assert "| *Models from elsewhere* |" in text
    assert "its maps were scored on the test images twice" in text


def answer_of(maps: torch.Tensor, data: Dataset) -> dict:
    blind = {"pixel_median": PixelMedian(data.train), "climatology": Climatology(data.train)}
    predictors = standings({"theirs": Given(data.test.names, maps)} | blind, data.test)
    predictors["theirs"]["fid"] = None
    return {"data": about(data, data.test, "test"), "predictors": predictors}


def test_shuffled_predictions_have_no_skill(tmp_path: Path, capsys) -> None:
    names = write_vischema(tmp_path / "data", count=24, tests=6)
    copied(tmp_path, "shuffled", [*names[19:], names[18]], names[18:])
    evaluate("baselines", [f"data.size={SIZE}"], data=tmp_path / "data", runs=tmp_path)
    table = capsys.readouterr().out.splitlines()
    assert widest(table) <= 80
    found = answer(capsys, str(tmp_path / "shuffled"), [f"data.size={SIZE}"], runs=tmp_path, data=tmp_path / "data")
    assert found["predictors"]["shuffled"]["tracks"]["answer"]["verdict"].startswith("not shown to be better than")


def test_any_paired_folder_is_read_by_what_it_looks_like(tmp_path: Path, capsys) -> None:
    write_pairs(tmp_path / "data", 20, images="photos", maps="labels")
    found = answer(capsys, "baselines", [f"data.size={SIZE}"], runs=tmp_path, data=tmp_path / "data")
    assert found["data"]["images"] == 3
    told = ["data=folder", "data.images=photos", "data.maps=labels", f"data.size={SIZE}"]
    assert answer(capsys, "baselines", told, runs=tmp_path, data=tmp_path / "data") == found
    with pytest.raises(UserError, match=r"both give the data"):
        answer(capsys, "baselines", ["data.root=elsewhere"], runs=tmp_path, data=tmp_path / "data")
    with pytest.raises(UserError, match=r"--split train: test or validation"):
        answer(capsys, "baselines", [], runs=tmp_path, data=tmp_path / "data", split="train")
    with pytest.raises(UserError, match=r"is a baseline's"):
        answer(capsys, str(tmp_path), [], runs=tmp_path, data=tmp_path / "data", name="black")
