"""`vmsbench bench`: measurements of vmsbench itself. Heavy imports happen inside the commands."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vmsbench.cli.options import ConfigDir, expanded

if TYPE_CHECKING:
    from vmsbench.bench.result import Measurement

app = typer.Typer(help="Measure the toolkit itself.", invoke_without_command=True, rich_markup_mode=None)

Runs = Annotated[
    Path, typer.Option("--runs", envvar="VMSBENCH_RUNS", help="The folder of all sweeps.", callback=expanded)
]
Source = Annotated[
    str, typer.Argument(help="A sweep of searcher=grid searcher.repeats=4 pruner=none, or a curves.json.")
]
Out = Annotated[Path, typer.Option(help="Where table and figure are written.", callback=expanded)]
Slots = Annotated[int, typer.Option(help="Trials at once.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Worlds = Annotated[int, typer.Option(help="Number of simulated worlds.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[OVERRIDE]...", help="As for `tune`.")]
Rounds = Annotated[int, typer.Option(help="Turns of each; the median counts.")]
OneExperiment = Annotated[str | None, typer.Option("--exp", help="One experiment of conf/exp (default: all).")]


@app.callback()
def everything(context: typer.Context, as_json: Json = False) -> None:
    """Measure vmsbench itself: all but search, stopping and precision, or one measurement by name."""
    if context.invoked_subcommand is None:
        measure(as_json, None)


def measure(as_json: bool, name: str | None, *overrides: str, **options: Any) -> None:
    """Print each row once it is measured, or all as JSON."""
    from vmsbench.api.toolkit.benchmarks import bench

    rows = list(shown(bench(name, *overrides, **options), quiet=as_json))
    if as_json:
        typer.echo(json.dumps([row.plain() for row in rows], indent=2))


def shown(rows: Iterator["Measurement"], quiet: bool) -> Iterator["Measurement"]:
    for row in rows:
        if not quiet:
            typer.echo(row.line())
        yield row


def play(as_json: bool, rows: str, name: str, *source: str, **options: Any) -> None:
    """Print a simulation's table and its figure's place, or its rows as JSON under their name."""
    from vmsbench.api.toolkit.benchmarks import simulate

    found = simulate(name, *source, **options)
    figures = [str(file) for file in found.files if file.suffix == ".png"]
    answer = {rows: [dict(row) for row in found.rows]}
    typer.echo(json.dumps(answer, indent=2) if as_json else "\n".join([*found.table, *figures]))


@app.command()
def train(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    exp: OneExperiment = None,
    rounds: Rounds = 20,
    as_json: Json = False,
) -> None:
    """Training against the bare step, a DataLoader and diffusers."""
    measure(as_json, "train", *(overrides or []), exp=exp, rounds=rounds)


@app.command()
def sample(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    batch: Annotated[int, typer.Option(help="Maps sampled at once.")] = 16,
    rounds: Rounds = 3,
    as_json: Json = False,
) -> None:
    """Sampling by diffusion against bare forward passes."""
    measure(as_json, "sample", *(overrides or []), batch=batch, rounds=rounds)


@app.command()
def data(
    pairs: Annotated[int, typer.Option(help="Pairs of 700 px JPEG files.")] = 1600,
    size: Annotated[int, typer.Option(help="Their size after resizing.")] = 64,
    as_json: Json = False,
) -> None:
    """First and later reads of data as large as VISCHEMA PLUS."""
    measure(as_json, "data", pairs=pairs, size=size)


@app.command()
def packing(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    trials: Annotated[int, typer.Option(help="Trials at once.")] = 8,
    as_json: Json = False,
) -> None:
    """Several trials at once on one device, or one by one."""
    measure(as_json, "packing", *(overrides or []), trials=trials)


@app.command()
def neighbours(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    exp: Annotated[str, typer.Option("--exp", help="The experiment that is trained.")] = "unet",
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contestant; the median counts.")] = 5,
    as_json: Json = False,
) -> None:
    """Training next to a busy process on each core, and alone."""
    measure(as_json, "neighbours", *(overrides or []), exp=exp, rounds=rounds)


@app.command()
def precision(
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    exp: OneExperiment = None,
    seeds: Annotated[int, typer.Option(min=2, help="Trainings in each precision.")] = 8,
    as_json: Json = False,
) -> None:
    """Whether bf16 changes scores less than another seed. The demonstration's models are trained."""
    say = partial(typer.echo, err=True)
    measure(as_json, "precision", *(overrides or []), exp=exp, seeds=seeds, on_progress=say)


@app.command()
def faces(as_json: Json = False) -> None:
    """Seconds for --help, for a plan, and for a report of 100 trials."""
    measure(as_json, "faces")


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
    given = {"exp": exp, "space": space, "trials": trials, "worlds": worlds, "slots": slots, "out": out, "runs": runs}
    play(as_json, "searches", "search", *([source] if source else []), **given)


@app.command()
def slots(
    most: Annotated[int, typer.Option(min=2, help="Slots: 2, 4, 8, ... up to so many.")] = 256,
    worlds: Worlds = 10,
    out: Out = Path("reports/search"),
    as_json: Json = False,
) -> None:
    """How busy a coordinate search keeps its slots. Simulated, with and without extra trials."""
    play(as_json, "slots", "slots", most=most, worlds=worlds, out=out)


@app.command()
def racing(
    source: Source,
    worlds: Worlds = 300,
    slots: Slots = 4,
    out: Out = Path("reports/search"),
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """How often another seed changes the winner. Of one seed, of several, and of a race, on recorded curves."""
    play(as_json, "ways", "racing", source, worlds=worlds, slots=slots, out=out, runs=runs)


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
    play(as_json, "rules", "stopping", source, worlds=worlds, slots=slots, out=out, runs=runs)


@app.command()
def journal(
    trials: Annotated[int, typer.Option(help="Trials in the journal.")] = 10_000, as_json: Json = False
) -> None:
    """How long it takes to continue a sweep of many trials."""
    measure(as_json, "journal", trials=trials)


@app.command()
def overhead(
    trials: Annotated[int, typer.Option(help="Number of empty trials.")] = 40, slots: Slots = 2, as_json: Json = False
) -> None:
    """The overhead of a trial in Ray."""
    measure(as_json, "overhead", trials=trials, slots=slots)
