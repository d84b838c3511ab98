"""What every dataset promises: three splits with no pair in two of them, bytes of one size, and a stable digest."""

from collections.abc import Callable
from pathlib import Path

import torch

from vmsbench.config.instantiate import accepted
from vmsbench.data.pairs import CHANNELS, Dataset, Pairs
from vmsbench.errors import DataError


def dataset_contract(make: Callable[..., Dataset], folder: Path) -> None:
    """`make(root=..., cache=..., digest=...)` reads a dataset; further arguments are bound, as by `partial`.

    folder   an empty folder for the cache
    """
    takes = accepted(make)
    assert {"root", "cache", "digest"} <= set(takes), "a dataset takes root, cache and digest by name"
    one, again = make(cache=folder), make(cache=folder)
    assert one.digest == again.digest, "the same data have another digest"
    assert one.title, "a dataset has a title"
    assert one.coding in CHANNELS, f"coding={one.coding} is none of {', '.join(CHANNELS)}"
    splits_are_apart(one)
    for pairs in (one.train, one.validation, one.test):
        pairs_are_bytes(pairs, one.size, one.channels)
    changed_data_are_refused(make, folder)


def splits_are_apart(data: Dataset) -> None:
    names = [*data.train.names, *data.validation.names, *data.test.names]
    assert len(set(names)) == len(names), "a pair is in two splits"
    assert all(map(len, (data.train, data.validation, data.test))), "a split is empty"


def pairs_are_bytes(pairs: Pairs, size: int, channels: int) -> None:
    assert pairs.images.shape == (len(pairs), 3, size, size), f"images of shape {tuple(pairs.images.shape)}"
    assert pairs.maps.shape[0] == len(pairs), "there is a map for each image"
    assert pairs.maps.shape[1] >= channels, f"the maps have fewer channels than the {channels} that are predicted"
    assert pairs.maps.shape[2:] == (size, size), f"maps of shape {tuple(pairs.maps.shape)}"
    assert pairs.images.dtype == pairs.maps.dtype == torch.uint8, "pixels are bytes"
    assert len(pairs.categories) in (0, len(pairs)), "each image has a category, or none has"


def changed_data_are_refused(make: Callable[..., Dataset], folder: Path) -> None:
    try:
        make(cache=folder, digest="of other data")
    except DataError:
        return
    raise AssertionError("data whose digest is not the one that is given are taken; raise DataError")
