"""A dataset layout of one's own: image and map side by side in one picture, as pix2pix has them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vmsbench.data.cache import digest_of
from vmsbench.data.pairs import Dataset, Pairs
from vmsbench.errors import DataError


def side_by_side(
    root: str | Path | None = None,
    size: int = 64,
    cache: str | Path | None = None,
    digest: str | None = None,
) -> Dataset:
    """The pictures root/*.png, 2 : 1, the image on the left: of ten, the first is for tests, the second for tuning."""
    files = sorted(Path(root).glob("*.png")) if root else []
    if len(files) < 10:
        raise DataError(f"data.root={root} holds {len(files)} pictures; at least 10 .png are needed")
    now = digest_of(str(size), *(f"{file.name}:{file.stat().st_size}" for file in files))
    if digest not in (None, now):
        raise DataError(f"the data in {root} changed: their digest is {now}, not {digest}")
    test, validation = files[::10], files[1::10]
    train = [file for file in files if file not in (*test, *validation)]
    parts = (pairs_of(part, size) for part in (train, validation, test))
    return Dataset(*parts, coding="rg", digest=now, title=f"side by side, {size} px")


def pairs_of(files: list[Path], size: int) -> Pairs:
    pictures = np.stack([np.asarray(Image.open(file).convert("RGB").resize((2 * size, size))) for file in files])
    both = torch.from_numpy(pictures).movedim(-1, 1)
    return Pairs(tuple(file.name for file in files), both[..., :size].clone(), both[..., size:].clone())
