"""Grid search, and what it shares with random search: a list of choices that is known beforehand."""

import itertools
from collections.abc import Iterator, Sequence
from typing import ClassVar

from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.space import Space


class ListedSearch(Searcher):
    """Asks for each choice of a list in turn, waiting for nothing. Ties go to the first."""

    def __init__(self, choices: Iterator[Params], count: int, start: Params) -> None:
        """`choices` may be endless; `count` of them are asked for."""
        self.choices, self.count, self.start = choices, count, start
        self.order: dict[str, int] = {}
        self.scored: set[str] = set()
        self.best: tuple[float, int, Params] | None = None
        self.due = self.following()

    def following(self) -> Params | None:
        """The next choice that does not mean the same as an earlier one; None after `count` of them."""
        if len(self.order) >= self.count:
            return None
        return next((params for params in self.choices if key(params) not in self.order), None)

    def ask(self) -> Params | None:
        params = self.due
        if params is not None:
            self.order[key(params)] = len(self.order)
            self.due = self.following()
        return params

    def try_first(self, choices: Sequence[Params]) -> None:
        self.count = self.with_first(len(choices))
        due = [] if self.due is None else [self.due]
        self.choices = itertools.chain(choices, due, self.choices)
        self.due = self.following()

    def with_first(self, first: int) -> int:
        """How many choices are asked for where so many others come first."""
        return self.count

    def tell(self, params: Params, score: float | None) -> None:
        self.scored.add(key(params))
        if score is not None:
            found = (score, self.order[key(params)], params)
            if self.best is None or found[:2] < self.best[:2]:
                self.best = found

    @property
    def finished(self) -> bool:
        return self.due is None and len(self.scored) == len(self.order)

    @property
    def incumbent(self) -> Params:
        return dict(self.start if self.best is None else self.best[2])

    @property
    def max_trials(self) -> int:
        return self.count


class GridSearch(ListedSearch):
    """Every combination of options, the last parameter changing fastest.

    Raises ConfigurationError for a range, of which there is no such list.
    """

    label: ClassVar[str] = "grid"

    def __init__(self, space: Space) -> None:
        ranks = space.ranks()
        super().__init__(map(space.point, ranks), len(ranks), space.start)

    def with_first(self, first: int) -> int:
        return self.count + first
