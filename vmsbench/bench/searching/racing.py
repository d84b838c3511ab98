"""How often another seed changes what a coordinate search settles on, with one seed, with several, and in a race."""

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from statistics import fmean

from vmsbench.bench.pruners import shuffled
from vmsbench.bench.recorded_curves import Recorded, worse_by
from vmsbench.errors import UserError
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.pruners import NoPruner
from vmsbench.search.searcher import Params, Searcher, key, without_run
from vmsbench.search.simulation import CurveOf, SimulatedSearch, play
from vmsbench.search.space import Space
from vmsbench.search.wrappers.racing import Racing
from vmsbench.search.wrappers.repeated import Repeated


@dataclass(frozen=True)
class RacingRow:
    """One way to score, as means over worlds.

    trainings   of a search
    epochs      of a search
    changed     the share of parameters whose winner is another with other seeds
    unpaired    the same, were the seeds of each configuration its own
    regret      by how much, as a share, the winner's expected score is above the best of all
    """

    way: str
    trainings: float
    epochs: float
    changed: float
    unpaired: float
    regret: float


@dataclass(frozen=True)
class Way:
    """A searcher over seeds; each training is cut after one in `cut` of its epochs."""

    make: Callable[[Space], Searcher]
    cut: int = 1


def drawn(recorded: Recorded, chance: random.Random, cut: int = 1, paired: bool = True) -> CurveOf:
    """A world in which the curves of each seed are those of a recorded one, drawn with replacement.

    Of four recorded seeds two worlds draw the same for one seed in a case of four, and then agree on the winner: with
    one seed the share of changed winners is by a quarter lower than that of two different seeds.

    cut     a curve has one in so many of its epochs
    paired  as in a sweep, where all configurations are trained from the same seeds; else each draws its own
    """
    seed, count = chance.random(), min(map(len, recorded.curves.values()))

    @cache
    def known(name: str) -> list[float]:
        params = json.loads(name)
        curves = recorded.curves[key(without_run(params))]
        number = random.Random(f"{seed} {params.get('seed', 0) if paired else name}").randrange(count)
        return curves[number][: max(1, len(curves[number]) // cut)]

    return lambda params: known(key(params))


def compare(recorded: Recorded, seeds: Sequence[int], worlds: int, slots: int) -> list[RacingRow]:
    """Simulate the same search twice in `worlds` worlds, from another start and in another order in each.

    Of so many seeds the short ones share the epochs of one training.
    """
    ways = {"one seed": Way(CoordinateSearch)}
    for count in seeds:
        each, race = partial(over_seeds, Repeated, count), partial(over_seeds, Racing, count)
        ways[f"{count} seeds each"], ways[f"race of {count}"] = Way(each), Way(race)
        ways[f"{count} short seeds each"], ways[f"short race of {count}"] = Way(each, count), Way(race, count)
    return [row(recorded, name, way, worlds, slots) for name, way in ways.items()]


def over_seeds(wrapper: type[Repeated] | type[Racing], count: int, space: Space) -> Searcher:
    return wrapper(CoordinateSearch(space), count, 0)


def row(recorded: Recorded, name: str, way: Way, worlds: int, slots: int) -> RacingRow:
    chance, regret = random.Random(0), []
    searches: list[SimulatedSearch] = []
    changed: dict[bool, list[float]] = {True: [], False: []}
    points = [recorded.space.point(rank) for rank in recorded.space.ranks()]
    least = min(map(recorded.expected, points))
    for _ in range(worlds):
        space = shuffled(recorded.space, chance)
        for paired in changed:
            curves = [drawn(recorded, chance, way.cut, paired) for _ in range(2)]
            one, other = (play(way.make(space), curve, NoPruner(), slots) for curve in curves)
            pairs = zip(one.settled, other.settled, strict=True)
            changed[paired].append(fmean(key(first.value) != key(second.value) for first, second in pairs))
            if paired:
                searches.append(one)
                regret.append(worse_by(recorded.expected(one.incumbent), least))
    trainings, epochs = (fmean(len(one.trials) for one in searches), fmean(one.spent for one in searches))
    return RacingRow(name, trainings, epochs, fmean(changed[True]), fmean(changed[False]), fmean(regret))


def common_shares(recorded: Recorded) -> dict[str, float]:
    """By parameter, the share of the variance between seeds that two configurations which differ in it alone have in
    common: what a comparison by seed gains. 1 where a seed does the same to both, 0 where nothing is common.

    By the last scores, or their logarithms where all are positive, since bad configurations vary more.
    """
    last = {name: [curve[-1] for curve in curves] for name, curves in recorded.curves.items()}
    positive = min(map(min, last.values())) > 0
    seeds = min(map(len, last.values()))
    effects: list[tuple[Params, list[float]]] = []
    for name, scores in last.items():
        ends = [math.log(score) if positive else score for score in scores[:seeds]]
        effects.append((json.loads(name), [end - fmean(ends) for end in ends]))
    common: dict[str, list[tuple[float, float]]] = {}
    for (one, mine), (other, others) in combinations(effects, 2):
        differ = [param for param in one if one.get(param) != other.get(param)]
        if len(differ) == 1 and one.keys() == other.keys():
            products = sum(a * b for a, b in zip(mine, others, strict=True))
            squares = sum(a * a + b * b for a, b in zip(mine, others, strict=True)) / 2
            common.setdefault(differ[0], []).append((products, squares))
    sums = {param: [sum(column) for column in zip(*pairs, strict=True)] for param, pairs in common.items()}
    return {param: products / squares if squares else 0.0 for param, (products, squares) in sums.items()}


def check(recorded: Recorded, name: str) -> None:
    """Raises UserError where there is nothing to race: one configuration, or only one seed of some."""
    recorded.check(name).check(name, seeds=2)
    if len(recorded.space.ranks()) < 2:
        raise UserError(f"{name} has one configuration, and a race needs two; a parameter with two values makes them")


def table(rows: list[RacingRow]) -> list[str]:
    out = [
        f"{'':<20} {'':>9} {'':>7}   another winner, seeds",
        f"{'':<20} {'trainings':>9} {'epochs':>7} {'as in sweeps':>14} {'independent':>12} {'worse than the best':>20}",
    ]
    return out + [
        f"{r.way:<20} {r.trainings:>9.1f} {r.epochs:>7.0f} {r.changed:>14.1%} {r.unpaired:>12.1%} {r.regret:>20.1%}"
        for r in rows
    ]
