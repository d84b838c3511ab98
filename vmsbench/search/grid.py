"""Grid search, and what it shares with random search: a list of choices that is known beforehand."""

from collections.abc import Iterator

from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.space import Space


class ListedSearch(Searcher):
    """Asks for each choice of a list in turn, waiting for nothing. Ties go to the first."""

    def __init__(self, choices: Iterator[Params], count: int, start: Params) -> None:
        self.choices, self.count, self.start = choices, count, start
        self.order: dict[str, int] = {}
        self.told: set[str] = set()
        self.best: tuple[float, int, Params] | None = None
        self.due = self.following()

    def following(self) -> Params | None:
        """The next choice that does not mean the same as an earlier one."""
        return next((choice for choice in self.choices if key(choice) not in self.order), None)

    def ask(self) -> Params | None:
        choice = self.due
        if choice is not None:
            self.order[key(choice)] = len(self.order)
            self.due = self.following()
        return choice

    def tell(self, choice: Params, score: float | None) -> None:
        self.told.add(key(choice))
        if score is not None:
            found = (score, self.order[key(choice)], choice)
            if self.best is None or found[:2] < self.best[:2]:
                self.best = found

    @property
    def finished(self) -> bool:
        return self.due is None and len(self.told) == len(self.order)

    @property
    def incumbent(self) -> Params:
        return dict(self.start if self.best is None else self.best[2])

    @property
    def max_trials(self) -> int:
        return self.count


class GridSearch(ListedSearch):
    """Every combination of options, the last parameter changing fastest."""

    def __init__(self, space: Space) -> None:
        super().__init__(map(space.point, range(space.count())), space.count(), space.start)
