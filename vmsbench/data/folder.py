"""Any folder of images and a folder of their maps, as a Dataset: paired by name, split by lists or by a seeded draw."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from vmsbench.data.cache import Cache, UnhashedFiles, digest_of, hashes
from vmsbench.data.decoding import VERSION, Pair, Picture, read_pairs
from vmsbench.data.indexing import Problem, Scan, refuse, scan
from vmsbench.data.layout import Layout, Split, existing_root, folder_layout
from vmsbench.data.pairs import Coding, Dataset, Pairs
from vmsbench.data.sources.fixations import Fixations, centre_bias
from vmsbench.data.sources.further import FurtherData, Wanted, read_further
from vmsbench.data.sources.oddities import oddities
from vmsbench.data.sources.provenance import Decoded, Provenance, decoded, listing_warnings, source
from vmsbench.data.sources.walking import remarks
from vmsbench.data.splits import carve, fold_of
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
    scale: float = 1,
    verify: bool = False,
    repeats: Sequence[str] | None = None,
    fixations: str | None = None,
    folds: int | None = None,
    fold: int = 0,
) -> Dataset:
    """The pairs under root/images and root/maps, matched by file name without extension.

    images, maps          folders relative to root; pictures in their subfolders count
    train, validation,    files of names relative to root (.csv or .txt; the column whose entries are images; heading,
    test                  extension and path prefix optional). Without `test`, test_fraction of the train list is carved
                          out; without `train`, train is every pair that the other lists leave; without `validation`,
                          validation_fraction of what is left of train is carved out
    categories            a file of names and categories; draws are stratified by it
    size                  px; pictures are stretched to size x size
    coding                auto: rg for colour maps, grey for grey maps
    cache                 a folder for decoded pairs; none: decode every time
    digest                that of an earlier run: refuse data that has changed since
    scale                 map values are multiplied by it: 255 for masks of 0 and 1, 16 for 12 bits in files of 16
    verify                read every file's bytes again, though its size, times and inode are those remembered
    repeats               folders, relative to root, of the maps of several annotators or of halves of them, which share
                          their names with the images: how far people agree is measured by them on the test images
    fixations             a folder, relative to root, of fixation maps that share their names with the images, in which
                          what is not black was fixated: maps are scored by NSS, AUC and information gain then
    folds, fold           for cross-validation: the pairs of train and validation are dealt into so many folds, of which
                          this one is the validation; their digest is that of the data without folds

    Raises DataError (all bad files in one message) and ConfigurationError.
    """
    lists: dict[Split, str | None] = {"train": train, "validation": validation, "test": test}
    layout = folder_layout(existing_root(root), images, maps, lists, categories)
    fractions = validation_fraction, test_fraction
    return load(
        layout, size, coding, cache, *fractions, split_seed, digest, scale, verify, repeats, fixations, folds, fold
    )


def load(
    layout: Layout,
    size: int,
    coding: Coding | Literal["auto"] = "auto",
    cache: str | Path | None = None,
    validation_fraction: float = 0.12,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    digest: str | None = None,
    scale: float = 1,
    verify: bool = False,
    repeats: Sequence[str] | None = None,
    fixations: str | None = None,
    folds: int | None = None,
    fold: int = 0,
) -> Dataset:
    """The Dataset of a layout; see `folder`."""
    if coding not in CODINGS:
        raise ConfigurationError(
            f"data.coding={coding} is not one of {', '.join(CODINGS)}{did_you_mean(coding, CODINGS)}"
        )
    if isinstance(size, bool) or not isinstance(size, int) or not 8 <= size <= 1024:
        raise ConfigurationError(
            f"data.size={size} is not a picture size: give whole pixels from 8 to 1024, such as 64"
        )
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise ConfigurationError(
            f"data.scale={scale} is not a factor: give a number above 0, such as 255 for masks of 0 and 1"
        )
    scanned = scan(layout)
    content, arrays = contents(layout, scanned, size, cache, scale, verify)
    seen = Decoded.from_bytes(arrays["facts"].tobytes())
    names = split_names(layout, scanned, validation_fraction, test_fraction, split_seed)
    chosen, maps = code(coding, arrays["maps"], seen)
    digests = partial(digests_of, layout.root, cache=cache, verify=verify)
    wanted = Wanted(layout.root, scanned.files, scanned.stems, names["test"], maps.shape[1], size, scale, digests)
    further = read_further(wanted, repeats, fixations)
    refuse(layout.root, further.problems)
    parts = [f"{split}:{name}:{scanned.categories.get(name, '')}" for split in names for name in names[split]]
    parts += [f"fixations:{further.digest}"] if further.digest else []
    now = digest_of(content, str(size), *parts)
    if digest is not None and digest != now:
        raise DataError(
            f"the data in {layout.root} changed: its digest is {now}, the configuration has {digest}; restore the old "
            "files and lists, or start a new study with data.digest=null"
        )
    if folds is not None:
        tuning = [name for name in scanned.files if name in {*names["train"], *names["validation"]}]
        parted = fold_of(tuning, folds, fold, split_seed, scanned.categories)
        names = names | dict(zip(("train", "validation"), parted, strict=True))
    place = {name: i for i, name in enumerate(scanned.files)}
    whole = Pairs(
        tuple(scanned.files),
        torch.from_numpy(arrays["images"]),
        torch.from_numpy(maps),
        tuple(scanned.categories.get(name, "unknown") for name in scanned.files) if scanned.categories else (),
    )
    if further.points is not None:
        bias = centre_bias(further.points[[place[name] for name in names["train"]]])
        whole = replace(whole, fixations=Fixations(further.points, bias))
    train, validation, test = (whole.subset([place[name] for name in names[split]]) for split in names)
    counts: dict[str, int] = {split: len(members) for split, members in names.items()}
    title, account = f"{layout.title}, {size} px", provenance(layout, scanned, seen, counts, chosen, scale, further)
    files = {name: image for name, (image, _) in scanned.files.items()}
    return Dataset(
        train, validation, test, chosen, now, title, provenance=account, files=files, repeats=further.repeats
    )


def provenance(
    layout: Layout,
    scanned: Scan,
    seen: Decoded,
    counts: dict[str, int],
    coding: str,
    scale: float,
    further: FurtherData,
) -> Provenance:
    """The account of what was read; counts are the pairs by split."""
    known = [scanned.categories[name] for name in scanned.files if name in scanned.categories]
    told = listing_warnings(scanned.listings, len(scanned.files) - len(known), len(set(known)), len(scanned.files))
    walked = [said for found in scanned.walks for said in remarks(found)]
    return Provenance(
        root=str(layout.root),
        title=layout.title,
        images=source(scanned.walks[0]),
        maps=source(scanned.walks[1]),
        lists=scanned.listings,
        further=further.accounts,
        pairs=counts,
        drawn=tuple(
            split for split in counts if split in ("train", "validation", "test") and split not in scanned.lists
        ),
        coding=coding,
        scale=scale,
        decoded=seen,
        warnings=(*walked, *told, *oddities(seen, coding, scale), *further.warnings),
    )


def contents(
    layout: Layout, scanned: Scan, size: int, cache: str | Path | None, scale: float, verify: bool
) -> tuple[str, dict[str, np.ndarray]]:
    """A digest of the files' bytes, and what `decode` makes of them at `size`, from the cache where it has it.

    Raises DataError with every bad file, UnhashedFiles where reading failed and then did not.
    """
    paths = [path for pair in scanned.files.values() for path in pair]
    store = Cache(cache) if cache is not None else None
    try:
        each = digests_of(layout.root, paths, cache, verify)
    except UnhashedFiles:
        decode(layout, scanned, size, scale)  # which says of all files what is wrong with them
        raise
    texts = [text for i, name in enumerate(scanned.files) for text in (name, *each[2 * i : 2 * i + 2])]
    content = digest_of(*texts, *([] if scale == 1 else [f"times {float(scale)}"]))

    def make() -> dict[str, np.ndarray]:
        return decode(layout, scanned, size, scale)

    if store is None or scanned.problems:
        return content, make()
    key = digest_of(content, str(size), str(VERSION))
    return content, store.arrays(key, make, valid=fits(len(scanned.files), size))


def digests_of(root: Path, paths: Sequence[Path], cache: str | Path | None, verify: bool) -> list[str]:
    """The SHA-256 of each file, from the cache's memory where there is one and the file has not changed since."""
    return Cache(cache).digests(root, paths, verify) if cache is not None else hashes(paths)


