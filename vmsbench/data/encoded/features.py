"""What an encoder saw in the pictures: computed once, in several fixed views of each, and kept next to the pairs.

    FOLDER/features-KEY.npy   float16, N x V x F: N pictures of a split in V views, all maps of a view in a row; KEY is
                              a digest of the data's digest, the split, the encoder, its size and the views

Views 2 k and 2 k + 1 are a picture and its mirror image: as they are for k = 0, turned, scaled and moved for k > 0, by
amounts drawn from the picture's name. Validation and test pictures have the first two alone.
"""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vmsbench.data.augmentation import resampled, rows_of
from vmsbench.data.cache import Cache, digest_of
from vmsbench.data.decoding import VERSION, read
from vmsbench.errors import ConfigurationError
from vmsbench.files import log

AT_ONCE = 16  # pictures; more are no faster on a CPU
TOGETHER = 4 * AT_ONCE  # pictures that one process takes upon itself while others look at others
DEGREES, SCALE, SHIFT = 10.0, 1.2, 0.1  # of the fixed warps, as `Warp` has them

Progress = Callable[[str, int, int], None]
"""Called with a split, the number of its pictures that this process has encoded so far, or that are at last, and their
total."""


def unwatched(split: str, done: int, total: int) -> None:
    """The progress of whoever does not look."""


def logged(folder: Path) -> Progress:
    """Lines in the folder's log and on the log when an encoder begins with a split, how long it takes, and its end."""
    started = 0.0

    def progress(split: str, done: int, total: int) -> None:
        nonlocal started
        if done == 0:
            started = time.perf_counter()
            say(folder, f"the encoder computes features of {total} {split} pictures, once; they are kept in the cache")
        elif done == min(AT_ONCE, total) < total:
            seconds = (time.perf_counter() - started) * (total / done - 1)
            say(folder, f"about {seconds:.0f} s more for one process; those that wait for them help")
        elif done == total:
            say(folder, f"features of {total} {split} pictures: {time.perf_counter() - started:.0f} s")

    return progress


def say(folder: Path, text: str) -> None:
    log(folder, text)
    logging.getLogger("vmsbench").warning(text)


class Encodes(Protocol):
    """What is asked of an encoder; see vmsbench.networks.encoder."""

    size: int
    warps: int
    channels: tuple[int, ...]

    @property
    def sides(self) -> tuple[int, ...]: ...

    @property
    def fingerprint(self) -> str: ...

    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]: ...


@dataclass(frozen=True)
class Features:
    """What an encoder saw in B images: B x C x H x W for each stride; nothing where there is no encoder.

    mirrored   the same of their mirror images, where a model may ask for those
    """

    maps: tuple[Tensor, ...] = ()
    mirrored: tuple[Tensor, ...] = ()

    def flip(self) -> "Features":
        return Features(self.mirrored, self.maps)

    def nothing(self) -> "Features":
        """Nothing seen (zeros) in any image."""
        return self.each(torch.zeros_like)

    def without(self, which: Tensor) -> "Features":
        """Nothing seen (zeros) in the images chosen by B x 1 x 1 x 1 booleans."""
        return self.each(lambda map_: map_.masked_fill(which, 0.0))

    def at(self, chosen: Tensor) -> "Features":
        """Those of some of the images, chosen by their places."""
        return self.each(lambda map_: map_[chosen.to(map_.device)])

    def split(self, size: int, count: int) -> "list[Features]":
        """Those of B = `count` images in parts of `size`."""
        starts = range(0, count, size)
        return [self.each(lambda map_, start=start: map_[start : start + size]) for start in starts]  # type: ignore[misc]

    def through(self, change: Callable[[Sequence[Tensor]], tuple[Tensor, ...]]) -> "Features":
        """All maps of the images changed at once, and those of their mirror images, where there are any."""
        return Features(change(self.maps), change(self.mirrored) if self.mirrored else ())

    def each(self, change: Callable[[Tensor], Tensor]) -> "Features":
        return Features(tuple(map(change, self.maps)), tuple(map(change, self.mirrored)))


