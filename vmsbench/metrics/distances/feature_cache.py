"""Maps as the pictures that a network sees, and its features of them, kept by their content."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from vmsbench.files import read_from
from vmsbench.metrics.scores import check_unit

Features = dict[int, Tensor]
"""By their dimensions: float32 N x d, on the CPU."""


def as_bytes(images: Tensor) -> Tensor:
    """Bytes, or floats in [0, 1] rounded to the 256 levels of a picture file. Raises UserError for other floats."""
    if images.dtype == torch.uint8:
        return images
    check_unit(images, "maps for a network")
    return images.float().mul(255).round().clamp(0, 255).byte()


def as_rgb(images: Tensor) -> Tensor:
    """N x 3 x H x W: one channel repeated, two padded with blue = 0."""
    channels = images.shape[1]
    if channels == 1:
        return images.expand(-1, 3, -1, -1)
    return functional.pad(images, (0, 0, 0, 0, 0, 3 - channels))


def cached(cache: Path | None, network: str, which: str, images: Tensor, extract: Callable[[], Features]) -> Features:
    """What `extract` finds in the images (bytes), from the folder `cache` where it was found before.

    network     opens the file's name; with `which`, its weights, and the images' bytes it is the key
    """
    if cache is None:
        return extract()
    digest = hashlib.sha256(f"{which} {tuple(images.shape)}".encode())
    digest.update(images.cpu().contiguous().numpy().tobytes())
    file = cache / f"{network}-{digest.hexdigest()[:24]}.pt"
    if file.is_file():
        loaded: Features = read_from(file, partial(torch.load, weights_only=True))
        return loaded
    found = extract()
    _save(found, file)
    return found


def _save(found: Features, file: Path) -> None:
    """Written under a temporary name, then renamed: a kill leaves the whole file or none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as temporary:
        torch.save(found, temporary)
        temporary.flush()
        os.fsync(temporary.fileno())
    os.replace(temporary.name, file)
