"""Features: looked at once, kept, and always of the view in which image and map are shown."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.support.tiny import dataset
from vmsbench.config.compose import compose
from vmsbench.config.instantiate import build
from vmsbench.data.augmentation import (
    Augmentation,
    Colour,
    Compose,
    Cutout,
    Flip,
    NoAugmentation,
    Translate,
    Warp,
)
from vmsbench.data.encoded import features as looking
from vmsbench.data.encoded.features import Features, logged, unwatched
from vmsbench.data.encoded.viewing import Viewing, check_views
from vmsbench.data.pairs import Pairs, signed
from vmsbench.errors import ConfigurationError
from vmsbench.networks.encoder import NoEncoder

CPU = torch.device("cpu")


class Eye:
    """An encoder whose features are the picture itself, coarse: what it saw can be compared with what is shown."""

    size, warps, channels, sides, fingerprint = 64, 1, (3, 3), (32, 16), "eye"

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        self.seen += len(pictures)
        return tuple(torch.nn.functional.adaptive_avg_pool2d(pictures, side) for side in self.sides)


def seen(split: str = "train", cache: Path | None = None, eye: Eye | None = None, **changes: object) -> Pairs:
    return replace(dataset(), **changes).seen(eye or Eye(), cache, CPU, unwatched, split)  # type: ignore[arg-type]


def test_each_view_is_the_picture_as_it_is_shown() -> None:
    """The features of a view are those of the image that a batch shows in it, mirrored and warped alike."""
    torch.manual_seed(0)
    pairs = seen()
    assert pairs.views is not None
    assert pairs.views.count == 4
    chosen = torch.arange(len(pairs)).repeat(4)
    viewing = Viewing.of(Compose([Flip(0.5), Warp()]))
    image, target = signed(pairs.images[chosen]), signed(pairs.maps[chosen])
    shown, moved, features = viewing(image, target, pairs.views, chosen)
    coarse = torch.nn.functional.adaptive_avg_pool2d((shown + 1) / 2, 16)
    assert (features.maps[1] - coarse).abs().mean() < 0.03
    assert (features.maps[1] - coarse.roll(1, 0)).abs().mean() > 0.1
    assert (moved - target).abs().mean() > 0.05


def test_map_and_image_of_a_view_stay_a_pair() -> None:
    torch.manual_seed(0)
    pairs = seen()
    assert pairs.views is not None
    chosen = torch.arange(len(pairs)).repeat(4)
    green = signed(pairs.maps[chosen, 1:2])
    image, moved, _ = Viewing.of(Compose([Flip(0.5), Warp()]))(green.repeat(1, 3, 1, 1), green, pairs.views, chosen)
    torch.testing.assert_close(image[:, :1], moved)


@pytest.mark.parametrize(("p", "mirrored"), [(0.0, False), (1.0, True)])
def test_flips_choose_the_features_of_the_mirror_image(p: float, mirrored: bool) -> None:
    pairs = seen()
    assert pairs.views is not None
    chosen = torch.arange(len(pairs))
    image = signed(pairs.images)
    shown, _, features = Viewing.of(Flip(p))(image, signed(pairs.maps), pairs.views, chosen)
    torch.testing.assert_close(shown, image.flip(-1) if mirrored else image, atol=1e-5, rtol=0)
    expected = pairs.features(chosen)
    for own, other in zip(features.maps, expected.mirrored if mirrored else expected.maps, strict=True):
        assert torch.equal(own, other)
    torch.testing.assert_close(expected.maps[0], expected.mirrored[0].flip(-1), atol=1e-3, rtol=0)


def test_changes_of_colour_leave_the_features_alone() -> None:
    pairs = seen()
    assert pairs.views is not None
    chosen = torch.arange(len(pairs))
    shown, _, features = Viewing.of(Colour(0.3))(signed(pairs.images), signed(pairs.maps), pairs.views, chosen)
    assert not torch.equal(shown, signed(pairs.images))
    assert torch.equal(features.maps[0], pairs.features(chosen).maps[0])
    assert Viewing.of(NoAugmentation()).mirrored == 0


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([Flip(), Translate()], "Translate shows pictures as the encoder never saw them"),
        ([Flip(), Cutout()], "Cutout shows pictures as the encoder never saw them"),
        ([Warp(45, 2.0, 0.5)], "degrees=10, scale=1.2, shift=0.1 alone, not of degrees=45, scale=2, shift=0.5"),
        ([Flip(), Compose([Flip()])], "more than one Flip"),
        ([Warp(), Warp()], "more than one Warp"),
    ],
)
def test_what_the_encoder_never_saw_is_refused_with_what_works(steps: list[Augmentation], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        Viewing.of(Compose(steps))
    assert str(caught.value).endswith("augment=views, flip, strong or none works with an encoder")
    assert "\n" not in str(caught.value)


def test_warps_of_which_the_encoder_saw_none_are_refused() -> None:
    eye = Eye()
    check_views(Warp(), eye)
    eye.warps = 0
    with pytest.raises(ConfigurationError, match=r"model\.sight\.encoder\.warps=1 or augment=flip works"):
        check_views(Warp(), eye)
    check_views(Flip(), eye)
    check_views(Compose([Translate()]), NoEncoder())


@pytest.mark.parametrize("name", ["views", "flip", "strong", "none"])
def test_the_augmentations_that_are_named_in_a_refusal_work(name: str) -> None:
    check_views(build(compose("unet", ["network=readout", f"augment={name}"])["augment"]), Eye())


def test_an_encoder_looks_at_the_files_at_its_own_size(tmp_path: Path) -> None:
    """A fine chequered picture is grey at 32 px, and chequered to an encoder that looks at 64."""
    data = dataset()
    fine = np.indices((64, 64)).sum(0) % 2 * 255
    files = {}
    for name in data.train.names:
        Image.fromarray(np.repeat(fine[..., None], 3, 2).astype(np.uint8)).save(tmp_path / f"{name}.png")
        files[name] = tmp_path / f"{name}.png"

    class Sharp(Eye):
        channels, sides, fingerprint = (3,), (64,), "sharp"

    (map_,) = seen(eye=Sharp(), files=files).features(torch.arange(2)).maps
    assert map_.std() > 0.4
    (map_,) = seen(eye=Sharp()).features(torch.arange(2)).maps
    assert map_.std() < 0.4


def test_features_are_looked_at_once_and_kept(tmp_path: Path) -> None:
    eye, told = Eye(), []
    first = dataset().seen(eye, tmp_path, CPU, lambda *progress: told.append(progress), "train")
    assert eye.seen == 24 * 4
    assert told[0] == ("train", 0, 24)
    assert told[-1] == ("train", 24, 24)
    again = seen(cache=tmp_path, eye=eye)
    assert eye.seen == 24 * 4
    chosen = torch.arange(24)
    assert all(map(torch.equal, first.features(chosen).maps, again.features(chosen).maps))
    seen("validation", tmp_path, eye)
    assert eye.seen == 24 * 4 + 8 * 2
    seen(cache=tmp_path, eye=eye, digest="other pictures")
    assert eye.seen == 2 * 24 * 4 + 8 * 2


def test_a_damaged_file_of_features_is_made_again(tmp_path: Path) -> None:
    eye = Eye()
    whole = seen(cache=tmp_path, eye=eye).features(torch.arange(24)).maps
    (file,) = tmp_path.glob("features-*.npy")
    file.write_bytes(file.read_bytes()[:-100])
    again = seen(cache=tmp_path, eye=eye).features(torch.arange(24)).maps
    assert eye.seen == 2 * 24 * 4
    assert all(map(torch.equal, whole, again))


def look_alone(folder: Path, looked: "multiprocessing.Queue[int]") -> None:
    eye = Eye()
    seen(cache=folder, eye=eye)
    looked.put(eye.seen)


def test_of_several_processes_that_begin_at_once_one_looks(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    looked: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=look_alone, args=(tmp_path, looked)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(looked.get() for _ in processes) == [0, 0, 24 * 4]


class Waiting(Eye):
    """Looks at its first pictures only when another looks too."""

    def __init__(self, others: threading.Barrier) -> None:
        super().__init__()
        self.others = others

    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        if not self.seen:
            self.others.wait(timeout=60)
        return super().__call__(pictures)


def test_who_needs_the_same_features_helps_and_nothing_is_looked_at_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "TOGETHER", 5)
    barrier = threading.Barrier(2)
    eyes = [Waiting(barrier) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda eye: seen(cache=tmp_path, eye=eye).features(torch.arange(24)), eyes))
    assert sum(eye.seen for eye in eyes) == 24 * 4
    alone = seen().features(torch.arange(24))
    for together in found:
        assert all(map(torch.equal, together.maps, alone.maps))
    assert len(list(tmp_path.iterdir())) == 1


class Falling(Eye):
    """Is killed once it has looked at so many pictures."""

    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        if self.seen >= 10 * 4:
            raise KeyboardInterrupt
        return super().__call__(pictures)


def test_what_was_looked_at_before_a_kill_is_not_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "TOGETHER", 5)
    with pytest.raises(KeyboardInterrupt):
        seen(cache=tmp_path, eye=Falling())
    eye = Eye()
    again = seen(cache=tmp_path, eye=eye).features(torch.arange(24))
    assert eye.seen == 14 * 4
    assert all(map(torch.equal, again.maps, seen().features(torch.arange(24)).maps))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_part_of_the_pairs_has_the_features_of_that_part() -> None:
    pairs = seen()
    part = pairs.subset([5, 2])
    assert torch.equal(part.features(torch.tensor([1])).maps[0], pairs.features(torch.tensor([2])).maps[0])


def test_moments_are_those_of_all_features() -> None:
    pairs = seen()
    maps = pairs.features(torch.arange(len(pairs))).maps
    for (mean, deviation), map_ in zip(pairs.moments(lambda kept: kept), maps, strict=True):
        torch.testing.assert_close(mean, map_.mean(dim=(0, 2, 3)), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(deviation, map_.std(dim=(0, 2, 3), correction=0), atol=1e-3, rtol=1e-3)


def test_a_batch_of_features_can_be_mirrored_forgotten_and_split() -> None:
    features = Features((torch.arange(3.0).reshape(3, 1, 1, 1),), (-torch.arange(3.0).reshape(3, 1, 1, 1),))
    assert features.nothing().maps[0].flatten().tolist() == [0, 0, 0]
    assert features.flip().maps[0].flatten().tolist() == [0, -1, -2]
    which = torch.tensor([False, True, False]).reshape(3, 1, 1, 1)
    assert features.without(which).maps[0].flatten().tolist() == [0, 0, 2]
    assert [part.maps[0].flatten().tolist() for part in features.split(2, 3)] == [[0, 1], [2]]
    assert [part.maps for part in Features().split(2, 3)] == [(), ()]


def test_the_time_that_an_encoder_takes_is_said_once_it_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    progress = logged(tmp_path)
    for done in (0, 16, 32, 40):
        progress("train", done, 40)
    lines = (tmp_path / "log.txt").read_text().splitlines()
    for text in ("features of 40 train pictures, once", "s more", "features of 40 train pictures: "):
        assert sum(text in line for line in lines) == 1
        assert sum(text in line for line in caplog.messages) == 1


class Squinting(Eye):
    channels = (3, 4)


def test_an_encoder_whose_maps_are_not_as_it_says_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Squinting says that its maps are .*\(4, 16, 16\).* and makes"):
        dataset().seen(Squinting(), str(tmp_path), CPU, unwatched, "train")
    assert not list(tmp_path.glob("features-*"))
