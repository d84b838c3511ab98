"""TrialCache experiments put to use: the same maps as when they were judged, for pictures of any size."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.command_line import called, refused
from tests.support.processes.running import vmsbench
from tests.support.sweep_maker import make_sweep
from tests.support.tiny import MODELS, configuration, dataset
from vmsbench.api.models import best_of_sweep, model_folder
from vmsbench.config.settings import with_settings
from vmsbench.data.pairs import Pairs
from vmsbench.errors import UserError
from vmsbench.experiment import run
from vmsbench.files import read_json, save_json
from vmsbench.inference.export import WRITERS, export
from vmsbench.inference.images import Writer, find, resized, seen
from vmsbench.inference.predictor import load
from vmsbench.report.write import report


@pytest.fixture(scope="module", params=["unet", "gan", "diffusion", "ddpm", "readout"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / request.param
    run(configuration(**MODELS[request.param] | {"test": True}), folder)
    return folder


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unet") / "unet"
    run(configuration(test=True), folder)
    return folder


def save_images(pairs: Pairs, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, image in zip(pairs.names, pairs.images, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_model_loaded_again_gives_the_maps_it_was_judged_by(trained: Path) -> None:
    """With the running average's weights: the last step's give other maps."""
    predictor, test = load(trained, "cpu"), dataset().test
    with np.load(trained / "predictions.npz") as kept:
        judged = kept["predictions"]
    samples = read_json(trained / "results.json")["samples"] if predictor.model.random else 1
    assert np.array_equal(predictor(test.images, samples)[:, 0].numpy(), judged)


def test_predicted_pictures_are_the_pictures_that_finals_score(unet: Path, tmp_path: Path) -> None:
    test = dataset().test
    save_images(test, tmp_path / "in")
    done = vmsbench("predict", "in", "--model", str(unet), "--out", "out", "--npz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with np.load(unet / "predictions.npz") as kept:
        for name, judged in zip(kept["names"], kept["predictions"], strict=True):
            shown = pixels(tmp_path / "out" / "maps" / name)
            assert np.array_equal(shown[..., :2].transpose(2, 0, 1), judged)
            assert not shown[..., 2].any()
            assert pixels(tmp_path / "out" / "overlays" / name).shape == shown.shape
        with np.load(tmp_path / "out" / "predictions.npz") as written:
            assert sorted(written["names"]) == sorted(Path(name).stem for name in kept["names"])
            assert written["predictions"].shape == kept["predictions"].shape
    assert not (tmp_path / "out" / "uncertainty").exists()


def test_pictures_of_any_size_keep_it_and_unreadable_ones_are_listed(unet: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "in"
    (pictures / "sub").mkdir(parents=True)
    Image.new("RGB", (301, 77), "red").save(pictures / "wide.jpg")
    Image.new("L", (9, 200)).save(pictures / "sub" / "tall.png")
    Image.new("RGBA", (32, 32)).save(pictures / "same.png")
    Image.new("RGB", (40, 30)).save(pictures / "same.jpg")
    (pictures / "cut.jpg").write_bytes((pictures / "wide.jpg").read_bytes()[:400])
    (pictures / "empty.png").touch()
    (pictures / "notes.txt").write_text("not a picture")
    for _ in range(2):  # a second time what the first wrote below the folder is not taken for a picture
        done = vmsbench("predict", "in", "--model", str(unet), "--out", "in/out", cwd=tmp_path)
        assert done.returncode == 1
        listed = [line for line in done.stderr.splitlines() if line.startswith("  ")]
        assert ["cut.jpg" in listed[0], "empty.png: empty file" in listed[1], len(listed)] == [True, True, 2]
    sizes = {"wide.png": (301, 77), "sub/tall.png": (9, 200), "same.png.png": (32, 32), "same.jpg.png": (40, 30)}
    for kind in ("maps", "overlays"):
        written = pictures / "out" / kind
        assert {str(file.relative_to(written)) for file in written.rglob("*.png")} == set(sizes)
        assert {name: Image.open(written / name).size for name in sizes} == sizes


def test_a_picture_turned_by_its_exif_tag_gets_an_upright_map(unet: Path, tmp_path: Path) -> None:
    picture = Image.new("RGB", (60, 20))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    vmsbench("predict", "turned.jpg", "--model", str(unet), "--out", "out", cwd=tmp_path)
    assert Image.open(tmp_path / "out" / "overlays" / "turned.png").size == (20, 60)


def test_what_one_picture_lacks_the_others_get_all_the_same(unet: Path, tmp_path: Path) -> None:
    """An orientation that is none, the longest name, a name that is not UTF-8, a link to nowhere."""
    pictures = tmp_path / "in"
    pictures.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 9
    Image.new("RGB", (60, 20)).save(pictures / "nine.jpg", exif=exif)
    Image.new("RGB", (32, 32)).save(pictures / f"{'a' * 251}.png")
    Image.new("RGB", (32, 32)).save(pictures / "good.png")
    (pictures / "gone.png").symlink_to("nowhere.png")
    (pictures / "two\nlines.png").write_bytes(b"")
    shutil.copy(pictures / "good.png", os.fsencode(pictures) + b"/caf\xe9.png")
    done = vmsbench("predict", "in", "--model", str(unet), "--out", "out", "--npz", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    listed = {line.strip() for line in done.stderr.splitlines() if line.startswith("  ")}
    assert listed == {
        r"in/caf\xe9.png: its name is not UTF-8: rename it",
        "in/gone.png: unreadable (No such file or directory)",
        r"in/two\nlines.png: empty file",
    }
    assert "3 of 6 pictures got no map:" in done.stderr
    assert Image.open(tmp_path / "out" / "overlays" / "nine.png").size == (60, 20)
    with np.load(tmp_path / "out" / "predictions.npz") as written:
        assert sorted(written["names"]) == ["a" * 251, "good", "nine"]


def test_folders_that_are_links_are_predicted_too(tmp_path: Path) -> None:
    for folder in ("in", "far"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (32, 32)).save(tmp_path / folder / f"{folder}.png")
    (tmp_path / "in" / "more").symlink_to(tmp_path / "far")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    assert [name for _, name in find(tmp_path / "in", tmp_path / "out").files] == ["in", "more/far"]


def test_maps_of_pictures_with_nearly_one_name_do_not_write_over_each_other(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a.jpg.png", "b.jpg.jpg"):
        Image.new("RGB", (32, 32)).save(tmp_path / name)
    assert [name for _, name in find(tmp_path, tmp_path / "out").files] == ["a.jpg", "a.jpg.png", "a.png", "b.jpg"]


def test_maps_beside_their_pictures_are_not_predicted_again(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    for made in ("maps", "overlays", "uncertainty"):
        (tmp_path / made).mkdir()
        Image.new("RGB", (32, 32)).save(tmp_path / made / "a.png")
    assert [name for _, name in find(tmp_path, tmp_path).files] == ["a"]
    assert [name for _, name in find(tmp_path / "maps", tmp_path).files] == ["a"]


def test_grey_maps_are_written_grey(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    writer = Writer(tmp_path / "out")
    for channels, mode in ((1, "L"), (2, "RGB"), (3, "RGB")):
        writer.write(
            tmp_path / "a.png", "a", seen(tmp_path / "a.png", (32, 0)), torch.zeros(1, channels, 32, 32).byte()
        )
        assert Image.open(tmp_path / "out" / "maps" / "a.png").mode == mode
        assert Image.open(tmp_path / "out" / "overlays" / "a.png").mode == "RGB"


def test_a_place_where_nothing_can_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    for place in ("a.png", "a.png/under", "a.png/under/further"):
        with pytest.raises(
            UserError, match=rf"{place} cannot be written \(\S+a.png is not a folder\): .* folder by --out"
        ):
            Writer(tmp_path / place)
    maps, picture = torch.zeros(1, 2, 32, 32).byte(), seen(tmp_path / "a.png", (32, 0))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vmsbench.inference.images.replace", full)
    with pytest.raises(UserError, match=r"out cannot be written \(No space left on device\)"):
        Writer(tmp_path / "out").write(tmp_path / "a.png", "a", picture, maps)


def test_before_anything_long_begins_the_place_of_the_result_is_checked(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    nowhere = str(tmp_path / "a.png" / "under")
    for command in (
        ("predict", tmp_path / "a.png", "--model", "nobody", "--out", nowhere),
        ("export", "nobody", "--out", f"{nowhere}/model.onnx"),
        ("demo", "--out", nowhere),
        ("bench", "search", "nobody", "--out", nowhere),
        ("bench", "racing", "nobody", "--out", nowhere),
        ("bench", "stopping", "nobody", "--out", nowhere),
    ):
        refused(called(*command, "--runs", tmp_path / "runs"), "under cannot be written", "by --out")
        elsewhere = [*command[:-1], "/proc/nowhere"]  # where even root makes no folder
        refused(called(*elsewhere, "--runs", tmp_path / "runs"), "cannot be written (/proc: ", "by --out")
    refused(called("bench", "slots", "--out", nowhere), "under cannot be written", "by --out")
    refused(called("data", "check", tmp_path, "--picture", f"{nowhere}/a.png"), "under cannot be written", "--picture")
    refused(called("export", "nobody", "--out", tmp_path), "is a folder: give --out a file in it", "model.onnx")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.txt").write_text("mine")
    refused(called("demo", "--out", tmp_path / "kept", "--runs", tmp_path / "runs"), "holds something else", "--out")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"link cannot be written \(\S+link is not a folder\)"):
        Writer(tmp_path / "link")
    with pytest.raises(UserError, match="under cannot be written"):
        report(tmp_path / "runs", ["nobody"], Path(nowhere))


def test_where_no_map_was_written_every_reason_is_named(unet: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("one.png", "two.png"):
        (tmp_path / "in" / name).write_text("hello")
    arguments = ("--model", unet, "--out", tmp_path / "out", "--quiet")
    reason = "unreadable (cannot identify image file)"
    end = called("predict", tmp_path / "in" / "one.png", *arguments)
    refused(end, f"no map was written: {tmp_path}/in/one.png: {reason}")
    end = called("predict", tmp_path / "in", *arguments)
    assert (end.code, end.err.splitlines()) == (
        2,
        [f"error: no map was written: {tmp_path}/in/one.png: {reason}", f"  {tmp_path}/in/two.png: {reason}"],
    )
    (tmp_path / "out" / "maps" / "three.png").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(tmp_path / "three.jpg")
    end = called("predict", tmp_path / "three.jpg", *arguments)
    refused(end, "no map was written: ", "its map cannot be written (Is a directory)")
    assert "cannot be read" not in end.err


@pytest.mark.parametrize("name", ["x" * 251, "é" * 125, "\U0001f333" * 62])
def test_the_longest_name_that_a_picture_can_have_is_its_maps_too(unet: Path, tmp_path: Path, name: str) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / f"{name}.jpg")
    end = called("predict", tmp_path / f"{name}.jpg", "--model", unet, "--out", tmp_path / "out", "--quiet")
    assert end.code == 0, end.err
    assert [file.name for file in (tmp_path / "out" / "maps").iterdir()] == [f"{name}.png"]


@pytest.mark.slow
def test_a_sampling_model_maps_its_spread_and_a_picture_does_not_depend_on_the_others(tmp_path: Path) -> None:
    run(configuration(**MODELS["diffusion"]), tmp_path / "diffusion")
    save_images(dataset().test, tmp_path / "in")
    for pictures, out in (("in", "all"), ("in/3-5.png", "one")):
        arguments = ("--model", "diffusion", "--out", out, "--samples", "4", "--npz")
        done = vmsbench("predict", pictures, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert np.array_equal(pixels(tmp_path / "all/maps/3-5.png"), pixels(tmp_path / "one/maps/3-5.png"))
    with np.load(tmp_path / "one" / "predictions.npz") as kept:
        samples = kept["predictions"][0].astype(float)
    assert samples.shape == (4, 2, 32, 32)
    spread = pixels(tmp_path / "one" / "uncertainty" / "3-5.png")
    assert np.abs(spread - 2 * samples.std(axis=0).mean(axis=0)).max() <= 0.51
    shown = pixels(tmp_path / "one" / "maps" / "3-5.png")[..., :2].transpose(2, 0, 1)
    assert np.abs(shown - np.median(samples, axis=0)).max() <= 0.5


def test_resizing_keeps_a_flat_map_flat() -> None:
    for width, height in ((100, 40), (8, 8), (32, 32)):
        assert (resized(torch.full((2, 32, 32), 77, dtype=torch.uint8), width, height) == 77).all()


def test_a_sweep_stands_for_its_best_final_by_the_tuning_score_never_the_test(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, "unet", seeds=3)
    finals = sorted((sweep / "final").iterdir())
    for order, final in enumerate(finals):
        (final / "checkpoint.pt").touch()
        results = read_json(final / "results.json")
        results["validation_scores"]["l1"], results["test_scores"]["l1"] = 0.3 - 0.1 * (order == 1), 0.1 * order
        save_json(final / "results.json", results)
    assert model_folder("unet", tmp_path) == best_of_sweep(sweep) == finals[1]
    assert model_folder(str(finals[0]), tmp_path) == finals[0]
    for final in finals:
        (final / "checkpoint.pt").unlink()
    assert best_of_sweep(sweep).parent.name == "trials"
    with pytest.raises(UserError, match=r"no sweep unett .*did you mean unet"):
        model_folder("unett", tmp_path)


def test_what_holds_no_finished_training_says_so(unet: Path, tmp_path: Path) -> None:
    for name, words in (("results.json", "training is not finished"), ("checkpoint.pt", "deleted")):
        copy = tmp_path / name
        copy.mkdir()
        for file in ("config.json", "results.json", "checkpoint.pt"):
            if file != name:
                (copy / file).write_bytes((unet / file).read_bytes())
        with pytest.raises(UserError, match=words):
            load(copy)
    torch.save({"epoch": 1}, tmp_path / "results.json" / "checkpoint.pt")
    (tmp_path / "results.json" / "results.json").write_bytes((unet / "results.json").read_bytes())
    with pytest.raises(UserError, match="holds no finished training"):
        load(tmp_path / "results.json")


def test_a_folder_without_pictures_says_what_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pictures in"):
        find(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="does not exist"):
        find(tmp_path / "nowhere", tmp_path / "out")


@pytest.mark.parametrize(
    ("kind", "format"),
    [
        ("unet", "torchscript"),
        pytest.param("diffusion", "torchscript", marks=pytest.mark.slow),
        pytest.param("gan", "onnx", marks=pytest.mark.slow),
        pytest.param("diffusion", "onnx", marks=[pytest.mark.slow, pytest.mark.nightly]),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_exported_file_gives_the_same_maps_in_another_program(kind: str, format: str, tmp_path: Path) -> None:
    """The maps of the predictor, for a batch of another size than was exported, without vmsbench's own code."""
    config = configuration(**MODELS[kind])
    if kind == "diffusion":
        network = {"_target_": "vmsbench.networks.unet.UNet", "_partial_": True, "width": 4}
        config = with_settings(config, {"model.sampling_steps": 2, "model.network": network})
    run(config, tmp_path / kind)
    predictor, images = load(tmp_path / kind, "cpu"), dataset().test.images[:3]
    export(predictor, tmp_path / "file", format)
    noise = torch.randn(3, 2, 32, 32, generator=torch.Generator().manual_seed(1))
    given = [images.float() / 255, *([noise] if predictor.model.random else [])]
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(tmp_path / "file"))
        named = {place.name: value.numpy() for place, value in zip(session.get_inputs(), given, strict=True)}
        maps = torch.from_numpy(session.run(None, named)[0])
    else:
        maps = torch.jit.load(str(tmp_path / "file"))(*given)
    with torch.no_grad():
        coded = predictor.model.transform(2 * given[0] - 1, noise)
        wanted = (predictor.model.target.label(2 * given[0] - 1, coded) + 1) / 2
    assert torch.allclose(maps, wanted.clamp(0, 1), atol=1e-3)
    if not predictor.model.random:
        assert (maps - predictor(images)[:, 0] / 255).abs().max() < 0.003
    assert set(read_json(tmp_path / "file.json")["inputs"]) == {"images", *(["noise"] if len(given) == 2 else [])}