@dataclass(frozen=True)
class Views:
    """The features of N pictures in V views, held where the pairs are.

    values   float16, R x V x F; on the CPU read from the disk as they are needed
    rows     which of the R, N
    warps    R x V x 2 x 3, how each view was made of its picture: rows of the inverse map, as affine_grid has them
    shapes   (channels, side) of each stride
    """

    values: Tensor
    rows: Tensor
    warps: Tensor
    shapes: tuple[tuple[int, int], ...]

    def to(self, device: torch.device | str) -> "Views":
        return Views(self.values.to(device), self.rows.to(device), self.warps.to(device), self.shapes)

    def subset(self, chosen: Tensor) -> "Views":
        return Views(self.values, self.rows[chosen], self.warps, self.shapes)

    @property
    def count(self) -> int:
        """V."""
        return self.values.shape[1]

    def maps(self, chosen: Tensor, view: Tensor | int) -> tuple[Tensor, ...]:
        """Each stride's, in float32, of B pictures in one view each."""
        flat = self.values[self.rows[chosen], view].float()
        parts = flat.split([channels * side * side for channels, side in self.shapes], dim=1)
        return tuple(part.unflatten(1, (c, s, s)) for part, (c, s) in zip(parts, self.shapes, strict=True))

    def features(self, chosen: Tensor) -> Features:
        """Of pictures as they are, and of their mirror images."""
        return Features(self.maps(chosen, 0), self.maps(chosen, 1))

    def warp(self, chosen: Tensor, view: Tensor) -> Tensor:
        """B x 2 x 3: how those views were made."""
        return self.warps[self.rows[chosen], view]

    @torch.no_grad()
    def moments(self, change: Callable[[Features], Features] = lambda kept: kept) -> list[tuple[Tensor, Tensor]]:
        """Mean and deviation of each channel over pictures and pixels, for each stride: C each.

        change   what is made of the kept features first
        """
        order = torch.arange(len(self.rows), device=self.rows.device)
        sums: list[tuple[Tensor, Tensor]] = []
        for chosen in order.split(64):
            maps = change(Features(self.maps(chosen, 0))).maps
            found = [(m.mean(dim=(2, 3)).sum(0), m.square().mean(dim=(2, 3)).sum(0)) for m in maps]
            sums = [(a + c, b + d) for (a, b), (c, d) in zip(sums, found, strict=True)] if sums else found
        means = [(one / len(order), two / len(order)) for one, two in sums]
        return [(mean, (square - mean.square()).clamp(min=0).sqrt()) for mean, square in means]


@dataclass(frozen=True)
class Look:
    """Pictures that an encoder is to look at.

    split      train, validation or test
    key        of the data: its digest
    names      of the pictures
    images     uint8, N x 3 x S x S: what is looked at where a picture's file is not known
    files      name -> file
    """

    split: str
    key: str
    names: Sequence[str]
    images: Tensor
    files: Mapping[str, Path]


def look(at: Look, encoder: Encodes, cache: str | Path | None, device: torch.device, progress: Progress) -> Views:
    """The encoder's features of pictures, from the cache where it has them; processes of a machine that need them at
    the same time compute them together."""
    views = 2 * (1 + encoder.warps * (at.split == "train"))
    warps = torch.stack([torch.stack([rows_for(name, view) for view in range(views)]) for name in at.names])
    shapes = tuple(zip(encoder.channels, encoder.sides, strict=True))
    shape = (len(at.names), views, sum(channels * side * side for channels, side in shapes))

    done = 0

    def blocks(rows: range) -> Iterator[np.ndarray]:
        nonlocal done
        for start in range(rows.start, rows.stop, AT_ONCE):
            if done == 0:
                progress(at.split, 0, shape[0])
            chosen = range(start, min(start + AT_ONCE, rows.stop))
            yield seen(at, chosen, warps, encoder, device)
            done += len(chosen)
            progress(at.split, done, shape[0])

    if cache is None:
        values = np.concatenate(list(blocks(range(shape[0]))))
    else:
        key = digest_of(at.key, at.split, encoder.fingerprint, str((encoder.size, views, VERSION)), *at.names)
        values = Cache(cache).mapped(key, shape, blocks, TOGETHER)
        if 0 < done < shape[0]:
            progress(at.split, shape[0], shape[0])
    return Views(torch.from_numpy(values), torch.arange(len(at.names)), warps, shapes)


