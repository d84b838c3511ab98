"""Synthetic data, made by a formula and written in the layout of VISCHEMA PLUS, with the best possible predictions.

    FOLDER/images/  vms/  viscplus_train.csv  viscplus_val.csv  viscplus.csv  categories.csv    as the real one
    FOLDER/oracle/mean/  oracle/median/    per test image the pixelwise mean and median over many panels of the
                                           simulated people, lossless PNG
    FOLDER/oracle/law/00/ ... 15/          per test image 16 maps by other panels: draws of the true map's own law, JPEG
                                           as that is
    FOLDER/standin.json                    {"count", "size", "seed", "version"}

It says nothing about people; it shows that a model, a metric or a comparison works, because what is best is known.
"""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vmsbench.data import standin_scenes as scenes
from vmsbench.data.cache import expand
from vmsbench.data.decoding import UnreadableFile, read
from vmsbench.data.folder import load
from vmsbench.data.layout import STAMP, found, vischema_layout
from vmsbench.data.pairs import Coding, Dataset
from vmsbench.errors import ConfigurationError, DataError

VERSION = 1  # of the formula
DRAWS = 16  # of the law, per test image
PANELS = 201  # per oracle map; odd, so that the median is one of them
TEST_SHARE = 0.2  # of the scenes, as in VISCHEMA PLUS
SMALLEST, LARGEST = 8, 100_000  # scenes


def standin(
    root: str | Path | None = None,
    count: int = 640,
    size: int = 64,
    coding: Coding | Literal["auto"] = "rg",
    cache: str | Path | None = None,
    seed: int = 0,
    validation_fraction: float = 0.12,
    split_seed: int = 0,
    digest: str | None = None,
    verify: bool = False,
    folds: int | None = None,
    fold: int = 0,
) -> Dataset:
    """The synthetic data, written to `root` where it is not there yet, with `oracle` filled.

    root   without one: a folder named after count, size and seed, in the cache folder (without that, runs/cache)
    count  pairs in all; a fifth of them is the test set
    seed   of the scenes and the people; the other settings are those of `folder`

    Raises DataError where `root` holds something else, and what `folder` raises.
    """
    path = Path(root or expand(cache or "runs/cache") / f"standin-{count}-{size}-{seed}").expanduser().resolve()
    if not (path / STAMP).exists():
        write_standin(path, count, size, seed)
    there = stamp_of(path)
    if (there.get("count"), there.get("seed")) != (count, seed) or there.get("version") != VERSION:
        raise DataError(
            f"{path} holds synthetic data with count={there.get('count')}, seed={there.get('seed')}, "
            f"version={there.get('version')}, not count={count}, seed={seed}, version={VERSION}: "
            "ask for that one, or set data.root to a new folder"
        )
    dataset = load(
        vischema_layout(path),
        size,
        coding,
        cache,
        validation_fraction,
        split_seed=split_seed,
        digest=digest,
        verify=verify,
        folds=folds,
        fold=fold,
    )
    oracle = {f"oracle_{which}": oracle_maps(path, which, dataset) for which in ("mean", "median")}
    return replace(
        dataset, title=f"synthetic data, {size} px", oracle=oracle | {"oracle_law": oracle_law(path, dataset)}
    )


