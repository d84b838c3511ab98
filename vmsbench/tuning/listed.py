"""Searches whose choices are known beforehand: the whole grid, and a random part of it."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence

from vmsbench.errors import ConfigurationError
from vmsbench.tuning.searcher import Choice, Coordinate, Searcher, key


class ListedSearch(Searcher):
    """Asks for each choice of a list in turn, waiting for nothing."""

    def __init__(self, choices: Iterator[Choice], count: int, start: Choice) -> None:
        self.choices, self.count, self.start = choices, count, start
        self.scores: dict[str, float | None] = {}
        self.best: tuple[float, Choice] | None = None
        self.asked = 0

    def ask(self) -> Choice | None:
        choice = next(self.choices, None)
        if choice is not None:
            self.asked += 1
        return choice

    def tell(self, choice: Choice, score: float | None) -> None:
        self.scores[key(choice)] = score
        if score is not None and (self.best is None or (score, key(choice)) < (self.best[0], key(self.best[1]))):
            self.best = (score, choice)

    @property
    def finished(self) -> bool:
        return len(self.scores) >= self.count

    @property
    def incumbent(self) -> Choice:
        return dict(self.start if self.best is None else self.best[1])

    @property
    def budget(self) -> int:
        return self.count


class GridSearch(ListedSearch):
    """Every combination of options, the last coordinate changing fastest."""

    def __init__(self, coordinates: Sequence[Coordinate], start: Choice) -> None:
        count = math.prod(len(coordinate.options) for coordinate in coordinates)
        super().__init__(grid(coordinates), count, start)


class RandomSearch(ListedSearch):
    """`trials` different combinations drawn at random, all alike likely (Bergstra and Bengio 2012)."""

    def __init__(self, coordinates: Sequence[Coordinate], start: Choice, trials: int = 20, seed: int = 0) -> None:
        total = math.prod(len(coordinate.options) for coordinate in coordinates)
        if not 1 <= trials <= total:
            raise ConfigurationError(f"searcher.trials={trials} must lie between 1 and the space's {total} points")
        chosen = random.Random(seed).sample(range(total), trials)
        super().__init__((point(coordinates, index) for index in chosen), trials, start)


def grid(coordinates: Sequence[Coordinate]) -> Iterator[Choice]:
    names = [coordinate.param for coordinate in coordinates]
    for options in itertools.product(*(coordinate.options for coordinate in coordinates)):
        yield dict(zip(names, options, strict=True))


def point(coordinates: Sequence[Coordinate], index: int) -> Choice:
    """The combination that stands at `index` in the grid."""
    choice: Choice = {}
    for coordinate in reversed(coordinates):
        index, option = divmod(index, len(coordinate.options))
        choice[coordinate.param] = coordinate.options[option]
    return {coordinate.param: choice[coordinate.param] for coordinate in coordinates}