def test_a_model_that_draws_on_its_way_is_not_exported(tmp_path: Path) -> None:
    run(configuration(**MODELS["ddpm"]), tmp_path / "ddpm")
    with pytest.raises(UserError, match="draws random numbers"):
        export(load(tmp_path / "ddpm", "cpu"), tmp_path / "file.pt", "torchscript")
    assert not list(tmp_path.glob("*file*"))


def test_a_file_that_answers_differently_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(configuration(), tmp_path / "unet")

    def wrong(original: torch.nn.Module, given: object, file: Path) -> object:
        file.write_bytes(b"a model")
        return lambda images: original(images) + 0.01

    monkeypatch.setitem(WRITERS, "wrong", wrong)
    with pytest.raises(UserError, match=r"gives different maps, by up to 0\.01"):
        export(load(tmp_path / "unet", "cpu"), tmp_path / "file.pt", "wrong")
    assert not list(tmp_path.glob("*file*"))


def test_a_file_that_cannot_be_written_is_one_line(unet: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, said in ((tmp_path, "is a folder: give a file by --out"), (tmp_path / "file" / "a.pt", "cannot be")):
        with pytest.raises(UserError, match=said):
            export(load(unet, "cpu"), place, "torchscript")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_onnx_the_package_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(configuration(), tmp_path / "unet")
    monkeypatch.setattr("vmsbench.inference.export.find_spec", lambda name: None if name == "onnx" else True)
    with pytest.raises(UserError, match=r"needs onnx: `pip install 'vmsbench\[onnx\]'"):
        export(load(tmp_path / "unet", "cpu"), tmp_path / "file.onnx", "onnx")
