"""Searches whose choices are known beforehand: the whole grid, and a random part of it."""

import random
from collections.abc import Iterator

from vmsbench.errors import ConfigurationError
from vmsbench.tuning.searcher import Choice, Searcher, key
from vmsbench.tuning.space import Space


class ListedSearch(Searcher):
    """Asks for each choice of a list in turn, waiting for nothing. Ties go to the first."""

    def __init__(self, choices: Iterator[Choice], count: int, start: Choice) -> None:
        self.choices, self.count, self.start = choices, count, start
        self.order: dict[str, int] = {}
        self.told: set[str] = set()
        self.best: tuple[float, int, Choice] | None = None
        self.due = self.following()

    def following(self) -> Choice | None:
        """The next choice that is not one of those before it in other words."""
        return next((choice for choice in self.choices if key(choice) not in self.order), None)

    def ask(self) -> Choice | None:
        choice = self.due
        if choice is not None:
            self.order[key(choice)] = len(self.order)
            self.due = self.following()
        return choice

    def tell(self, choice: Choice, score: float | None) -> None:
        self.told.add(key(choice))
        if score is not None:
            found = (score, self.order[key(choice)], choice)
            if self.best is None or found[:2] < self.best[:2]:
                self.best = found

    @property
    def finished(self) -> bool:
        return self.due is None and len(self.told) == len(self.order)

    @property
    def incumbent(self) -> Choice:
        return dict(self.start if self.best is None else self.best[2])

    @property
    def budget(self) -> int:
        return self.count


class GridSearch(ListedSearch):
    """Every combination of options, the last coordinate changing fastest."""

    def __init__(self, space: Space) -> None:
        super().__init__(map(space.point, range(space.count())), space.count(), space.start)


class RandomSearch(ListedSearch):
    """`trials` different combinations drawn at random, all alike likely (Bergstra and Bengio 2012)."""

    def __init__(self, space: Space, trials: int = 20, seed: int = 0) -> None:
        if not 1 <= trials <= space.count():
            raise ConfigurationError(
                f"searcher.trials={trials} must lie between 1 and the space's {space.count()} points"
            )
        chosen = random.Random(seed).sample(range(space.count()), trials)
        super().__init__(map(space.point, chosen), trials, space.start)