def seen(at: Look, chosen: Sequence[int], warps: Tensor, encoder: Encodes, device: torch.device) -> np.ndarray:
    """float16, B x V x F: all views of a few pictures."""
    pictures = torch.stack([large(at, index, encoder.size) for index in chosen]).to(device).float().div_(255)
    views = []
    for view in range(warps.shape[1]):
        moved = pictures if view == 0 else pictures.flip(-1) if view == 1 else resampled(pictures, warps[chosen, view])
        maps = encoder(moved)
        check_shapes(encoder, maps)
        views.append(torch.cat([map_.flatten(1) for map_ in maps], dim=1))
    return halved(torch.stack(views, dim=1)).cpu().numpy()


def check_shapes(encoder: Encodes, maps: Sequence[Tensor]) -> None:
    """Raises ConfigurationError where an encoder's maps are not as it says."""
    said = [(channels, side, side) for channels, side in zip(encoder.channels, encoder.sides, strict=True)]
    made = [tuple(map_.shape[1:]) for map_ in maps]
    if made != said:
        raise ConfigurationError(
            f"{type(encoder).__name__} says that its maps are {said} (channels, height, width) and makes {made}: its "
            "`channels` are to be theirs"
        )


def halved(values: Tensor) -> Tensor:
    """In float16, in which features are kept: a model is given that precision wherever they come from."""
    most = torch.finfo(torch.float16).max
    return values.clamp(-most, most).half()


def large(at: Look, index: int, size: int) -> Tensor:
    """A picture, uint8, 3 x size x size: read from its file, else enlarged."""
    name = at.names[index]
    if name in at.files:
        pixels = torch.from_numpy(read(at.files[name], size).pixels.copy())
        return pixels.expand(3, -1, -1)
    return enlarged(at.images[index][None].cpu(), size)[0]


def enlarged(images: Tensor, size: int) -> Tensor:
    """uint8, N x 3 x S x S, as N x 3 x size x size."""
    if images.shape[-1] == size:
        return images
    resized = functional.interpolate(images.float(), size=(size, size), mode="bilinear", antialias=True)
    return resized.round().clamp(0, 255).byte()


def seen_now(encoder: Encodes, pictures: Tensor, mirrored: bool = True) -> Features:
    """What an encoder sees in uint8 pictures, N x 3 x S x S, and where asked for in their mirror images; nothing kept.

    Pictures of another size than it looks at are resized, so give it large ones.
    """
    if not encoder.channels:
        return Features()
    shown = enlarged(pictures, encoder.size).float().div_(255)
    return Features(encoder(shown), encoder(shown.flip(-1)) if mirrored else ()).each(lambda map_: halved(map_).float())


def rows_for(name: str, view: int) -> Tensor:
    """2 x 3: the inverse map of a view, drawn from the name and the number of the view alone."""
    mirror = torch.tensor([[-1.0 if view % 2 else 1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    if view < 2:
        return mirror
    seed = int.from_bytes(hashlib.sha256(f"{name}/{view}".encode()).digest()[:8], "big") >> 1
    angle, size, right, down = (2 * torch.rand(4, 1, generator=torch.Generator().manual_seed(seed)) - 1).unbind()
    (rows,) = rows_of(angle * math.radians(DEGREES), SCALE**size, SHIFT * right, SHIFT * down)
    return torch.cat([mirror[:, :2] @ rows[:, :2], mirror[:, :2] @ rows[:, 2:]], dim=1)
