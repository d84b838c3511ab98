"""Several trials at once on one device, against the same one after another."""

import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch
from torch import multiprocessing

from vmsbench.accelerators import backends
from vmsbench.bench.result import Measurement, settle
from vmsbench.bench.throughput import measured
from vmsbench.config.settings import Config

EPOCHS = 5


def packing(config: Config, folder: Path, trials: int) -> list[Measurement]:
    """A trial alone, then `trials` at once, each in its own process with one thread."""
    alone, together = (trained(config, folder / str(count), count) for count in (1, trials))
    gpu = bool(backends())
    name = f"{trials} trials at once / one after another"
    how = "vmsbench bench packing --trials 8 device=cuda"
    measured_here = Measurement(name, trials * alone / together, "x", least=4 if gpu and trials == 8 else None)
    return (
        [measured_here]
        if gpu
        else [measured_here, Measurement("8 trials at once on one GPU", None, "x", least=4, how=how)]
    )


def trained(config: Config, folder: Path, count: int) -> float:
    """Seconds from when all are ready until the last has trained its epochs."""
    context = multiprocessing.get_context("spawn")
    barrier, ends = context.Barrier(count + 1), context.Queue()
    trials = [
        context.Process(target=train, args=(config, folder / str(number), barrier, ends)) for number in range(count)
    ]
    for trial in trials:
        trial.start()
    barrier.wait()
    start = time.perf_counter()
    for _ in trials:
        ends.get()
    seconds = time.perf_counter() - start
    for trial in trials:
        trial.join()
    return seconds


def train(config: Config, folder: Path, barrier: Barrier, ends: Any) -> None:
    torch.set_num_threads(1)
    experiment = measured(config, folder)
    experiment.training.epoch()
    settle()
    barrier.wait()
    for _ in range(EPOCHS):
        experiment.training.epoch()
    settle()
    ends.put(folder.name)
