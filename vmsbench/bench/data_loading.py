"""Seconds until the data are in memory: decoded for the first time, and from the cache."""

import time
from pathlib import Path

from vmsbench.bench.result import Measurement
from vmsbench.bench.synthetic_data import photographs
from vmsbench.data.vischema import vischema


def reading(folder: Path, pairs: int, size: int) -> list[Measurement]:
    """`pairs` pairs of 700 px JPEG, as VISCHEMA PLUS is released, read to size x size px. The files are in memory."""
    root = photographs(folder / "released", pairs)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        vischema(root, size=size, cache=folder / "cache")
        seconds.append(time.perf_counter() - start)
    return [
        Measurement(f"first read of {pairs} pairs of 700 px", seconds[0], "s", most=20 * pairs / 1600),
        Measurement("later reads", min(seconds[1:]), "s", most=0.3),
    ]
