"""The measurements of `vmsbench bench`, by name: each yields its rows once they are measured, in a temporary folder."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vmsbench.bench.data_loading import reading
from vmsbench.bench.latency import waiting
from vmsbench.bench.result import Measurement
from vmsbench.config.compose import compose, leaves
from vmsbench.config.families import families
from vmsbench.config.settings import Config, with_settings
from vmsbench.search.configured import experiment_part

TURNS = 20  # in training: with fewer turns, noise decides between nearly equal ones
SIZES = ("model.network.width", "model.discriminator.width", "trainer.batch_size")


@contextmanager
def temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def small(exp: str, *overrides: str) -> Config:
    """The experiment with batches of 16 and, where they have one, networks of width 16, by default."""
    settings = compose(exp, ["data=standin", *overrides])
    given = {override.partition("=")[0] for override in overrides}
    own = {path: 16 for path in SIZES if path in set(leaves(settings)) - given}
    return experiment_part(with_settings(settings, own))


def train(*overrides: str, exp: str | None = None, rounds: int = TURNS) -> Iterator[Measurement]:
    """Training against the bare step, a DataLoader and diffusers."""
    from vmsbench.bench.throughput import against_a_loader, against_diffusers, against_the_limit

    exps = (exp,) if exp else tuple(families())
    with temporary() as folder:
        for one in exps:
            yield from against_the_limit(small(one, *overrides), folder / one, rounds)
        if "unet" in exps:
            yield from against_a_loader(small("unet", *overrides), folder / "loader", rounds)
        if "diffusion" in exps:
            yield from against_diffusers(small("diffusion", *overrides), folder / "diffusers", max(1, rounds // 2))


def sample(*overrides: str, batch: int = 16, rounds: int = 3) -> Iterator[Measurement]:
    """Sampling by diffusion against bare forward passes."""
    from vmsbench.bench.sampling import sampling

    with temporary() as folder:
        yield from sampling(small("diffusion", *overrides), folder, batch, rounds)


def data(*, pairs: int = 1600, size: int = 64) -> Iterator[Measurement]:
    """First and later reads of data as large as VISCHEMA PLUS."""
    with temporary() as folder:
        yield from reading(folder, pairs, size)


def packing(*overrides: str, trials: int = 8) -> Iterator[Measurement]:
    """Several trials at once on one device, or one by one."""
    from vmsbench.bench.sharing.packing import packing as together

    with temporary() as folder:
        yield from together(small("unet", *overrides), folder, trials)


def neighbours(*overrides: str, exp: str = "unet", rounds: int = 5) -> Iterator[Measurement]:
    """Training next to a busy process on each core, and alone."""
    from vmsbench.bench.sharing.neighbours import neighbours as next_to

    with temporary() as folder:
        yield from next_to(small(exp, *overrides), folder, rounds)


def precision(
    *overrides: str, exp: str | None = None, seeds: int = 8, on_progress: Callable[[str], None] = lambda line: None
) -> Iterator[Measurement]:
    """Whether bf16 changes scores less than another seed. The demonstration's models are trained."""
    from vmsbench.bench.precision import precisions

    with temporary() as folder:
        for one in (exp,) if exp else tuple(families()):
            chosen = ["data=standin", "preset=demo", *(families()[one].demo or ())]
            config = experiment_part(compose(one, [*chosen, *overrides]))
            yield from precisions(config, folder / one, seeds, on_progress)


def faces() -> Iterator[Measurement]:
    """Seconds for --help, for a plan, and for a report of 100 trials."""
    with temporary() as folder:
        yield from waiting(folder)


def journal(*, trials: int = 10_000) -> Iterator[Measurement]:
    """How long it takes to continue a sweep of many trials."""
    from vmsbench.bench.journal_replay import measure

    with temporary() as folder:
        times = measure(folder, trials)
    yield Measurement(f"continuing a sweep of {times.trials} trials", times.rebuild, "s", most=10)
    yield Measurement("  its curves, for early stopping", times.curves, "s")
    yield Measurement("  its status", times.status, "s")


def overhead(*, trials: int = 40, slots: int = 2) -> Iterator[Measurement]:
    """The overhead of a trial in Ray."""
    from vmsbench.bench.overhead import measure

    with temporary() as folder:
        seen = measure(folder, max(trials, 2 * slots), slots)
    yield Measurement("Ray's start", seen.start, "s")
    yield Measurement("the first trial's, with its process", seen.first, "s")
    yield Measurement(f"a further empty trial, {slots} at once", seen.each, "s", most=0.3)


def thesis() -> Iterator[Measurement]:
    """What needs a day of a GPU: its command."""
    how = "vmsbench tune --exp gan preset=seed space=seed_coordinate pruner=none --per-gpu 8, then vmsbench status"
    yield Measurement("the thesis's GAN search on one H200", None, "min", most=15, how=how)


def everything() -> Iterator[Measurement]:
    """All but precision, which takes hours."""
    for rows in (train(), sample(), data(), packing(trials=2), neighbours(), faces(), overhead(), journal(), thesis()):
        yield from rows


MEASUREMENTS: dict[str, Callable[..., Iterator[Measurement]]] = {
    one.__name__: one for one in (train, sample, data, packing, neighbours, precision, faces, journal, overhead)
}
