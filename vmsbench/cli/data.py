"""`vmsbench data`: look at data, make a stand-in."""

import time
from pathlib import Path

from vmsbench.data.inspection import check, lines, picture
from vmsbench.data.standin import write_standin


def check_folder(path: Path, images: str | None, maps: str | None, out: Path) -> bool:
    """Print what `path` holds and what is wrong with it, draw eight pairs; False where something is wrong."""
    checked = check(path, images, maps)
    print("\n".join(lines(checked)))
    if len(checked.pairs):
        picture(checked.pairs).save(out)
        print(f"  eight pairs to look at: {out}")
    return checked.good


def make_standin(path: Path, count: int, size: int, seed: int) -> None:
    start = time.monotonic()
    write_standin(path, count, size, seed)
    print(f"{count} pairs of {size} px in {time.monotonic() - start:.0f} s: {path}")
    print(f"next: vmsbench tune --exp unet preset=quick data=vischema data.root={path}")
