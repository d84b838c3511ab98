"""Maps for picture files of any size: predicted at the model's size, written back at the picture's own."""

import errno
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vmsbench.data.decoding import UnreadableFile, open_upright
from vmsbench.data.rendering import overlay
from vmsbench.data.sources.names import is_text, printable
from vmsbench.data.sources.provenance import source
from vmsbench.data.sources.walking import remarks, walk
from vmsbench.errors import UserError
from vmsbench.files import check_place, replace
from vmsbench.inference.maps import Read, coloured, resized, seen, shrunk, together
from vmsbench.inference.predictor import MapPredictor

KINDS = ("maps", "overlays", "uncertainty")  # the folders that a Writer fills
OF_ONE_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EISDIR)  # errors that another name would not have
MOST_SPREAD = 127.5  # the standard deviation of bytes that are 0 and 255 equally often: white in uncertainty maps


@dataclass(frozen=True)
class Found:
    """Pictures to predict: each file with the name that its map gets, without suffix.

    account   what was found, in words
    warnings  what is out of the ordinary
    unread    folders that cannot be entered, each with the reason
    """

    files: list[tuple[Path, str]]
    account: str
    warnings: tuple[str, ...] = ()
    unread: tuple[tuple[Path, str], ...] = ()


def find(path: Path, out: Path) -> Found:
    """The pictures at `path`, a file or a folder with its sub-folders.

    Links are followed. What lies in `out` is skipped: it was made from the rest. Names whose stems are equal keep
    their suffix. Raises UserError where there is nothing.
    """
    if path.is_file():
        return Found([(path, path.stem)], "one picture")
    if not path.is_dir():
        missing = "is neither a file nor a folder" if path.exists() else "does not exist"
        raise UserError(f"{path} {missing}: give a picture, or a folder of pictures")
    made = [out / kind for kind in KINDS] if out.exists() and out.samefile(path) else [out]
    found = walk(path, without=made)
    bad = [path / problem.name for problem in found.problems if not problem.name.endswith("/")]
    unread = tuple((path / one.name, one.reason) for one in found.problems if one.name.endswith("/"))
    if not found.files and not bad:
        also = "".join(f"; {printable(str(folder))}/ {reason}" for folder, reason in unread)
        raise UserError(f"no pictures in {path}: .jpg, .png, .bmp, .tif, .webp and .gif are read{also}")
    files = {file: file.relative_to(path).as_posix() for file in sorted([*found.files, *bad])}
    times = Counter(os.path.splitext(name)[0] for name in files.values())
    whole = {name for name in files.values() if times[os.path.splitext(name)[0]] > 1}
    named = [
        (file, name if name in whole or os.path.splitext(name)[0] in whole else os.path.splitext(name)[0])
        for file, name in files.items()
    ]
    return Found(named, "; ".join(source(found).words()), tuple(remarks(found)), unread)


def map_of(predictor: MapPredictor, image: np.ndarray[Any, Any], samples: int = 1) -> np.ndarray[Any, Any]:
    """The map of an image, both uint8, H x W x 3: in the dataset's colours, the median where there are more samples."""
    small, large = (shrunk(Image.fromarray(image), size or predictor.size)[None] for size in predictor.sizes)
    map_ = coloured(predictor(small, samples, predictor.features_of(large).at)[0], image.shape[1], image.shape[0])
    return np.ascontiguousarray(map_.permute(1, 2, 0).numpy())


@final
class Writer:
    """Writes predictions into a folder:

    maps/NAME.png           in the dataset's colours, as large as the picture; of several samples their median
    overlays/NAME.png       the same on the picture, dimmed and grey
    uncertainty/NAME.png    where the model samples: the standard deviation of its samples, the mean over the
                            channels, white for 0.5 (the most there can be; maps lie in [0, 1])
    predictions.npz         with `keep`: names, and predictions at the model's size, uint8, N x K x C x S x S
                            (N x C x S x S where K = 1), as `vmsbench evaluate` reads them

    odd  what is to be known of pictures -> the files that it concerns
    """

    def __init__(self, out: Path, keep: bool = False) -> None:
        check_place(out)
        self.out, self.keep = out, keep
        self.odd: dict[str, list[str]] = {}
        self.names: list[str] = []
        self.kept: list[np.ndarray[Any, Any]] = []

    def write(self, file: Path, name: str, picture: Read, samples: Tensor) -> None:
        """`samples`: uint8, K x C x S x S of one picture. Grey maps are written grey.

        Raises UnreadableFile where this picture alone fails, UserError where nothing can be written.
        """
        size = (picture.width, picture.height)
        map_ = coloured(samples, *size)
        image = torch.from_numpy(np.asarray(open_upright(file).convert("RGB")).copy()).permute(2, 0, 1)
        self.save("maps", name, map_[:1] if samples.shape[1] == 1 else map_)
        self.save("overlays", name, overlay(image, map_))
        if len(samples) > 1:
            spread = samples.float().std(dim=0, correction=0).mean(dim=0, keepdim=True)
            self.save("uncertainty", name, resized((spread / MOST_SPREAD * 255).round().byte(), *size))
        if self.keep:
            self.names.append(name)
            self.kept.append(samples.numpy() if len(samples) > 1 else samples[0].numpy())

    def save(self, kind: str, name: str, pixels: Tensor) -> None:
        path = self.out / kind / f"{name}.png"
        picture = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).squeeze(-1).numpy()))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, lambda file: picture.save(file, format="PNG"))
        except OSError as error:
            if error.errno in OF_ONE_NAME:
                raise UnreadableFile(f"its map cannot be written ({error.strerror})") from error
            raise unwritable(self.out, error) from error

    def close(self) -> None:
        if not self.kept:
            return

        def write(file: BinaryIO) -> None:
            np.savez_compressed(file, names=np.array(self.names), predictions=np.stack(self.kept))

        try:
            replace(self.out / "predictions.npz", write)
        except OSError as error:
            raise unwritable(self.out, error) from error


def unwritable(out: Path, error: OSError) -> UserError:
    return UserError(f"{out} cannot be written ({error.strerror or error}); choose another folder by --out")


def predict(
    predictor: MapPredictor, pictures: Sequence[tuple[Path, str]], writer: Writer, samples: int
) -> Iterator[tuple[Path, str]]:
    """Predict and write the maps of all pictures; yields each file with an empty text, or the reason why it failed.

    A model that samples is given one picture at a time, so that a picture's maps do not depend on the others.
    """
    at_once = 1 if predictor.random else predictor.batch_size
    for start in range(0, len(pictures), at_once):
        readable: list[tuple[Path, str, Read]] = []
        for file, name in pictures[start : start + at_once]:
            if not is_text(str(file)):
                yield Path(printable(str(file))), "its name is not UTF-8: rename it"
                continue
            try:
                readable.append((file, name, seen(file, predictor.sizes)))
            except UnreadableFile as error:
                yield file, str(error)
        if not readable:
            continue
        pixels, large = together([picture for _, _, picture in readable])
        maps = predictor(pixels, samples, predictor.features_of(large).at)
        for (file, name, picture), drawn in zip(readable, maps, strict=True):
            try:
                writer.write(file, name, picture, drawn)
            except UnreadableFile as error:
                yield file, str(error)
            else:
                for said in picture.odd:
                    writer.odd.setdefault(said, []).append(file.name)
                yield file, ""
    writer.close()
