"""Searchers compared on a score table: the best score so far by trials, by epochs and by billed epochs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean

from vmsbench.bench.recorded_curves import worse_by
from vmsbench.search.pruners import Pruner
from vmsbench.search.searcher import Searcher
from vmsbench.search.simulation import CurveOf, SimulatedSearch, play


@dataclass(frozen=True)
class Line:
    """The best score so far of a searcher with a rule, mean over worlds: after each trial, and epochs spent.

    billed   epochs of all slots, busy or idle
    """

    searcher: str
    rule: str
    epochs: list[float]
    billed: list[float]
    best: list[float]


def race(
    searchers: Mapping[str, Callable[[int], Searcher]],
    rules: Mapping[str, Pruner],
    worlds: list[CurveOf],
    trials: int,
    slots: int,
) -> list[Line]:
    """Let each searcher, with each rule, search each world for at most `trials` trials.

    searchers   make a searcher from the number of the world
    """
    lines = []
    for name, make in searchers.items():
        for rule_name, rule in rules.items():
            runs = [play(make(n), world, rule, slots, trials) for n, world in enumerate(worlds)]
            lines.append(mean(name, rule_name, runs, trials))
    return lines


def mean(searcher: str, rule: str, runs: list[SimulatedSearch], trials: int) -> Line:
    """The mean over worlds; a search that ends early keeps its last score."""
    length = min(trials, max(len(run.best) for run in runs))
    at = range(length)
    epochs = [fmean(run.epochs[min(n, len(run.epochs) - 1)] for run in runs) for n in at]
    best = [fmean(run.best[min(n, len(run.best) - 1)] for run in runs) for n in at]
    billed = [fmean(run.slots * run.clock[min(n, len(run.clock) - 1)] for run in runs) for n in at]
    return Line(searcher, rule, epochs, billed, best)


def table(lines: list[Line], best: float, sign: int = 1) -> list[str]:
    """A line of text for each searcher: trials, epochs and billed epochs until within 5% and 1% of the best of all.

    sign   -1 where a higher score is better: those of `lines` are its negatives
    """
    head = f"{'searcher, rule':<28} {'trials':>7} {'epochs':>8} {'billed':>8} {'best':>8}"
    out = [f"{head} {'within 5% after':>20} {'within 1% after':>20}"]
    for line in lines:
        near = [
            next((n for n, s in enumerate(line.best) if worse_by(s, best) <= share), None) for share in (0.05, 0.01)
        ]
        reached = ["-" if n is None else f"{n + 1} ({line.epochs[n]:.0f}, {line.billed[n]:.0f})" for n in near]
        last = f"{len(line.best):>7} {line.epochs[-1]:>8.0f} {line.billed[-1]:>8.0f} {sign * line.best[-1]:>8.4f}"
        out.append(f"{f'{line.searcher}, {line.rule}':<28} {last} {reached[0]:>20} {reached[1]:>20}")
    return out
