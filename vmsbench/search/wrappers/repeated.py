"""Repeats: every choice of another searcher is scored from several seeds, or on several folds of the data, or both."""

from collections.abc import Callable
from itertools import product
from statistics import fmean

from vmsbench.errors import ConfigurationError
from vmsbench.search.searcher import Params, Searcher, key, without_run
from vmsbench.search.wrappers.wrapper import Wrapper


class Repeated(Wrapper):
    """Asks what `searcher` asks, for every run of it: as it is, with seed + 1, seed + 2, ... and on every fold.

    The score of a choice is the mean over its runs, whose seeds and folds are the same for all choices; it has none
    where a run failed or was stopped. Further runs of choices whose first run is complete come first, then new choices,
    then, where slots are idle, further runs of choices whose first run is still under way.

    repeats   seeds, from `seed` on
    folds     of the data, from 0 on: settings of data.fold, where there are two or more
    """

    def __init__(self, searcher: Searcher, repeats: int, seed: int, folds: int = 1) -> None:
        if repeats < 1:
            raise ConfigurationError(f"searcher.repeats={repeats}: at least 1")
        self.searcher = searcher
        self.variants: list[Params] = [
            ({"seed": seed + repeat} if repeat else {}) | ({"data.fold": fold} if fold else {})
            for repeat, fold in product(range(repeats), range(folds))
        ]
        self.open: dict[str, tuple[Params, dict[str, float | None]]] = {}
        self.asked: dict[str, int] = {}

    def ask(self) -> Params | None:
        return self.following(self.searcher.ask)

    def ask_again(self, params: Params) -> Params | None:
        first = without_run(params) == params
        return self.following(lambda: self.searcher.ask_again(params) if first else self.searcher.ask())

    def following(self, ask: Callable[[], Params | None]) -> Params | None:
        again = self.again(first_is_over=True)
        if again is None and (params := ask()) is not None:
            self.open[key(params)] = (params, {})
            self.asked[key(params)] = 1
            return params
        return again or self.again(first_is_over=False)

    def again(self, first_is_over: bool) -> Params | None:
        for name, (params, scores) in self.open.items():
            if (name in scores or not first_is_over) and self.asked[name] < len(self.variants):
                self.asked[name] += 1
                return params | self.variants[self.asked[name] - 1]
        return None

    def prune(self, params: Params, epoch: int, score: float) -> None:
        """A choice of which one run was stopped is stopped itself."""
        base = without_run(params)
        if self.open.pop(key(base), None) is not None:
            self.searcher.prune(base, epoch, score)

    def tell(self, params: Params, score: float | None) -> None:
        base = without_run(params)
        if key(base) not in self.open:
            return
        scores = self.open[key(base)][1]
        scores[key(params)] = score
        if score is None or len(scores) == len(self.variants):
            del self.open[key(base)]
            values = [value for value in scores.values() if value is not None]
            self.searcher.tell(base, fmean(values) if len(values) == len(self.variants) else None)

    @property
    def max_trials(self) -> int:
        return self.searcher.max_trials * len(self.variants)

    def parameter(self, params: Params) -> str | None:
        return self.searcher.parameter(without_run(params))

    def runs(self, params: Params) -> list[Params]:
        return [params | variant for variant in self.variants]
