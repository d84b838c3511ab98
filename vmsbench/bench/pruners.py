"""How often a pruner changes the result of a coordinate search, compared with a change of seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from vmsbench.bench.recorded_curves import Recorded, worse_by
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.pruners import NoPruner, Pruner
from vmsbench.search.searcher import key
from vmsbench.search.simulation import CurveOf, SimulatedSearch, play
from vmsbench.search.space import Space

SEED = "another seed"


@dataclass(frozen=True)
class PrunerRow:
    """The effect of a pruner, as means over worlds.

    saved     the share of the epochs of a search without stopping
    changed   the share of parameters whose winner is another than without stopping
    worse     by how much, as a share, the winner's expected score is worse
    """

    rule: str
    saved: float
    pruned: float
    changed: float
    worse: float


def compare(recorded: Recorded, rules: Mapping[str, Pruner], worlds: int, slots: int, seed: int = 0) -> list[PrunerRow]:
    """Simulate the same search with each pruner in `worlds` worlds: other seeds' curves, another start and order in
    each."""
    chance = random.Random(seed)
    results: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in (SEED, *rules)}
    for _ in range(worlds):
        space = shuffled(recorded.space, chance)
        curves, others = recorded.draw(chance), recorded.draw(chance)
        without = search(space, curves, NoPruner(), slots)
        results[SEED].append(difference(recorded, without, search(space, others, NoPruner(), slots)))
        for name, rule in rules.items():
            results[name].append(difference(recorded, without, search(space, curves, rule, slots)))
    return [PrunerRow(name, *(fmean(column) for column in zip(*rows, strict=True))) for name, rows in results.items()]


def shuffled(space: Space, chance: random.Random) -> Space:
    """The same parameters in another order, around another start."""
    start = space.config(space.point(chance.randrange(int(space.count()))))
    return Space(chance.sample(space.parameters, len(space.parameters)), start)


def search(space: Space, curves: CurveOf, rule: Pruner, slots: int) -> SimulatedSearch:
    return play(CoordinateSearch(space), curves, rule, slots)


def difference(recorded: Recorded, one: SimulatedSearch, other: SimulatedSearch) -> tuple[float, float, float, float]:
    changed = [key(first.value) != key(second.value) for first, second in zip(one.settled, other.settled, strict=True)]
    best, found = recorded.expected(one.incumbent), recorded.expected(other.incumbent)
    return (
        1 - other.epochs[-1] / one.epochs[-1],
        other.pruned / len(other.epochs),
        sum(changed) / len(changed),
        worse_by(found, best),
    )


def table(recorded: Recorded, rows: list[PrunerRow], worlds: int, slots: int, command: str) -> str:
    """The table in Markdown, with its source."""
    counts = sorted({len(seeds) for seeds in recorded.curves.values()})
    epochs = len(next(iter(recorded.curves.values()))[0])
    space = "; ".join(f"{entry['param']} {entry['values']}" for entry in recorded.parameters)
    lines = [
        "# What stopping early changes",
        "",
        f"Learning curves of {len(recorded.curves)} configurations, {epochs} epochs each, from "
        f"{' or '.join(map(str, counts))} seeds, recorded on {recorded.title}; the score is the tuning "
        f"{recorded.metric}.",
        f"Space: {space}. Recorded by",
        "",
        f"    {recorded.command}",
        "",
        f"{worlds} coordinate searches, {slots} trials at once, each in another order of parameters, from another",
        "start and with another draw of seeds; every rule sees the same curves as the search without stopping that",
        "it is compared with. The first row stops nothing, but draws other seeds. The winner is worse by a share of",
        "its mean score over seeds.",
        "",
        "| rule | epochs saved | trials stopped | parameters with another winner | winner worse by |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.rule} | {row.saved:.0%} | {row.pruned:.0%} | {row.changed:.1%} | {100 * row.worse:.2f}% |"
        )
    return "\n".join([*lines, "", f"    {command}", ""])
