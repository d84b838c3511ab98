"""Any folder of images and a folder of their maps, as a Dataset: paired by name, split by lists or by a seeded draw."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from vmsbench.data.cache import Cache, digest_of, hashes
from vmsbench.data.decoding import VERSION, Pair, read_pairs
from vmsbench.data.indexing import Problem, Scan, refuse, scan
from vmsbench.data.layout import Layout, Split, existing_root, folder_layout
from vmsbench.data.pairs import Coding, Dataset, Pairs
from vmsbench.data.splits import carve
from vmsbench.errors import ConfigurationError, DataError, did_you_mean

CODINGS = ("auto", "rg", "rgb", "grey")


def folder(
    root: str | Path | None = None,
    images: str = "images",
    maps: str = "maps",
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    categories: str | None = None,
    size: int = 64,
    coding: Coding | Literal["auto"] = "auto",
    cache: str | Path | None = None,
    validation_fraction: float = 0.12,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    digest: str | None = None,
) -> Dataset:
    """The pairs under root/images and root/maps, matched by file name without extension.

    images, maps          folders relative to root; pictures in their subfolders count
    train, validation,    files of names relative to root (.csv or .txt; first column; header, extension and path
    test                  prefix optional). Without `test`, test_fraction of the train list is carved out; without
                          `train`, train is every pair that the other lists leave; without `validation`,
                          validation_fraction of what is left of train is carved out
    categories            a file of name, category; draws are stratified by it
    size                  px; pictures are stretched to size x size
    coding                auto: rg for colour maps, grey for grey maps
    cache                 a folder for decoded pairs; none: decode every time
    digest                that of an earlier run: refuse data that has changed since

    Raises DataError (all bad files in one message) and ConfigurationError.
    """
    lists: dict[Split, str | None] = {"train": train, "validation": validation, "test": test}
    layout = folder_layout(existing_root(root), images, maps, lists, categories)
    return load(layout, size, coding, cache, validation_fraction, test_fraction, split_seed, digest)


def load(
    layout: Layout,
    size: int,
    coding: Coding | Literal["auto"] = "auto",
    cache: str | Path | None = None,
    validation_fraction: float = 0.12,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    digest: str | None = None,
) -> Dataset:
    """The Dataset of a layout; see `folder`."""
    if coding not in CODINGS:
        raise ConfigurationError(f"coding={coding} is not one of {', '.join(CODINGS)}{did_you_mean(coding, CODINGS)}")
    if isinstance(size, bool) or not isinstance(size, int) or not 8 <= size <= 1024:
        raise ConfigurationError(f"size={size} is not a picture size: give whole pixels from 8 to 1024, such as 64")
    scanned = scan(layout)
    content, arrays = contents(layout, scanned, size, cache)
    names = split_names(layout, scanned, validation_fraction, test_fraction, split_seed)
    chosen = code(coding, arrays["maps"].shape[1])
    parts = [f"{split}:{name}:{scanned.categories.get(name, '')}" for split in names for name in names[split]]
    now = digest_of(content, str(size), *parts)
    if digest is not None and digest != now:
        raise DataError(
            f"the data in {layout.root} changed since: its digest is {now}, the configuration has {digest}; "
            "bring the old files and lists back, or start a new study with data.digest=null"
        )
    place = {name: i for i, name in enumerate(scanned.files)}
    whole = Pairs(
        tuple(scanned.files),
        torch.from_numpy(arrays["images"]),
        torch.from_numpy(arrays["maps"]),
        tuple(scanned.categories.get(name, "unknown") for name in scanned.files) if scanned.categories else (),
    )
    train, validation, test = (whole.subset([place[name] for name in names[split]]) for split in names)
    return Dataset(train, validation, test, chosen, now, f"{layout.title}, {size} px")


def contents(layout: Layout, scanned: Scan, size: int, cache: str | Path | None) -> tuple[str, dict[str, np.ndarray]]:
    """A digest of the files' bytes, and their images and maps at `size`, from the cache where it has them."""
    paths = [path for pair in scanned.files.values() for path in pair]
    store = Cache(cache) if cache is not None else None
    each = store.digests(layout.root, paths) if store else hashes(paths)
    content = digest_of(*[text for i, name in enumerate(scanned.files) for text in (name, *each[2 * i : 2 * i + 2])])

    def make() -> dict[str, np.ndarray]:
        return decode(layout, scanned, size)

    if store is None or scanned.problems:
        return content, make()
    key = digest_of(content, str(size), str(VERSION))
    return content, store.arrays(key, make, valid=fits(len(scanned.files), size))


def fits(count: int, size: int) -> Callable[[dict[str, np.ndarray]], bool]:
    """Whether arrays are what `decode` makes of so many pairs."""

    def check(arrays: dict[str, np.ndarray]) -> bool:
        return (
            arrays["images"].shape == (count, 3, size, size)
            and arrays["maps"].shape in [(count, channels, size, size) for channels in (1, 3)]
            and all(array.dtype == np.uint8 for array in arrays.values())
        )

    return check


def decode(layout: Layout, scanned: Scan, size: int) -> dict[str, np.ndarray]:
    """images N x 3 x S x S and maps N x M x S x S, uint8. Raises DataError with every bad file."""
    read = read_pairs(list(scanned.files.values()), size)
    refuse(layout.root, [*scanned.problems, *problems_in(list(scanned.files), read)])
    pairs = [pair for pair in read if isinstance(pair, Pair)]
    return {
        "images": np.stack([pair.image.pixels for pair in pairs]),
        "maps": np.stack([pair.map.pixels for pair in pairs]),
    }


def problems_in(names: Sequence[str], read: Sequence[Pair | str]) -> list[Problem]:
    """What decoding found: files that are no pictures, shapes that disagree, grey maps among coloured ones."""
    problems = [Problem(name, pair) for name, pair in zip(names, read, strict=True) if isinstance(pair, str)]
    grey = {name: pair.map.grey for name, pair in zip(names, read, strict=True) if isinstance(pair, Pair)}
    mostly_grey = 2 * sum(grey.values()) > len(grey)
    odd = "a colour map among grey maps" if mostly_grey else "a grey map among colour maps"
    return problems + [Problem(name, odd) for name, is_grey in grey.items() if is_grey != mostly_grey]


def code(coding: Coding | Literal["auto"], channels: int) -> Coding:
    """The coding for maps of so many channels. Raises ConfigurationError where the two do not fit."""
    if coding == "auto":
        return "grey" if channels == 1 else "rg"
    if (coding == "grey") != (channels == 1):
        kind, fitting = ("grey", "grey") if channels == 1 else ("colour", "rg or rgb")
        raise ConfigurationError(f"coding={coding} does not fit {kind} maps: use auto or {fitting}")
    return coding


def split_names(
    layout: Layout, scanned: Scan, validation_fraction: float, test_fraction: float, seed: int
) -> dict[Split, list[str]]:
    """The names of train, validation and test: from the lists, carved where a list is missing."""
    lists = scanned.lists
    elsewhere = {name for split in ("validation", "test") for name in lists.get(split, ())}
    train = list(lists.get("train") or (name for name in scanned.files if name not in elsewhere))
    test, validation = list(lists.get("test", ())), list(lists.get("validation", ()))
    wanted = 1 + (not test) + (not validation)
    if len(train) < wanted:
        raise DataError(f"{layout.root} has {len(train)} pair(s) to learn from: {wanted} at the least are needed")
    if not test:
        train, test = carve(train, test_fraction, seed, scanned.categories)
    if not validation:
        train, validation = carve(train, validation_fraction, seed, scanned.categories)
    return {"train": train, "validation": validation, "test": test}