def fits(count: int, size: int) -> Callable[[dict[str, np.ndarray]], bool]:
    """Whether arrays are what `decode` makes of so many pairs."""

    def check(arrays: dict[str, np.ndarray]) -> bool:
        try:
            told = Decoded.from_bytes(arrays["facts"].tobytes())
        except (ValueError, TypeError, KeyError):
            return False
        return (
            told.maps.files == count
            and arrays["images"].shape == (count, 3, size, size)
            and arrays["maps"].shape in [(count, channels, size, size) for channels in (1, 3)]
            and all(array.dtype == np.uint8 for array in arrays.values())
        )

    return check


def decode(layout: Layout, scanned: Scan, size: int, scale: float = 1) -> dict[str, np.ndarray]:
    """images N x 3 x S x S and maps N x M x S x S, uint8, and facts, JSON as bytes.

    Raises DataError with every bad file.
    """
    names = list(scanned.files)
    read = alike(read_pairs(list(scanned.files.values()), size, scale))
    refuse(layout.root, [*scanned.problems, *problems_in(names, read)])
    pairs = [pair for pair in read if isinstance(pair, Pair)]
    if not pairs:
        raise DataError(
            f"{layout.root} has no pair: no image of {layout.images.name}/ has its map in {layout.maps.name}/; a pair "
            "shares its name, without extension"
        )
    return {
        "images": np.stack([pair.image.pixels for pair in pairs]),
        "maps": np.stack([pair.map.pixels for pair in pairs]),
        "facts": np.frombuffer(decoded(names, pairs, scale).to_bytes(), np.uint8),
    }


