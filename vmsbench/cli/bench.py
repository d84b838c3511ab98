"""`vmsbench bench`: measurements of the toolkit itself. Heavy imports happen inside the commands."""

import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vmsbench.bench.simulation import Recorded

app = typer.Typer(help="Measure the toolkit itself.", no_args_is_help=True, rich_markup_mode=None)

Runs = Annotated[Path, typer.Option("--runs", envvar="VMSBENCH_RUNS", help="The folder of all sweeps.")]
Source = Annotated[
    str, typer.Argument(help="A sweep of searcher=grid searcher.repeats=4 scheduler=none, or a curves.json.")
]
Out = Annotated[Path, typer.Option(help="Where table and figure are written.")]
Slots = Annotated[int, typer.Option(help="Trials at once.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Worlds = Annotated[int, typer.Option(help="Over how many worlds the mean is taken.")]


@app.command()
def search(
    source: Annotated[
        str | None, typer.Argument(help="A sweep or curves.json as for `stopping`; else a formula.")
    ] = None,
    exp: Annotated[str, typer.Option("--exp", help="The experiment whose space the formula scores.")] = "gan",
    space: Annotated[str, typer.Option(help="Which of conf/space the formula scores.")] = "seed_coordinate",
    trials: Annotated[int, typer.Option(help="At most, for each searcher.")] = 80,
    worlds: Worlds = 10,
    slots: Slots = 4,
    out: Out = Path("reports/search"),
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Every searcher on the same score tables: the best score so far by trials and by epochs."""
    import random

    from vmsbench.bench.search import race, synthetic, table
    from vmsbench.build import build
    from vmsbench.cli.configuration import compose, options
    from vmsbench.reporting.benches import draw_race
    from vmsbench.tuning.study import experiment_part, space_of

    chance = random.Random(0)
    if source is None:
        settings = compose(exp, [f"space={space}"])
        searched = space_of(settings["space"]["coordinates"], experiment_part(settings))
        tables = [synthetic(searched, world) for world in range(worlds)]
    else:
        curves = read(source, runs)
        searched, tables = curves.space, [curves.draw(chance) for _ in range(worlds)]

    def made(spec: dict[str, Any], world: int) -> Any:
        told = {"trials": min(trials, searched.count()), "seed": world}
        return build(spec | {name: value for name, value in told.items() if name in spec}, space=searched)

    specs = {name: compose(exp, [f"searcher={name}"])["searcher"] for name in options("searcher")}
    for spec in specs.values():
        spec.pop("repeats")
    searchers = {name: lambda world, spec=spec: made(spec, world) for name, spec in specs.items()}
    rules = {name: build(compose(exp, [f"scheduler={name}"])["scheduler"]) for name in ("none", "asha")}
    lines = race(searchers, rules, tables, trials, slots)
    text = table(lines, min(line.best[-1] for line in lines))
    out.mkdir(parents=True, exist_ok=True)
    drawn = [(line.searcher, line.rule, line.epochs, line.best) for line in lines]
    (out / "search.png").write_bytes(draw_race(drawn, "score"))
    (out / "search.txt").write_text("\n".join([*text, "", command()]) + "\n")
    tell([*text, str(out / "search.png")], {"searches": [vars(line) for line in lines]}, as_json)


@app.command()
def stopping(
    source: Source,
    worlds: Worlds = 300,
    slots: Slots = 4,
    out: Out = Path("reports/stopping"),
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """How often each rule for early stopping changes what a search finds, on recorded learning curves."""
    from vmsbench.bench.stopping import compare, table
    from vmsbench.build import build
    from vmsbench.cli.configuration import compose, options

    curves = read(source, runs)
    rules = {name: build(compose("unet", [f"scheduler={name}"])["scheduler"]) for name in options("scheduler")}
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
    """How long a sweep of many trials takes to be continued."""
    from vmsbench.bench.journal import measure

    with tempfile.TemporaryDirectory() as folder:
        times = measure(Path(folder), trials)
    known = f"{times.trials} trials: known again after {times.rebuild:.1f} s, their curves {times.curves:.1f} s later"
    tell([known, f"status is told within {times.status:.1f} s"], vars(times), as_json)


@app.command()
def overhead(
    trials: Annotated[int, typer.Option(help="Trials that do nothing.")] = 40, slots: Slots = 2, as_json: Json = False
) -> None:
    """What a trial costs through Ray that does nothing."""
    from vmsbench.bench.overhead import measure

    with tempfile.TemporaryDirectory() as folder:
        seen = measure(Path(folder), max(trials, 2 * slots), slots)
    begin = f"Ray starts in {seen.start:.1f} s, the first trial is over after {seen.first:.1f} s more"
    tell([begin, f"then a trial takes {seen.each:.3f} s ({seen.slots} at a time)"], vars(seen), as_json)


def tell(lines: list[str], answer: dict[str, Any], as_json: bool) -> None:
    typer.echo(json.dumps(answer, indent=2) if as_json else "\n".join(lines))


def read(source: str, runs: Path) -> "Recorded":
    from vmsbench.bench.simulation import Recorded, recorded
    from vmsbench.cli.sweeping import sweep_named

    return Recorded.load(Path(source)) if source.endswith(".json") else recorded(sweep_named(source, runs))


def command() -> str:
    return f"    vmsbench {shlex.join(sys.argv[1:])}"
