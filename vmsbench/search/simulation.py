"""Simulated searches on known learning curves, epoch by epoch, with the real searchers and pruners."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from vmsbench.search.asha import PrunerState
from vmsbench.search.pruners import Pruner
from vmsbench.search.searcher import ParameterResult, Params, Searcher, compared_with, key
from vmsbench.search.space import Space

CurveOf = Callable[[Params], Sequence[float]]
EPOCHS = 20


def synthetic(space: Space, seed: int) -> CurveOf:
    """A synthetic score table: an effect of each option, one of each pair of options, and seed noise.

    A curve falls exponentially to its score, at a rate of its own: options that learn slowly may be the better ones.
    """

    @cache
    def drawn(name: str) -> float:
        return random.Random(name).gauss(0, 1)

    def normal(*names: object) -> float:
        return drawn(key([seed, *names]))

    def curve_of(params: Params) -> list[float]:
        marks = [(param, key(value)) for param, value in sorted(params.items())]
        effect = sum(0.02 * normal(*mark) for mark in marks)
        pairs = sum(0.005 * normal(*a, *b) for i, a in enumerate(marks) for b in marks[:i])
        end = 0.15 * math.exp(effect / 0.15 + pairs / 0.15) + 0.001 * normal("noise", *map(list, marks))
        rate = 3 * math.exp(0.4 * normal("rate", *marks[0]) + 0.2 * normal("rate", *map(list, marks)))
        return [end + 0.2 * math.exp(-epoch / rate) for epoch in range(1, EPOCHS + 1)]

    return curve_of


@dataclass
class SimulatedSearch:
    """The result of a search: after each trial the epochs spent so far and the best score of a full training.

    trials   each choice with the epochs it was given, in the order in which they ended
    extra    those of them that were given for idle slots alone, by `key(params)`
    clock    the turn at which each of them ended
    turns    how long it took, in epochs of one trial after the other in its slot
    spent    epochs in all slots, those of trials that were not needed in the end too
    busy     the share of the slots' time in which there was a trial
    """

    epochs: list[int] = field(default_factory=list)
    trials: list[tuple[Params, int]] = field(default_factory=list)
    clock: list[int] = field(default_factory=list)
    extra: set[str] = field(default_factory=set)
    turns: int = 0
    spent: int = 0
    slots: int = 1
    best: list[float] = field(default_factory=list)
    pruned: int = 0
    incumbent: Params = field(default_factory=dict)
    settled: tuple[ParameterResult, ...] = ()

    @property
    def needed(self) -> list[tuple[Params, int]]:
        """The trials that the search asked for."""
        return [one for one in self.trials if key(one[0]) not in self.extra]

    @property
    def busy(self) -> float:
        return self.spent / max(1, self.turns * self.slots)


def play(
    searcher: Searcher, curve_of: CurveOf, stopping: Pruner, slots: int = 4, limit: float = math.inf
) -> SimulatedSearch:
    """Run a searcher's trials, `slots` at a time, an epoch a turn, until it is finished or `limit` trials are over."""
    played, best = SimulatedSearch(slots=slots), math.inf
    state: PrunerState | None = None
    running: dict[str, Params] = {}
    seen: dict[str, dict[int, float]] = {}
    while not searcher.finished and len(played.best) < limit:
        for name in [name for name, params in running.items() if not searcher.is_needed(params)]:
            searcher.release(running.pop(name))
        while len(running) < slots and (params := searcher.ask()) is not None:
            running[key(params)] = params
            seen.setdefault(key(params), {})
        if not running:
            break
        played.turns += 1
        for name, params in list(running.items()):
            scores = curve_of(params)
            state = state or PrunerState(stopping, len(scores))
            epoch = len(seen[name]) + 1
            seen[name][epoch] = scores[epoch - 1]
            played.spent += 1
            reference = seen.get(key(compared_with(searcher.incumbent, params)), {})
            reason = state.stop_reason(name, epoch, scores[epoch - 1], reference)
            if reason is None and epoch < len(scores):
                continue
            del running[name]
            played.pruned += reason is not None
            if reason is None:
                best = min(best, scores[-1])
                searcher.tell(params, scores[-1])
            else:
                searcher.prune(params, epoch, scores[epoch - 1])
            played.trials.append((params, epoch))
            played.epochs.append(played.spent)
            played.clock.append(played.turns)
            played.best.append(best)
    played.trials += [(params, len(seen[name])) for name, params in running.items() if seen[name]]
    played.extra = {key(params) for params, _ in played.trials if searcher.is_extra(params)}
    played.incumbent, played.settled = searcher.incumbent, tuple(searcher.settled)
    return played
