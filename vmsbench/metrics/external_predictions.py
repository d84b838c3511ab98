"""Predicted maps from outside: read from a folder, matched by name, and checked for wrong scales.

    FOLDER/sun_a.png ...   pictures, bytes; channels as the truth's, red first
    FOLDER/sun_a_0.png, sun_a_1.png ...   K samples of an image, as many for each; or arrays C x H x W called so
    FOLDER/sun_a.npy ...   arrays in [0, 1] (bytes in 0..255): H x W, C x H x W, H x W x C, or K x C x H x W samples
    predictions.npz        or a folder with it: `names`, and `predictions` N x C x H x W or N x K x C x H x W

Names are those of the images, with or without a suffix. Where the truth is grey, three equal channels are one. Nothing
is resized, clamped or rescaled here: whatever would need it is refused in a sentence that says what it looks like.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from vmsbench.data.decoding import UnreadableFile, read
from vmsbench.data.pairs import Pairs
from vmsbench.data.sources.names import Names, is_picture, stem_of
from vmsbench.data.sources.oddities import remarkable
from vmsbench.data.sources.walking import remarks, walk
from vmsbench.errors import DataError, UserError
from vmsbench.files import read_from
from vmsbench.metrics.agreement.similarity import CONSTANT_PREDICTION
from vmsbench.metrics.calibration import collapsed, too_few
from vmsbench.metrics.scores import check_unit

SHOWN = 5
LEVEL = 1.01 / 255  # one of bytes, as it may be rounded
SAMPLE = re.compile(r"(.+)_(\d+)")
CHANNELS = (1, 2, 3)


def read_predictions(path: Path, pairs: Pairs, others: Collection[str] = ()) -> tuple[Tensor, list[str]]:
    """The predictions for `pairs`, in their order, and remarks on what is odd but can be scored.

    others  names of the dataset's further images, whose predictions are left aside with a remark

    Returns float32 in [0, 1], N x C x S x S, or N x K x C x S x S where there are samples. Raises UserError for values
    outside [0, 1], on another scale, or that are no number; for another size or shape; and for names missing or extra.
    """
    found, bytes_, notes = arrays(path, pairs.images.shape[-1])
    found = sampled(found, [*pairs.names, *others])
    chosen, left = matched(path, found, pairs.names, others)
    if pairs.maps.shape[1] == 1:
        chosen = [without_colour(array) for array in chosen]
    for name, array in zip(pairs.names, chosen, strict=True):
        if not np.isfinite(array).all():
            raise UserError(f"predictions: NaN or infinite values in the map of {name}; needed are floats in [0, 1]")
        if array.ndim == chosen[0].ndim == 4 and len(array) != len(chosen[0]):
            raise UserError(
                f"predictions: {len(array)} samples of {name}, {len(chosen[0])} of {pairs.names[0]}; "
                "as many of each are needed"
            )
        if array.shape != chosen[0].shape:
            raise UserError(
                f"predictions: shape {array.shape} for {name}, {chosen[0].shape} for {pairs.names[0]}; "
                "all must be alike in channels, samples and size"
            )
    maps = torch.from_numpy(np.stack(chosen)).float()
    if bytes_:
        maps /= 255
    check_size(maps, pairs)
    check_unit(maps, "predictions")
    check_scale(maps, pairs.maps)
    return maps, notes + left + oddities(maps, pairs)


def check_there(path: Path) -> None:
    if not path.exists():
        raise UserError(f"no predictions at {path}: give a folder of maps, one per test image, or a predictions.npz")


def arrays(path: Path, size: int) -> tuple[dict[str, np.ndarray], bool, list[str]]:
    """What lies at `path`, by stem: C x H x W or K x C x H x W each; whether it is all bytes; and what is odd."""
    check_there(path)
    if path.is_dir() and (path / "predictions.npz").is_file():
        path = path / "predictions.npz"
    found, notes = (from_npz(path), []) if path.is_file() else from_folder(path, size)
    kinds = {array.dtype == np.uint8 for array in found.values()}
    if len(kinds) > 1:
        raise UserError(f"{path}: some predictions are bytes, others floats; save all in one way")
    return found, kinds.pop(), notes


def from_npz(file: Path) -> dict[str, np.ndarray]:
    alone = "picture" if is_picture(file.name) else "array without names" if file.suffix == ".npy" else ""
    if alone:
        raise UserError(
            f"{file} is one {alone}; give the folder that holds a map for each image, or an .npz with the arrays names "
            "and predictions"
        )
    try:
        names, maps = read_from(file, held)
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror or error})") from error
    except KeyError as error:
        raise UserError(f"{file} has no array {error.args[0]}; needed are names and predictions") from error
    except Exception as error:  # numpy raises many kinds of error for a file that is not an archive of arrays
        objects = "Object arrays" in str(error)
        why = "it holds objects: save np.array(names, dtype=str)" if objects else "it is of another kind, or damaged"
        raise UserError(f"{file} is not an .npz with the arrays names and predictions ({why})") from error
    check_values(maps, file)
    if maps.ndim not in (4, 5) or len(maps) != len(names) or len(set(names)) < len(names):
        raise UserError(
            f"{file}: predictions of shape {maps.shape} for {len(set(names))} different names of {len(names)}; "
            "needed is one N x C x H x W or N x K x C x H x W, and each name once"
        )
    if not len(names):
        raise UserError(f"{file} is empty: it holds no prediction")
    return dict(zip(names, maps, strict=True))


def held(file: BinaryIO) -> tuple[list[str], np.ndarray]:
    """The names and the predictions in an .npz. Raises KeyError, and whatever numpy raises for another file."""
    with np.load(file, allow_pickle=False) as arrays:
        return [str(name) for name in arrays["names"]], arrays["predictions"]


def check_values(maps: np.ndarray, file: Path) -> None:
    """Raises UserError for arrays of anything but real numbers, and for none."""
    if maps.dtype.kind not in "fiub":
        raise UserError(f"{file}: predictions are {maps.dtype}; needed are numbers, floats in [0, 1] or bytes")
    if maps.ndim > 1 and len(maps) and not maps.size:
        raise UserError(f"{file}: predictions of shape {maps.shape} hold nothing; each image needs a map of its own")


def from_folder(folder: Path, size: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays of its files, by stem; and what is odd about the folder and its files."""
    there = walk(folder, lambda name: is_picture(name) or name.endswith(".npy"))
    files, odd = there.files, dict[str, list[str]]()
    if there.problems:
        raise DataError(f"predictions: {there.problems[0]}")
    if not files:
        raise UserError(f"{folder} has no predictions: no pictures and no .npy files in it")
    found: dict[str, np.ndarray] = {}
    for file in files:
        stem = stem_of(file.relative_to(folder).as_posix())
        if stem in found:
            raise UserError(f"predictions: two files for {stem}, one of them {file.name}; keep one")
        found[stem] = from_npy(file) if file.suffix == ".npy" else from_picture(file, size, odd)
    return found, [*remarks(there), *(f"{some(names)}: {said}" for said, names in odd.items())]


