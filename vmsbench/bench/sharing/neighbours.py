"""Training next to other busy processes, against the same training alone on the machine.

Every contestant is a process that trains when it is its turn; turns alternate with and without a busy process on each
core, so that whatever else runs here slows both alike. All are at this process's own niceness.
"""

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from vmsbench.bench.result import Measurement
from vmsbench.config.settings import Config
from vmsbench.processes import SETTINGS

TURN = 2.0  # seconds of each turn: many of the scheduler's time slices
SPINNING = {"GOMP_SPINCOUNT": "300000"}  # libgomp's own choice where nothing is set
GIVING_BACK = {"GLIBC_TUNABLES": "glibc.malloc.check=0"}  # changes nothing but that freed memory is given back
THREADS, SPUN, TRIAL, GIVEN_BACK = "all cores", "all cores, spinning", "one thread", "one thread, memory given back"


@dataclass(frozen=True)
class Turn:
    """What a contestant did in a turn: epochs a second, and CPU seconds an epoch."""

    speed: float
    cpu: float


def neighbours(config: Config, folder: Path, rounds: int) -> list[Measurement]:
    """Training next to a busy process per core; alone, what threads that sleep cost, and memory that is kept gives."""
    cores = len(os.sched_getaffinity(0))
    quiet, busy = take_turns(config, folder, rounds, cores)

    def ratio(one: list[Turn], other: list[Turn]) -> float:
        return statistics.median(a.speed / b.speed for a, b in zip(one, other, strict=True))

    more = statistics.median(a.cpu / b.cpu for a, b in zip(busy[THREADS], quiet[THREADS], strict=True))
    return [
        Measurement("training next to a busy process per core / quiet", ratio(busy[THREADS], quiet[THREADS]), "x", 0.4),
        Measurement("  its CPU time, next to / quiet", more, "x"),
        Measurement("  a trial of one thread, next to / quiet", ratio(busy[TRIAL], quiet[TRIAL]), "x", 0.4),
        Measurement("  with threads that spin, next to / quiet", ratio(busy[SPUN], quiet[SPUN]), "x"),
        Measurement("alone: threads that sleep / that spin", ratio(quiet[THREADS], quiet[SPUN]), "x", 0.97),
        Measurement("alone: freed memory kept / given back", ratio(quiet[TRIAL], quiet[GIVEN_BACK]), "x", 0.97),
    ]


def take_turns(
    config: Config, folder: Path, rounds: int, cores: int
) -> tuple[dict[str, list[Turn]], dict[str, list[Turn]]]:
    """The turns of each contestant, without and with busy processes; one round before is not counted."""
    makes: dict[str, tuple[int, Mapping[str, str]]] = {
        THREADS: (cores, {}),
        SPUN: (cores, SPINNING),
        TRIAL: (1, {}),
        GIVEN_BACK: (1, GIVING_BACK),
    }
    quiet: dict[str, list[Turn]] = {name: [] for name in makes}
    shared: dict[str, list[Turn]] = {name: [] for name in makes}
    with contextlib.ExitStack() as stack:
        contestants = {
            name: stack.enter_context(contestant(config, folder / str(number), *make))
            for number, (name, make) in enumerate(makes.items())
        }
        busy = stack.enter_context(busy_processes(cores))
        for number in range(rounds + 1):
            for found, run in ((quiet, signal.SIGSTOP), (shared, signal.SIGCONT)):
                for process in busy:
                    process.send_signal(run)
                for name, pipe in contestants.items():
                    pipe.send(TURN)
                    turn = Turn(*pipe.recv())
                    if number:
                        found[name].append(turn)
    return quiet, shared


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that compute all the time, stopped at first."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        for process in busy:
            process.send_signal(signal.SIGSTOP)
        yield busy
    finally:
        for process in busy:
            process.kill()
            process.wait()


@contextlib.contextmanager
def contestant(config: Config, folder: Path, threads: int, environment: Mapping[str, str]) -> Iterator[Connection]:
    """A process with its own environment that trains for as many seconds as it is sent."""
    here, there = get_context("spawn").Pipe()
    kept = {
        name: os.environ.pop(name, None) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "GLIBC_TUNABLES", *SETTINGS)
    }
    os.environ.update(environment)
    try:
        process = get_context("spawn").Process(target=train, args=(config, folder, threads, there), daemon=True)
        process.start()
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    try:
        yield here
    finally:
        process.kill()
        process.join()


def train(config: Config, folder: Path, threads: int, pipe: Any) -> None:
    """Answer each number of seconds with the epochs a second that were trained, and the CPU seconds of each."""
    import torch

    from vmsbench.bench.throughput import measured

    torch.set_num_threads(threads)
    experiment = measured(config, folder)
    while True:
        seconds, start, cpu, epochs = pipe.recv(), time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - start < seconds:
            experiment.training.epoch()
            epochs += 1
        pipe.send((epochs / (time.perf_counter() - start), (time.process_time() - cpu) / epochs))
