"""The simulations of `vmsbench bench`, by name: searchers, slots, seeds and pruners on score tables or recorded
curves."""

import random
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vmsbench.bench import pruners, searchers
from vmsbench.bench.recorded_curves import Recorded, recorded
from vmsbench.bench.searching import racing as races
from vmsbench.bench.searching import slots as shares
from vmsbench.config.compose import compose
from vmsbench.config.families import families
from vmsbench.config.instantiate import build
from vmsbench.config.plugins import options
from vmsbench.errors import UserError
from vmsbench.files import check_place
from vmsbench.metrics.catalog import sign
from vmsbench.report.render.bench_figures import draw_race, draw_racing, draw_slots
from vmsbench.search.configured import AROUND, experiment_part, space_of
from vmsbench.search.pruners import Pruner
from vmsbench.search.searcher import Searcher
from vmsbench.search.simulation import CurveOf, synthetic
from vmsbench.search.space import Space
from vmsbench.store.runs_folder import sweep_named

SEEDS = (2, 4, 6, 8)
"""Of each configuration, for `racing`."""


@dataclass(frozen=True)
class Simulation:
    """Simulated searches: a dictionary for each row, the same as a table of text, and the files that were written."""

    rows: tuple[Mapping[str, Any], ...]
    table: tuple[str, ...]
    files: tuple[Path, ...] = ()


def search(
    source: str | None = None,
    *,
    exp: str = "gan",
    space: str = "seed_coordinate",
    trials: int = 80,
    worlds: int = 10,
    slots: int = 8,
    out: Path | str = "reports/search",
    runs: Path | str = "runs",
) -> Simulation:
    """Compare searchers on the same score tables. Best score so far by trials, epochs and billed epochs.

    source      a sweep or curves.json as for `stopping`; else a formula scores the `space` of `exp`
    trials      at most, for each searcher
    """
    check_place(Path(out))
    curves = None if source is None else read(source, Path(runs))
    searched, tables = formula(exp, space, worlds) if curves is None else drawn(curves, worlds)
    exp = exp if curves is None else curves.base["exp"]
    rules = {name: build(compose(exp, [f"pruner={name}"])["pruner"]) for name in ("none", "asha")}
    lines = searchers.race(makers(exp, searched, trials), rules, tables, trials, slots)
    given = {} if source else {"exp": exp, "space": space}
    command = again("search", source, runs, **given, trials=trials, worlds=worlds, slots=slots, out=out)
    better = sign(curves.metric) if curves else 1
    text = [*searchers.table(lines, min(line.best[-1] for line in lines), better), "", f"    {command}"]
    shown = [replace(line, best=[better * score for score in line.best]) for line in lines]
    figure = draw_race([(line.searcher, line.rule, line.billed, line.best) for line in shown], "score")
    return Simulation(rows_of(shown), tuple(text), written(Path(out), f"search-{exp}", figure, text))


def formula(exp: str, space: str, worlds: int) -> tuple[Space, list[CurveOf]]:
    """A space, and made-up score tables over it."""
    settings = compose(exp, [f"space={space}"])
    searched = space_of(settings["space"]["parameters"], experiment_part(settings))
    return searched, [synthetic(searched, world) for world in range(worlds)]


def drawn(curves: Recorded, worlds: int) -> tuple[Space, list[CurveOf]]:
    """The space of recorded curves, and draws of their seeds."""
    chance = random.Random(0)
    return pruners.shuffled(curves.space, chance), [curves.draw(chance) for _ in range(worlds)]


def makers(exp: str, searched: Space, trials: int) -> dict[str, Callable[[int], Searcher]]:
    """Every searcher of conf/, made from the number of its world."""

    def made(spec: Mapping[str, Any], world: int) -> Searcher:
        given = {"trials": min(trials, searched.count()), "seed": world}
        found: Searcher = build({**spec, **{name: given[name] for name in given if name in spec}}, space=searched)
        return found

    found = {name: compose(exp, [f"searcher={name}"])["searcher"] for name in options("searcher")}
    specs = {name: {own: value for own, value in one.items() if own not in AROUND} for name, one in found.items()}
    return {name: lambda world, spec=spec: made(spec, world) for name, spec in specs.items()}  # type: ignore[misc]