def alike(read: Sequence[Pair | str]) -> list[Pair | str]:
    """The same, where maps that can be told as grey, or as colour, are brought to what the others are.

    Grey files among colour files that hold no colour: all are grey. Black grey files among coloured ones: black.
    """
    maps = [pair.map for pair in read if isinstance(pair, Pair)]
    if all(one.grey for one in maps) or not any(one.grey for one in maps):
        return list(read)
    if all(one.facts.equal for one in maps):
        return [replace(pair, map=grey(pair.map)) if isinstance(pair, Pair) else pair for pair in read]
    return [replace(pair, map=black(pair.map)) if isinstance(pair, Pair) else pair for pair in read]


def grey(map_: Picture) -> Picture:
    return replace(map_, pixels=map_.pixels[:1])


def black(map_: Picture) -> Picture:
    hollow = map_.grey and map_.facts.highest == 0
    return replace(map_, pixels=np.repeat(map_.pixels, 3, axis=0)) if hollow else map_


def problems_in(names: Sequence[str], read: Sequence[Pair | str]) -> list[Problem]:
    """What decoding found: files that are no pictures, shapes that disagree, grey maps among coloured ones."""
    problems = [Problem(name, pair) for name, pair in zip(names, read, strict=True) if isinstance(pair, str)]
    grey = {name: pair.map.grey for name, pair in zip(names, read, strict=True) if isinstance(pair, Pair)}
    mostly_grey = 2 * sum(grey.values()) > len(grey)
    odd = "a colour map among grey maps" if mostly_grey else "a grey map among colour maps"
    return problems + [Problem(name, odd) for name, is_grey in grey.items() if is_grey != mostly_grey]


def code(coding: Coding | Literal["auto"], maps: np.ndarray, seen: Decoded) -> tuple[Coding, np.ndarray]:
    """The coding for these maps, N x M x S x S, and the maps: one channel where colour files hold no colour.

    Raises ConfigurationError where the two do not fit.
    """
    channels = maps.shape[1]
    if coding == "auto":
        return ("grey" if channels == 1 else "rg"), maps
    if coding == "grey" and seen.maps.equal == seen.maps.files:
        return coding, np.ascontiguousarray(maps[:, :1])
    if (coding == "grey") != (channels == 1):
        kind, fitting = ("grey", "grey") if channels == 1 else ("colour", "rg or rgb")
        raise ConfigurationError(f"data.coding={coding} does not fit {kind} maps: use auto or {fitting}")
    return coding, maps


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
        raise DataError(f"{layout.root} has {len(train)} training pair(s): at least {wanted} are needed")
    if not test:
        train, test = carve(train, test_fraction, seed, scanned.categories)
    if not validation:
        train, validation = carve(train, validation_fraction, seed, scanned.categories)
    return {"train": train, "validation": validation, "test": test}
