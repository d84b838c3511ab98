"""Sequential coordinate search: settle one parameter at a time."""

from collections.abc import Sequence

from vmsbench.errors import ConfigurationError
from vmsbench.tuning.searcher import Choice, Coordinate, Searcher, Settled, Tried, key


class CoordinateSearch(Searcher):
    """Vary one parameter, keep the best, go on to the next; again from the first in the next round.

    The start's own value is tried first where it is no option. What was scored is never asked again. Ties go to the
    incumbent, then to the order of options; where all options fail, the incumbent stays. The search ends after
    `rounds`, or after one that changed nothing.
    """

    def __init__(self, coordinates: Sequence[Coordinate], start: Choice, rounds: int = 1) -> None:
        if rounds < 1:
            raise ConfigurationError(f"searcher.rounds={rounds}: at least 1")
        if not coordinates:
            raise ConfigurationError("space: no coordinates; a search needs a parameter to vary")
        self.coordinates, self.rounds = coordinates, rounds
        self.settled: list[Settled] = []
        self.scores: dict[str, float | None] = {}
        self.asked: set[str] = set()
        self.best = dict(start)
        self.position = 0
        self.changed = False
        self.candidates = self.candidates_here()

    def ask(self) -> Choice | None:
        for choice in self.candidates:
            if key(choice) not in self.asked:
                self.asked.add(key(choice))
                return choice
        return None

    def tell(self, choice: Choice, score: float | None) -> None:
        self.asked.add(key(choice))
        self.scores[key(choice)] = score
        while not self.finished and all(key(candidate) in self.scores for candidate in self.candidates):
            self.settle()

    @property
    def finished(self) -> bool:
        return self.position >= self.rounds * len(self.coordinates)

    @property
    def incumbent(self) -> Choice:
        return dict(self.best)

    @property
    def budget(self) -> int:
        first = 1 + sum(len(coordinate.options) for coordinate in self.coordinates)
        return first + (self.rounds - 1) * (first - 1)

    @property
    def next_coordinate(self) -> str | None:
        return None if self.finished else self.here.param

    @property
    def here(self) -> Coordinate:
        return self.coordinates[self.position % len(self.coordinates)]

    def candidates_here(self) -> list[Choice]:
        """The incumbent, then each other option of the parameter that is due."""
        param = self.here.param
        others = [option for option in self.here.options if key(option) != key(self.best[param])]
        return [dict(self.best)] + [self.best | {param: option} for option in others]

    def settle(self) -> None:
        """All options of this parameter are scored: keep the best and go on."""
        param = self.here.param
        tried = [Tried(choice[param], self.scores[key(choice)], choice) for choice in self.candidates]
        ranked = [option for option in tried if option.score is not None]
        winner = min(ranked, key=lambda option: float(option.score or 0), default=tried[0])
        self.changed = self.changed or winner is not tried[0]
        self.best[param] = winner.value
        order = [key(option) for option in self.here.options]
        shown = sorted(tried, key=lambda option: order.index(key(option.value)) if key(option.value) in order else -1)
        self.settled.append(Settled(param, winner.value, winner.score, tuple(shown)))
        self.position += 1
        if self.position % len(self.coordinates) == 0:
            if not self.changed:
                self.position = self.rounds * len(self.coordinates)
            self.changed = False
        if not self.finished:
            self.candidates = self.candidates_here()