def slots(*, most: int = 256, worlds: int = 10, out: Path | str = "reports/search") -> Simulation:
    """How busy a coordinate search keeps its slots. Simulated for every family, with and without extra trials.

    most    slots: 2, 4, 8, ... up to so many
    """
    check_place(Path(out))
    rows = []
    for exp in families():
        settings = compose(exp, ["searcher=coordinate"])
        searched = space_of(settings["space"]["parameters"], experiment_part(settings))
        rows += [shares.row(exp, settings, searched, 2**power, worlds) for power in range(1, most.bit_length())]
    text = [*shares.table(rows), "", f"    {again('slots', most=most, worlds=worlds, out=out)}"]
    return Simulation(rows_of(rows), tuple(text), written(Path(out), "slots", draw_slots(curves_of(rows)), text))


def curves_of(rows: Sequence[shares.SlotsRow]) -> list[tuple[str, bool, list[int], list[float], list[float]]]:
    """Of each space without and with extra trials: busy shares and lengths, by slots."""
    curves = []
    for exp in dict.fromkeys(one.space for one in rows):
        own = [one for one in rows if one.space == exp]
        at = [one.slots for one in own]
        curves.append((exp, False, at, [one.busy for one in own], [one.length for one in own]))
        curves.append((exp, True, at, [one.busy_filled for one in own], [one.length_filled for one in own]))
    return curves


def racing(
    source: str,
    *,
    worlds: int = 300,
    slots: int = 4,
    out: Path | str = "reports/search",
    runs: Path | str = "runs",
) -> Simulation:
    """How often another seed changes the winner. Of one seed, of several, and of a race, on recorded curves."""
    check_place(Path(out))
    curves = read(source, Path(runs))
    races.check(curves, source)
    rows, common = races.compare(curves, SEEDS, worlds, slots), races.common_shares(curves)
    command = again("racing", source, runs, worlds=worlds, slots=slots, out=out)
    shares = [f"  {param}: {share:.2f}" for param, share in common.items()]
    said = "share of the seeds' variance in common where two configurations differ in one parameter alone"
    text = [*races.table(rows), "", said, *shares, "", f"    {command}"]
    figure = draw_racing([(row.way, row.epochs, row.changed) for row in rows])
    return Simulation(rows_of(rows), tuple(text), written(Path(out), f"racing-{curves.base['exp']}", figure, text))


def stopping(
    source: str,
    *,
    worlds: int = 300,
    slots: int = 4,
    out: Path | str = "reports/stopping",
    runs: Path | str = "runs",
) -> Simulation:
    """How often early stopping changes the winner. Each pruner, on recorded learning curves.

    source      a sweep of searcher=grid searcher.repeats=4 pruner=none, or a curves.json
    """
    check_place(out := Path(out))
    curves = read(source, Path(runs))
    rules: dict[str, Pruner] = {
        name: build(compose("unet", [f"pruner={name}"])["pruner"]) for name in options("pruner")
    }
    rows = pruners.compare(curves, rules, worlds, slots)
    out.mkdir(parents=True, exist_ok=True)
    if not source.endswith(".json"):
        source = str(out / "curves.json")
        curves.save(Path(source))
    command = again("stopping", source, worlds=worlds, slots=slots, out=out)
    text = pruners.table(curves, rows, worlds, slots, command)
    (out / "README.md").write_text(text)
    return Simulation(rows_of(rows), (text,), (out / "README.md",))


SIMULATIONS: dict[str, Callable[..., Simulation]] = {one.__name__: one for one in (search, slots, racing, stopping)}


def rows_of(rows: Sequence[Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(vars(one) for one in rows)


def read(source: str, runs: Path) -> Recorded:
    """The curves of a file or a sweep. Raises UserError where there are none, or not of all configurations."""
    if not source.endswith(".json"):
        return recorded(sweep_named(source, runs))
    if not Path(source).is_file():
        raise UserError(f"{source} does not exist; `vmsbench bench stopping SWEEP` writes curves.json")
    return Recorded.load(Path(source)).check(source)


def again(name: str, source: str | None = None, runs: Path | str | None = None, **options: object) -> str:
    """The command that does the same, whatever the defaults are: all options, and where a sweep is `runs`."""
    if source and runs is not None and not source.endswith(".json"):
        options["runs"] = runs
    words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
    return shlex.join(["vmsbench", "bench", name, *([source] if source else []), *words])


def written(out: Path, name: str, figure: bytes, text: Sequence[str]) -> tuple[Path, ...]:
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.png").write_bytes(figure)
    (out / f"{name}.txt").write_text("\n".join(text) + "\n")
    return out / f"{name}.png", out / f"{name}.txt"
