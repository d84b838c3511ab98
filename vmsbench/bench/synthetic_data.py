"""Training data where only speed matters: random bytes, and folders of JPEG files as large as the dataset's."""

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vmsbench.data.pairs import Dataset, Pairs

DISTINCT = 40
QUALITY = 90


def noise(count: int, size: int) -> Dataset:
    """`count` pairs of random bytes to train on, and a few for validation."""
    return Dataset(pairs(count, size), pairs(8, size), pairs(8, size), "rg", "noise", f"noise, {size} px")


def pairs(count: int, size: int) -> Pairs:
    images, maps = (torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8) for _ in range(2))
    return Pairs(tuple(map(str, range(count))), images, maps)


def photographs(folder: Path, count: int, size: int = 700) -> Path:
    """A folder as VISCHEMA PLUS is released, with `count` pairs of size x size px; a file is written many times over.

    Pictures are noise with the spectrum of photographs, amplitude 1 / frequency (Field 1987), so that decoding them
    takes as long as for photographs.
    """
    names = [f"{number:05d}.jpg" for number in range(count)]
    chance = np.random.default_rng(0)
    for part in ("images", "vms"):
        (folder / part).mkdir(parents=True)
        files = [jpeg(chance, size) for _ in range(min(count, DISTINCT))]
        for number, name in enumerate(names):
            (folder / part / name).write_bytes(files[number % DISTINCT])
    tests = max(1, count // 5)
    for file, lines in (("viscplus_train.csv", names[tests:]), ("viscplus_val.csv", names[:tests])):
        (folder / file).write_text("\n".join(lines) + "\n")
    return folder


def jpeg(chance: np.random.Generator, size: int) -> bytes:
    frequencies = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequencies[0, 0] = np.inf
    waves = np.fft.rfft2(chance.standard_normal((3, size, size))) / frequencies
    picture = np.fft.irfft2(waves, (size, size))
    pixels = (128 + 50 * picture / picture.std()).clip(0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
