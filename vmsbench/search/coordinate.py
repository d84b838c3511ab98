"""Sequential coordinate search: settle one parameter at a time."""

from collections.abc import Mapping

from vmsbench.errors import ConfigurationError
from vmsbench.search.searcher import OptionResult, ParameterResult, Params, Searcher, key
from vmsbench.search.space import Parameter, Space


class CoordinateSearch(Searcher):
    """Vary one parameter, keep the best option, go on to the next; again from the first in the next round.

    The start's own value is tried first where it is not an option. What was scored is never asked for again. A
    parameter that does not exist under the incumbent is skipped. Ties go to the incumbent, then to the order of
    options; where all options fail, the incumbent stays. The search ends after `rounds`, or after one that changed
    nothing.

    speculate   while scores are awaited, ask for the next parameter's options under the best option so far. The result
    does not change; idle slots are used, for trials that may turn out to be useless.
    """

    def __init__(self, space: Space, rounds: int = 1, speculate: bool = False) -> None:
        if rounds < 1:
            raise ConfigurationError(f"searcher.rounds={rounds}: at least 1")
        self.space, self.rounds, self.speculate = space, rounds, speculate
        self.settled: list[ParameterResult] = []
        self.scores: dict[str, float | None] = {}
        self.asked: dict[str, str] = {}
        self.best = dict(space.start)
        self.position = 0
        self.changed = False
        self.candidates: dict[str, Params] = {}
        self.waiting: set[str] = set()
        self.go_on()

    def ask(self) -> Params | None:
        if self.finished:
            return None
        choice = self.new(self.candidates, self.here) if self.waiting else None
        if choice is None and self.speculate and self.position + 1 < self.end:
            following = self.space.parameters[(self.position + 1) % len(self.space.parameters)]
            choice = self.new(self.values_of(following, self.leader().choice), following)
        return choice

    def new(self, candidates: Mapping[str, Params], parameter: Parameter) -> Params | None:
        for name, choice in candidates.items():
            if name not in self.asked and name not in self.scores:
                self.asked[name] = parameter.param
                return choice
        return None

    def tell(self, choice: Params, score: float | None) -> None:
        name = key(choice)
        self.scores[name] = score
        self.waiting.discard(name)
        while not self.finished and not self.waiting:
            self.settle()

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
        counts = [len(parameter.values) for parameter in self.space]
        ahead = sum((count + 1) * counts[(i + 1) % len(counts)] for i, count in enumerate(counts))
        return 1 + self.rounds * (sum(counts) + (ahead if self.speculate else 0))

    def parameter(self, choice: Params) -> str | None:
        return self.asked.get(key(choice))

    @property
    def here(self) -> Parameter:
        return self.space.parameters[self.position % len(self.space.parameters)]

    def values_of(self, parameter: Parameter, best: Params) -> dict[str, Params]:
        """The incumbent, then each choice that differs from it in one parameter, by their keys."""
        there = self.space.values(parameter, best)
        others = {key(moved): moved for moved in (self.space.moved(best, parameter, option) for option in there)}
        return {key(best): best} | others if there else {}

    def tried(self) -> list[OptionResult]:
        here = self.here
        return [
            OptionResult(self.space.value(here, one), self.scores.get(n), one) for n, one in self.candidates.items()
        ]

    def leader(self) -> OptionResult:
        """The best of the scored candidates; the incumbent where none is."""
        tried = self.tried()
        ranked = [option for option in tried if option.score is not None]
        return min(ranked, key=lambda option: float(option.score or 0), default=tried[0])

    def settle(self) -> None:
        """All options of this parameter are scored: keep the best and go on."""
        winner, tried = self.leader(), self.tried()
        self.changed = self.changed or key(winner.choice) != key(self.best)
        self.best = dict(winner.choice)
        order = [key(option) for option in self.here.values]
        shown = sorted(tried, key=lambda option: order.index(key(option.value)) if key(option.value) in order else -1)
        self.settled.append(ParameterResult(self.here.param, winner.value, winner.score, tuple(shown)))
        self.pass_by()
        self.go_on()

    def go_on(self) -> None:
        """On to the next parameter that exists under the incumbent."""
        while not self.finished:
            self.candidates = self.values_of(self.here, self.best)
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