def from_picture(file: Path, size: int, odd: dict[str, list[str]]) -> np.ndarray:
    """The pixels of a file; what is odd about it is added to `odd`, with its name."""
    try:
        picture = read(file, size)
    except UnreadableFile as error:
        raise DataError(f"predictions: {file.name}: {error}") from error
    if (picture.width, picture.height) != (size, size):
        raise UserError(wrong_size(file.name, picture.width, picture.height, size))
    for said in remarkable(picture.facts):
        odd.setdefault(said, []).append(file.name)
    return picture.pixels


def from_npy(file: Path) -> np.ndarray:
    try:
        array = read_from(file, partial(np.load, allow_pickle=False))
    except OSError as error:
        raise DataError(f"predictions: {file.name} cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError) as error:
        raise DataError(f"predictions: {file.name} cannot be read by numpy ({error})") from error
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 3 and array.shape[0] not in CHANNELS and array.shape[-1] in CHANNELS:
        array = array.transpose(2, 0, 1)
    if array.ndim not in (3, 4) or array.shape[-3] not in CHANNELS or array.dtype.kind not in "fiu":
        raise UserError(
            f"predictions: {file.name} holds {array.dtype} of shape {array.shape}; needed are numbers, C x H x W, "
            "H x W x C, H x W, or K x C x H x W, with 1, 2 or 3 channels"
        )
    if array.dtype.kind in "iu" and array.dtype != np.uint8:
        raise UserError(f"predictions: {file.name} holds {array.dtype} values; give floats in [0, 1], or bytes (uint8)")
    return array


def sampled(found: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """The same with NAME_0, NAME_1, ... as the K samples of NAME, K x C x H x W, where no image is called so itself.

    Raises UserError for samples of different shapes, a number that is missing, and NAME next to NAME_0.
    """
    images = Names(list(dict.fromkeys(names)))
    asked = [(name, match) for name in found if (match := SAMPLE.fullmatch(name))]
    own = images.stems_of([name for name, _ in asked])
    of = images.stems_of([match[1] for _, match in asked])
    groups: dict[str, dict[int, str]] = {}
    for (name, match), itself, image in zip(asked, own, of, strict=True):
        if itself is None and image is not None:
            groups.setdefault(match[1], {})[int(match[2])] = name
    whole = dict(found)
    for base, numbered in groups.items():
        check_numbers(base, sorted(numbered), base in found)
        maps = [whole.pop(numbered[number]) for number in sorted(numbered)]
        if any(one.shape != maps[0].shape or one.ndim != 3 for one in maps):
            raise UserError(f"predictions: the {len(maps)} samples {base}_{min(numbered)}, ... are not of one shape")
        whole[base] = np.stack(maps)
    return whole


def check_numbers(base: str, numbers: Sequence[int], whole: bool) -> None:
    """Raises UserError for samples NAME_0, NAME_1, ... with a gap, and for NAME, the `whole`, next to them."""
    count = len(numbers)
    if list(numbers) not in (list(range(count)), list(range(1, count + 1))):
        shown = ", ".join(map(str, numbers[:SHOWN])) + ", ..." * (count > SHOWN)
        raise UserError(
            f"predictions: {base} has the samples {shown}; number them {base}_0, {base}_1, ... without gaps"
        )
    if whole:
        raise UserError(f"predictions: {base} and {base}_{numbers[0]} both mean {base}; keep either")


def wrong_size(name: str, width: int, height: int, size: int) -> str:
    other = f"read the data at that size by data.size={width}, or " if width == height else ""
    return (
        f"predictions: {name} is {width} x {height} px where the truth has {size} x {size}; "
        f"{other}bring the predictions to {size} x {size} first"
    )


def matched(
    path: Path, found: Mapping[str, np.ndarray], names: Sequence[str], others: Collection[str]
) -> tuple[list[np.ndarray], list[str]]:
    """The arrays in the order of `names`. Raises UserError for names that are missing or belong to nothing."""
    images = Names([*names, *others])
    given: dict[str, str] = {}
    strangers = []
    for name, stem in zip(found, images.stems_of(list(found)), strict=True):
        if stem is None:
            strangers.append(name)
        elif given.setdefault(stem, name) != name:
            raise UserError(f"predictions: {given[stem]} and {name} both mean {images.name(stem)}; keep one")
    wanted = {stem_of(name): name for name in names}
    missing = [name for stem, name in wanted.items() if stem not in given]
    if len(missing) == len(wanted):
        raise UserError(
            f"{path} has no prediction by the name of an image: it has {some(list(found))}, the images are "
            f"{some(names)}"
        )
    if missing:
        raise UserError(f"predictions: {len(missing)} of {len(names)} images have none: {some(missing)}")
    if strangers:
        raise UserError(
            f"predictions: {len(strangers)} belong to no image of the data: {some(strangers)}; remove them, or check "
            "that these are the right data"
        )
    extra = [name for stem, name in given.items() if stem not in wanted]
    ignored = f"{len(extra)} predictions are for images that are not scored here, and ignored: {some(extra)}"
    return [found[given[stem]] for stem in wanted], [ignored] if extra else []


def without_colour(array: np.ndarray) -> np.ndarray:
    """One channel of three that are equal: a grey map saved in colour."""
    equal = array.shape[-3] == 3 and bool((array == array[..., :1, :, :]).all())
    return array[..., :1, :, :] if equal else array


def some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def check_size(maps: Tensor, pairs: Pairs) -> None:
    height, width = maps.shape[-2:]
    if (height, width) != pairs.maps.shape[-2:]:
        raise UserError(wrong_size(f"the map of {pairs.names[0]}", width, height, pairs.maps.shape[-1]))


def check_scale(maps: Tensor, truth: Tensor) -> None:
    """Recognise maps that lie in [0, 1] and still are on another scale. Raises UserError naming it."""
    low, high = (value.item() for value in maps.aminmax())
    span = f"predictions: all values are from {low:.4g} to {high:.4g}"
    if 0 < high <= LEVEL and truth.max() > 25:
        raise UserError(f"{span}: they look like maps in [0, 1] divided by 255 once too often, or saved as bytes as is")
    if low >= 0.49 and high > low and truth.float().mean() < 0.25 * 255:
        raise UserError(
            f"{span}, and the truth is mostly 0: they look like maps in [0, 1] converted by (x + 1) / 2 as if "
            "from [-1, 1]; give x"
        )


def oddities(maps: Tensor, pairs: Pairs) -> list[str]:
    """What can be scored and should be known: maps on a scale of their own, constant ones, one for all, channels
    in another order."""
    flat = maps.flatten(1)
    top = flat.amax(dim=1)
    constant = int((top - flat.amin(dim=1) <= CONSTANT_PREDICTION).sum())
    remarks = few_or_equal(maps) if maps.ndim == 5 and maps.shape[1] > 1 else []
    dim = [name for name, one in zip(pairs.names, top.tolist(), strict=True) if 0 < one <= LEVEL]
    if 0 < len(dim) < len(maps):
        remarks.append(
            f"{len(dim)} of {len(maps)} predicted maps are not black, and have no value above 1 of 255 ({some(dim)}): "
            "were they divided by 255 once too often, or saved as bytes as is?"
        )
    if constant:
        remarks.append(f"{constant} of {len(maps)} predicted maps are constant; their CC is 0 by definition")
    if len(maps) > 1 and (flat - flat[0]).abs().max() <= CONSTANT_PREDICTION:
        remarks.append("all predictions are one and the same map: they do not depend on the image")
    if maps.shape[-3] == 3 and pairs.maps.shape[1] == 3:
        red, _, blue = maps.transpose(0, -3).flatten(1).mean(dim=1)
        true_red, _, true_blue = pairs.maps.float().transpose(0, 1).flatten(1).mean(dim=1)
        if blue > 4 * red and true_red > 4 * true_blue:
            remarks.append("blue holds what red should: were the maps written as blue, green, red (OpenCV)?")
    return remarks


def few_or_equal(samples: Tensor) -> list[str]:
    """What keeps K samples, N x K x C x S x S, from being judged as a distribution."""
    number = samples.shape[1]
    if bool((samples == samples[:, :1]).all()):
        return [collapsed(number)]
    return too_few(number)
