"""How often another seed changes what a coordinate search settles on, with one seed, with several, and in a race."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from vmsbench.bench.pruners import shuffled
from vmsbench.bench.recorded_curves import Recorded
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.pruners import NoPruner
from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.simulation import CurveOf, play
from vmsbench.search.space import Space
from vmsbench.search.wrappers.racing import Racing
from vmsbench.search.wrappers.repeated import Repeated


@dataclass(frozen=True)
class RacingRow:
    """One way to score, as means over worlds.

    trainings   of a search
    changed     the share of parameters whose winner is another with other seeds
    regret      by how much, as a share, the winner's expected score is above the best of all
    """

    way: str
    trainings: float
    changed: float
    regret: float


def drawn(recorded: Recorded, chance: random.Random) -> CurveOf:
    """A world in which each training has the curve of one of its configuration's seeds, drawn with replacement."""
    seed = chance.random()

    def curve(choice: Params) -> list[float]:
        base = {param: value for param, value in choice.items() if param != "seed"}
        return random.Random(f"{seed} {key(choice)}").choice(recorded.curves[key(base)])

    return curve


def compare(recorded: Recorded, seeds: list[int], worlds: int, slots: int) -> list[RacingRow]:
    """Simulate the same search twice in `worlds` worlds, from another start and in another order in each."""
    ways: dict[str, Callable[[Space], Searcher]] = {"one seed": CoordinateSearch}
    for count in seeds:
        ways[f"{count} seeds each"] = partial(over_seeds, Repeated, count)
        ways[f"race of {count}"] = partial(over_seeds, Racing, count)
    return [row(recorded, way, make, worlds, slots) for way, make in ways.items()]


def over_seeds(wrapper: type[Repeated] | type[Racing], count: int, space: Space) -> Searcher:
    return wrapper(CoordinateSearch(space), count, 0)


def row(recorded: Recorded, way: str, make: Callable[[Space], Searcher], worlds: int, slots: int) -> RacingRow:
    chance, changed, spent, regret = random.Random(0), [], [], []
    points = [recorded.space.point(rank) for rank in recorded.space.ranks()]
    least = min(map(recorded.expected, points))
    for _ in range(worlds):
        space = shuffled(recorded.space, chance)
        one, other = (play(make(space), drawn(recorded, chance), NoPruner(), slots) for _ in range(2))
        pairs = zip(one.settled, other.settled, strict=True)
        changed.append(fmean(key(first.value) != key(second.value) for first, second in pairs))
        spent.append(len(one.trials))
        regret.append(recorded.expected(one.incumbent) / least - 1)
    return RacingRow(way, fmean(spent), fmean(changed), fmean(regret))


def table(rows: list[RacingRow]) -> list[str]:
    out = [f"{'':<16} {'trainings':>9} {'another winner':>15} {'worse than the best':>20}"]
    return out + [f"{r.way:<16} {r.trainings:>9.1f} {r.changed:>15.1%} {r.regret:>20.1%}" for r in rows]
