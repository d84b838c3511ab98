"""Sequential coordinate search: settle one parameter at a time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from vmsbench.errors import ConfigurationError
from vmsbench.search.ranges import number
from vmsbench.search.searcher import OptionResult, ParameterResult, Params, Searcher, key
from vmsbench.search.space import Parameter, Space

REFINED = 2
"""How often a range is looked at more closely, around its best number so far."""


class CoordinateSearch(Searcher):
    """Vary one parameter, keep the best option, go on to the next; again from the first in the next round.

    The start's own value is tried first where it is not an option. What was scored is never asked for again. A
    parameter that does not exist under the incumbent is skipped. Ties go to the incumbent, then to the order of
    options; where all options fail, the incumbent stays. The search ends after `rounds`, or after one that changed
    nothing. Of known-good choices the best is the incumbent at first.

    Of a range the lowest, the middle and the highest number are tried, then twice the numbers halfway between the best
    and its neighbours.
    """

    label: ClassVar[str] = "coordinate search"

    def __init__(self, space: Space, rounds: int = 1) -> None:
        if rounds < 1:
            raise ConfigurationError(f"searcher.rounds={rounds}: at least 1")
        self.space, self.rounds = space, rounds
        self.settled: list[ParameterResult] = []
        self.scores: dict[str, float | None] = {}
        self.asked: dict[str, str | None] = {}
        self.best = dict(space.start)
        self.position = self.refined = self.first = 0
        self.changed = self.opening = False
        self.candidates: dict[str, Params] = {}
        self.waiting: set[str] = set()
        self.go_on()

    def ask(self) -> Params | None:
        if self.finished or not self.waiting:
            return None
        for name, params in self.candidates.items():
            if name not in self.asked and name not in self.scores:
                self.asked[name] = None if self.opening else self.here.param
                return params
        return None

    def tell(self, params: Params, score: float | None) -> None:
        name = key(params)
        self.scores[name] = score
        self.waiting.discard(name)
        while not self.finished and not self.waiting:
            self.settle()

    def try_first(self, choices: Sequence[Params]) -> None:
        self.candidates = {key(params): params for params in (self.best, *choices)}
        self.opening, self.waiting, self.first = True, set(self.candidates), len(self.candidates)

    def add_option(self, param: str, value: Any) -> None:
        if self.space.has_option(param, value):
            return
        self.space = self.space.with_option(param, value)
        if not self.finished and not self.opening and self.here.param == param:
            self.candidates = self.values_of(self.here, self.best) | self.candidates
            self.waiting = self.waiting | (self.candidates.keys() - self.scores.keys())

    def ahead(self, known: Mapping[str, float | None]) -> Iterator[tuple[Params, str | None]]:
        scores = {**self.scores, **known}
        best = self.leader(scores).params
        if not self.opening and not self.finished:
            yield from ((params, self.here.param) for params in self.closer(best).values())
        for position in range(self.position + (not self.opening), self.end):
            parameter = self.space.parameters[position % len(self.space.parameters)]
            candidates = self.values_of(parameter, best)
            yield from ((params, parameter.param) for params in candidates.values())
            scored = [name for name in candidates if scores.get(name) is not None]
            best = candidates[min(scored, key=lambda name: scores[name] or 0.0)] if scored else best

    @property
    def end(self) -> int:
        return self.rounds * len(self.space.parameters)

    @property
    def finished(self) -> bool:
        return self.position >= self.end

    @property
    def incumbent(self) -> Params:
        return dict(self.best)

    @property
    def max_trials(self) -> int:
        counts = (len(one.values) + 2 * REFINED * (one.range is not None) for one in self.space)
        return 1 + self.first + self.rounds * sum(counts)

    def parameter(self, params: Params) -> str | None:
        return self.asked.get(key(params))

    @property
    def here(self) -> Parameter:
        return self.space.parameters[self.position % len(self.space.parameters)]

    def values_of(self, parameter: Parameter, best: Params) -> dict[str, Params]:
        """The incumbent, then each choice that differs from it in one parameter, by their keys."""
        there = self.space.values(parameter, best)
        others = {key(moved): moved for moved in (self.space.moved(best, parameter, option) for option in there)}
        return {key(best): best} | others if there else {}

    def closer(self, best: Params) -> dict[str, Params]:
        """The choices halfway between the best number of a range and its neighbours, by their keys."""
        here = self.here
        tried = [number(self.space.value(here, params)) for params in (best, *self.candidates.values())]
        if here.range is None or self.refined == REFINED or tried[0] is None:
            return {}
        found = here.range.around(tried[0], [value for value in tried if value is not None])
        return {key(moved): moved for moved in (self.space.moved(best, here, value) for value in found)}

    def tried(self, scores: Mapping[str, float | None]) -> list[OptionResult]:
        here = self.here
        return [OptionResult(self.space.value(here, one), scores.get(n), one) for n, one in self.candidates.items()]

    def leader(self, scores: Mapping[str, float | None]) -> OptionResult:
        """The best of the scored candidates; the incumbent where none is."""
        tried = self.tried(scores)
        ranked = [option for option in tried if option.score is not None]
        return min(ranked, key=lambda option: float(option.score or 0), default=tried[0])

    def settle(self) -> None:
        """All options of this parameter are scored: look closer, or keep the best and go on."""
        winner = self.leader(self.scores)
        if self.opening:
            self.best, self.opening = dict(winner.params), False
            self.go_on()
            return
        closer = self.closer(winner.params)
        self.refined += 1
        if closer:
            self.candidates |= closer
            self.waiting = closer.keys() - self.scores.keys()
            return
        self.changed = self.changed or key(winner.params) != key(self.best)
        self.best = dict(winner.params)
        turn = 1 + self.position // len(self.space.parameters)
        tried = tuple(self.in_order())
        self.settled.append(ParameterResult(self.here.param, winner.value, winner.score, tried, turn))
        self.pass_by()
        self.go_on()

    def in_order(self) -> list[OptionResult]:
        """What was tried, in the order of the options, a value that is none before them; numbers of a range by size."""
        tried, here = self.tried(self.scores), self.here
        if here.range is not None:
            return sorted(tried, key=lambda option: number(option.value) or 0.0)
        order = [key(option) for option in here.values]
        return sorted(tried, key=lambda option: order.index(key(option.value)) if key(option.value) in order else -1)

    def go_on(self) -> None:
        """On to the next parameter that exists under the incumbent."""
        while not self.finished:
            self.candidates, self.refined = self.values_of(self.here, self.best), 0
            if self.candidates:
                self.waiting = self.candidates.keys() - self.scores.keys()
                return
            self.pass_by()

    def pass_by(self) -> None:
        """This parameter is settled; after a round that changed nothing the search is finished."""
        self.position += 1
        if self.position % len(self.space.parameters) == 0:
            if not self.changed:
                self.position = self.end
            self.changed = False
