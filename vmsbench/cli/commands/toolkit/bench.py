"""`vmsbench bench`: measurements of vmsbench itself. Heavy imports happen inside the commands."""

import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vmsbench.cli.options import ConfigDir
from vmsbench.config.families import families

if TYPE_CHECKING:
    from vmsbench.bench.recorded_curves import Recorded
    from vmsbench.bench.result import Measurement

app = typer.Typer(help="Measure the toolkit itself.", invoke_without_command=True, rich_markup_mode=None)

Runs = Annotated[Path, typer.Option("--runs", envvar="VMSBENCH_RUNS", help="The folder of all sweeps.")]
Source = Annotated[
    str, typer.Argument(help="A sweep of searcher=grid searcher.repeats=4 pruner=none, or a curves.json.")
]
Out = Annotated[Path, typer.Option(help="Where table and figure are written.")]
Slots = Annotated[int, typer.Option(help="Trials at once.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Worlds = Annotated[int, typer.Option(help="Number of simulated worlds.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[OVERRIDE]...", help="As for `tune`.")]
Rounds = Annotated[int, typer.Option(help="Turns of each; the median counts.")]
OneExperiment = Annotated[str | None, typer.Option("--exp", help="One experiment of conf/exp (default: all).")]
TURNS = 20  # in training: with fewer turns, noise decides between nearly equal ones


@app.callback()
def everything(context: typer.Context, as_json: Json = False) -> None:
    """Measure vmsbench itself: all but search, stopping and precision, or one measurement by name."""
    if context.invoked_subcommand is None:
        with tempfile.TemporaryDirectory() as folder:
            parts = [
                training_rows(Path(folder) / "train", [], tuple(families()), TURNS),
                sampling_rows(Path(folder) / "sample", [], 16, 3),
                data_rows(Path(folder) / "data", 1600, 64),
                packing_rows(Path(folder) / "packing", [], 2),
                neighbours_rows(Path(folder) / "neighbours", [], "unet", 5),
                faces_rows(Path(folder) / "faces"),
                overhead_rows(Path(folder) / "overhead", 40, 2),
                journal_rows(Path(folder) / "journal", 10_000),
                thesis_rows(),
            ]
            told = [row for part in parts for row in say(part, quiet=as_json)]
        if as_json:
            typer.echo(json.dumps([row.plain() for row in told], indent=2))


def say(rows: Iterator["Measurement"], quiet: bool = False) -> Iterator["Measurement"]:
    """Print each row when it is measured."""
    for row in rows:
        if not quiet:
            typer.echo(row.line())
        yield row


def tell_rows(rows: Iterator["Measurement"], as_json: bool) -> None:
    told = list(say(rows, quiet=as_json))
    if as_json:
        typer.echo(json.dumps([row.plain() for row in told], indent=2))


@app.command()
def train(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    exp: OneExperiment = None,
    rounds: Rounds = TURNS,
    as_json: Json = False,
) -> None:
    """Training against the bare step, a DataLoader and diffusers."""
    with tempfile.TemporaryDirectory() as folder:
        tell_rows(training_rows(Path(folder), overrides or [], (exp,) if exp else tuple(families()), rounds), as_json)


def training_rows(folder: Path, overrides: list[str], exps: Sequence[str], rounds: int) -> Iterator["Measurement"]:
    from vmsbench.bench.throughput import against_a_loader, against_diffusers, against_the_limit

    for exp in exps:
        yield from against_the_limit(small(exp, overrides), folder / exp, rounds)
    if "unet" in exps:
        yield from against_a_loader(small("unet", overrides), folder / "loader", rounds)
    if "diffusion" in exps:
        yield from against_diffusers(small("diffusion", overrides), folder / "diffusers", max(1, rounds // 2))


def small(exp: str, overrides: list[str]) -> dict[str, Any]:
    """The experiment with batches of 16 and, where they have one, networks of width 16, by default."""
    from vmsbench.config.compose import compose, leaves
    from vmsbench.config.settings import with_settings
    from vmsbench.sweep.tune import experiment_part

    settings = compose(exp, ["data=standin", *overrides])
    given = {override.partition("=")[0] for override in overrides}
    sizes = dict.fromkeys(("model.network.width", "model.discriminator.width", "trainer.batch_size"), 16)
    own = {path: size for path, size in sizes.items() if path in set(leaves(settings)) - given}
    return experiment_part(with_settings(settings, own))


@app.command()
def sample(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    batch: Annotated[int, typer.Option(help="Maps sampled at once.")] = 16,
    rounds: Rounds = 3,
    as_json: Json = False,
) -> None:
    """Sampling by diffusion against bare forward passes."""
    with tempfile.TemporaryDirectory() as folder:
        tell_rows(sampling_rows(Path(folder), overrides or [], batch, rounds), as_json)


def sampling_rows(folder: Path, overrides: list[str], batch: int, rounds: int) -> Iterator["Measurement"]:
    from vmsbench.bench.sampling import sampling

    yield from sampling(small("diffusion", overrides), folder, batch, rounds)


@app.command()
def data(
    pairs: Annotated[int, typer.Option(help="Pairs of 700 px JPEG files.")] = 1600,
    size: Annotated[int, typer.Option(help="Their size after resizing.")] = 64,
    as_json: Json = False,
) -> None:
    """First and later reads of data as large as VISCHEMA PLUS."""
    with tempfile.TemporaryDirectory() as folder:
        tell_rows(data_rows(Path(folder), pairs, size), as_json)


def data_rows(folder: Path, pairs: int, size: int) -> Iterator["Measurement"]:
    from vmsbench.bench.data_loading import reading

    yield from reading(folder, pairs, size)


@app.command()
def packing(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    trials: Annotated[int, typer.Option(help="Trials at once.")] = 8,
    as_json: Json = False,
) -> None:
    """Several trials at once on one device, or one by one."""
    with tempfile.TemporaryDirectory() as folder:
        tell_rows(packing_rows(Path(folder), overrides or [], trials), as_json)


def packing_rows(folder: Path, overrides: list[str], trials: int) -> Iterator["Measurement"]:
    from vmsbench.bench.sharing.packing import packing as together

    yield from together(small("unet", overrides), folder, trials)


@app.command()
def neighbours(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    exp: Annotated[str, typer.Option("--exp", help="The experiment that is trained.")] = "unet",
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contestant; the median counts.")] = 5,
    as_json: Json = False,
) -> None:
    """Training next to a busy process on each core, and alone."""
    with tempfile.TemporaryDirectory() as folder:
        tell_rows(neighbours_rows(Path(folder), overrides or [], exp, rounds), as_json)


def neighbours_rows(folder: Path, overrides: list[str], exp: str, rounds: int) -> Iterator["Measurement"]:
    from vmsbench.bench.sharing.neighbours import neighbours as beside

    yield from beside(small(exp, overrides), folder, rounds)


@app.command()
def precision(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    exp: OneExperiment = None,
    seeds: Annotated[int, typer.Option(min=2, help="Trainings in each precision.")] = 8,
    as_json: Json = False,
) -> None:
    """Whether bf16 changes scores less than another seed. The demonstration's models are trained."""
    with tempfile.TemporaryDirectory() as folder:
        tell_rows(precision_rows(Path(folder), overrides or [], (exp,) if exp else tuple(families()), seeds), as_json)


def precision_rows(folder: Path, overrides: list[str], exps: Sequence[str], seeds: int) -> Iterator["Measurement"]:
    from vmsbench.bench.precision import precisions
    from vmsbench.config.compose import compose
    from vmsbench.sweep.tune import experiment_part

    for exp in exps:
        config = experiment_part(compose(exp, ["data=standin", "preset=demo", *overrides]))
        yield from precisions(config, folder / exp, seeds, lambda line: typer.echo(line, err=True))


@app.command()
def faces(as_json: Json = False) -> None:
    """Seconds for --help, and for a report of 100 trials."""
    with tempfile.TemporaryDirectory() as folder:
        tell_rows(faces_rows(Path(folder)), as_json)


def faces_rows(folder: Path) -> Iterator["Measurement"]:
    from vmsbench.bench.latency import waiting

    yield from waiting(folder)


def thesis_rows() -> Iterator["Measurement"]:
    """Measurements that need a day of a GPU."""
    from vmsbench.bench.result import Measurement

    how = "vmsbench tune --exp gan preset=seed space=seed_coordinate pruner=none --per-gpu 8, then vmsbench status"
    yield Measurement("the thesis's GAN search on one H200", None, "min", most=15, how=how)


@app.command()
def search(
    source: Annotated[
        str | None, typer.Argument(help="A sweep or curves.json as for `stopping`; else a formula.")
    ] = None,
    exp: Annotated[str, typer.Option("--exp", help="The experiment whose space the formula scores.")] = "gan",
    space: Annotated[str, typer.Option(help="Which of conf/space the formula scores.")] = "seed_coordinate",
    trials: Annotated[int, typer.Option(help="At most, for each searcher.")] = 80,
    worlds: Worlds = 10,
    slots: Slots = 8,
    out: Out = Path("reports/search"),
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Compare searchers on the same score tables. Best score so far by trials, epochs and billed epochs."""
    import random

    from vmsbench.bench.pruners import shuffled
    from vmsbench.bench.searchers import race, table
    from vmsbench.config.compose import compose
    from vmsbench.config.instantiate import build
    from vmsbench.config.plugins import options
    from vmsbench.report.render.measurements import draw_race
    from vmsbench.search.configured import AROUND
    from vmsbench.search.simulation import synthetic
    from vmsbench.sweep.tune import experiment_part, space_of

    chance = random.Random(0)
    if source is None:
        settings = compose(exp, [f"space={space}"])
        searched = space_of(settings["space"]["parameters"], experiment_part(settings))
        tables = [synthetic(searched, world) for world in range(worlds)]
    else:
        curves = read(source, runs)
        searched, tables = shuffled(curves.space, chance), [curves.draw(chance) for _ in range(worlds)]

    def made(spec: dict[str, Any], world: int) -> Any:
        told = {"trials": min(trials, searched.count()), "seed": world}
        return build(spec | {name: value for name, value in told.items() if name in spec}, space=searched)

    found = {name: compose(exp, [f"searcher={name}"])["searcher"] for name in options("searcher")}
    specs = {name: {own: value for own, value in one.items() if own not in AROUND} for name, one in found.items()}
    searchers = {name: lambda world, spec=spec: made(spec, world) for name, spec in specs.items()}
    rules = {name: build(compose(exp, [f"pruner={name}"])["pruner"]) for name in ("none", "asha")}
    lines = race(searchers, rules, tables, trials, slots)
    text = table(lines, min(line.best[-1] for line in lines))
    out.mkdir(parents=True, exist_ok=True)
    drawn = [(line.searcher, line.rule, line.billed, line.best) for line in lines]
    (out / "search.png").write_bytes(draw_race(drawn, "score"))
    (out / "search.txt").write_text("\n".join([*text, "", command()]) + "\n")
    tell([*text, str(out / "search.png")], {"searches": [vars(line) for line in lines]}, as_json)


@app.command()
def slots(
    most: Annotated[int, typer.Option(min=2, help="Slots: 2, 4, 8, ... up to so many.")] = 256,
    worlds: Worlds = 10,
    out: Out = Path("reports/search"),
    as_json: Json = False,
) -> None:
    """How busy a coordinate search keeps its slots. Simulated, with and without extra trials."""
    from vmsbench.bench.searching.slots import row, table
    from vmsbench.config.compose import compose
    from vmsbench.report.render.measurements import draw_slots
    from vmsbench.sweep.tune import experiment_part, space_of

    rows = []
    for exp in ("unet", "gan", "diffusion"):
        settings = compose(exp, ["searcher=coordinate"])
        searched = space_of(settings["space"]["parameters"], experiment_part(settings))
        rows += [row(exp, settings, searched, 2**power, worlds) for power in range(1, most.bit_length())]
    lines = []
    for exp in dict.fromkeys(one.space for one in rows):
        own = [one for one in rows if one.space == exp]
        at = [one.slots for one in own]
        lines += [(exp, False, at, [one.busy for one in own], [one.length for one in own])]
        lines += [(exp, True, at, [one.busy_filled for one in own], [one.length_filled for one in own])]
    text = table(rows)
    out.mkdir(parents=True, exist_ok=True)
    (out / "slots.png").write_bytes(draw_slots(lines))
    (out / "slots.txt").write_text("\n".join([*text, "", command()]) + "\n")
    tell([*text, str(out / "slots.png")], {"slots": [vars(one) for one in rows]}, as_json)


@app.command()
def racing(
    source: Source, worlds: Worlds = 300, slots: Slots = 4, runs: Runs = Path("runs"), as_json: Json = False
) -> None:
    """How often another seed changes the winner. Of one seed, of several, and of a race, on recorded curves."""
    from vmsbench.bench.searching.racing import compare, table

    rows = compare(read(source, runs), [2, 4], worlds, slots)
    tell([*table(rows), "", command()], {"ways": [vars(row) for row in rows]}, as_json)


@app.command()
def stopping(
    source: Source,
    worlds: Worlds = 300,
    slots: Slots = 4,
    out: Out = Path("reports/stopping"),
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """How often early stopping changes the winner. Each pruner, on recorded learning curves."""
    from vmsbench.bench.pruners import compare, table
    from vmsbench.config.compose import compose
    from vmsbench.config.instantiate import build
    from vmsbench.config.plugins import options

    curves = read(source, runs)
    rules = {name: build(compose("unet", [f"pruner={name}"])["pruner"]) for name in options("pruner")}
    rows = compare(curves, rules, worlds, slots)
    out.mkdir(parents=True, exist_ok=True)
    if not source.endswith(".json"):
        curves.save(out / "curves.json")
    again = f"vmsbench bench stopping {out / 'curves.json'} --worlds {worlds} --slots {slots}"
    text = table(curves, rows, worlds, slots, again)
    (out / "README.md").write_text(text)
    tell([text], {"rules": [vars(row) for row in rows]}, as_json)


@app.command()
def journal(
    trials: Annotated[int, typer.Option(help="Trials in the journal.")] = 10_000, as_json: Json = False
) -> None:
    """How long it takes to continue a sweep of many trials."""
    with tempfile.TemporaryDirectory() as folder:
        tell_rows(journal_rows(Path(folder), trials), as_json)


def journal_rows(folder: Path, trials: int) -> Iterator["Measurement"]:
    from vmsbench.bench.journal_replay import measure
    from vmsbench.bench.result import Measurement

    folder.mkdir(exist_ok=True)
    times = measure(folder, trials)
    yield Measurement(f"continuing a sweep of {times.trials} trials", times.rebuild, "s", most=10)
    yield Measurement("  its curves, for early stopping", times.curves, "s")
    yield Measurement("  its status", times.status, "s")


@app.command()
def overhead(
    trials: Annotated[int, typer.Option(help="Number of empty trials.")] = 40, slots: Slots = 2, as_json: Json = False
) -> None:
    """The overhead of a trial in Ray."""
    with tempfile.TemporaryDirectory() as folder:
        tell_rows(overhead_rows(Path(folder), trials, slots), as_json)


def overhead_rows(folder: Path, trials: int, slots: int) -> Iterator["Measurement"]:
    from vmsbench.bench.overhead import measure
    from vmsbench.bench.result import Measurement

    folder.mkdir(exist_ok=True)
    seen = measure(folder, max(trials, 2 * slots), slots)
    yield Measurement("Ray's start", seen.start, "s")
    yield Measurement("the first trial's, with its process", seen.first, "s")
    yield Measurement(f"a further empty trial, {slots} at once", seen.each, "s", most=0.3)


def tell(lines: list[str], answer: dict[str, Any], as_json: bool) -> None:
    typer.echo(json.dumps(answer, indent=2) if as_json else "\n".join(lines))


def read(source: str, runs: Path) -> "Recorded":
    from vmsbench.bench.recorded_curves import Recorded, recorded
    from vmsbench.store.sweeps import sweep_named

    return Recorded.load(Path(source)) if source.endswith(".json") else recorded(sweep_named(source, runs))


def command() -> str:
    return f"    vmsbench {shlex.join(sys.argv[1:])}"