def write_standin(folder: str | Path, count: int = 640, size: int = 64, seed: int = 0) -> Path:
    """Write `count` pairs of size x size px to `folder`, which must be absent or empty; its path is returned.

    A scene depends on the seed and its number alone. The folder appears whole or not at all; of several processes
    that write it at once, one wins and the others take its work. Where these very data are there already, nothing
    is done.

    Raises DataError where `folder` holds something else or cannot be written, ConfigurationError for too few or too
    many pairs.
    """
    folder = Path(folder).expanduser().resolve()
    if not SMALLEST <= count <= LARGEST or not 16 <= size <= 1024:
        raise ConfigurationError(
            f"count={count}, size={size}: synthetic data have {SMALLEST} to {LARGEST} pairs, of 16 to 1024 px"
        )
    stamp = {"count": count, "size": size, "seed": seed, "version": VERSION}
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    try:
        if settled(folder, stamp):
            return folder
        temporary.mkdir(parents=True)
        write_scenes(temporary, count, size, seed)
        (temporary / STAMP).write_text(json.dumps(stamp) + "\n", encoding="utf-8")
        try:
            os.rename(temporary, folder)
        except OSError:
            if not settled(folder, stamp):
                raise
    except OSError as error:
        raise DataError(f"synthetic data cannot be written to {folder} ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(temporary)
    return folder


def settled(folder: Path, stamp: dict[str, int]) -> bool:
    """Whether `folder` holds these very synthetic data. Raises DataError where it holds something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not folder.is_dir():
        raise DataError(f"{folder} is a file: give a folder for the synthetic data")
    there = stamp_of(folder)
    if there == stamp:
        return True
    what = f"other synthetic data ({there})" if there else found(folder)
    raise DataError(f"{folder} is not empty (found: {what}): give a new folder for the synthetic data")


def stamp_of(folder: Path) -> dict[str, Any]:
    try:
        stamp = json.loads((folder / STAMP).read_bytes())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_scenes(folder: Path, count: int, size: int, seed: int) -> None:
    for part in ("images", "vms", "oracle/mean", "oracle/median"):
        (folder / part).mkdir(parents=True)
    names = [f"standin_{number:05d}.jpg" for number in range(count)]
    tests = max(round(TEST_SHARE * count), 1)
    rows = ["file,category"]
    for number, name in enumerate(names):
        random = np.random.default_rng([seed, number])
        scene = scenes.scene(random)
        picture = scenes.draw(scene, size, random)
        map_ = scenes.with_blue(scenes.panels(scene, size, 1, random)[0])
        save(picture, folder / "images" / name)
        save(map_.transpose(1, 2, 0), folder / "vms" / name)
        rows.append(f"{name},{scenes.CATEGORIES[scene.category]}")
        if number >= count - tests:
            best = zip(("mean", "median"), scenes.oracle(scene, size, PANELS, random), strict=True)
            for which, oracle in best:
                save(oracle.transpose(1, 2, 0), folder / "oracle" / which / oracle_name(name))
    for file, lines in (
        ("viscplus.csv", names),
        ("viscplus_train.csv", names[: count - tests]),
        ("viscplus_val.csv", names[count - tests :]),
        ("categories.csv", rows),
    ):
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_law(folder, size, seed, names[count - tests :])


def write_law(folder: Path, size: int, seed: int, names: Iterable[str]) -> None:
    """Draw the maps of oracle/law, which appears whole or not at all. A map depends on the seed and its number alone.

    Raises DataError where it cannot be written.
    """
    law = folder / "oracle" / "law"
    temporary = law.with_name(f".law.{uuid.uuid4().hex}.part")
    try:
        for draw in range(DRAWS):
            (temporary / f"{draw:02d}").mkdir(parents=True)
        for name in names:
            number = int(Path(name).stem.rpartition("_")[2])
            scene = scenes.scene(np.random.default_rng([seed, number]))
            maps = scenes.panels(scene, size, DRAWS, np.random.default_rng([seed, number, DRAWS]))
            for draw, map_ in enumerate(maps):
                save(scenes.with_blue(map_).transpose(1, 2, 0), temporary / f"{draw:02d}" / name)
        os.rename(temporary, law)
    except OSError as error:
        if not law.is_dir():
            raise DataError(f"{law} cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def save(pixels: np.ndarray, path: Path) -> None:
    """JPEG without chroma subsampling at a quality whose errors are a grey level or two, or PNG, by the name."""
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, quality=97, subsampling=0)


def oracle_name(name: str) -> str:
    return Path(name).with_suffix(".png").name


def oracle_law(folder: Path, dataset: Dataset) -> Tensor:
    """Draws of the true law for the test images, uint8, N x 16 x M x S x S; written first where they are not there."""
    if not (folder / "oracle" / "law").is_dir():
        stamp = stamp_of(folder)
        write_law(folder, stamp["size"], stamp["seed"], dataset.test.names)
    return torch.stack([oracle_maps(folder, f"law/{draw:02d}", dataset) for draw in range(DRAWS)], dim=1)


def oracle_maps(folder: Path, which: str, dataset: Dataset) -> Tensor:
    """The oracle's maps for the test images, uint8 of test.maps' shape. Raises DataError where some are missing."""
    names = [name if which.startswith("law") else oracle_name(name) for name in dataset.test.names]
    try:
        files = [folder / "oracle" / which / name for name in names]
        return torch.from_numpy(np.stack([read(file, dataset.size).pixels for file in files]))
    except UnreadableFile as error:
        raise DataError(
            f"{folder}/oracle/{which} is damaged ({error}): remove {folder} and it is written again"
        ) from error
