"""Repeats: every choice of another searcher is scored from several seeds, and its score is their mean."""

from collections.abc import Callable
from statistics import fmean

from vmsbench.errors import ConfigurationError
from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.wrappers.wrapper import Wrapper


class Repeated(Wrapper):
    """Asks what `searcher` asks, `repeats` times each: as it is, then with seed + 1, seed + 2, ...

    A choice with a run that failed or was stopped has no score. Repeats of choices whose first run is complete come
    first, then new choices, then, where slots are idle, repeats of choices whose first run is still under way.
    """

    def __init__(self, searcher: Searcher, repeats: int, seed: int) -> None:
        if repeats < 1:
            raise ConfigurationError(f"searcher.repeats={repeats}: at least 1")
        self.searcher, self.repeats, self.seed = searcher, repeats, seed
        self.open: dict[str, tuple[Params, dict[int, float | None]]] = {}
        self.asked: dict[str, int] = {}

    def ask(self) -> Params | None:
        return self.following(self.searcher.ask)

    def ask_again(self, choice: Params) -> Params | None:
        return self.following(lambda: self.searcher.ask() if "seed" in choice else self.searcher.ask_again(choice))

    def following(self, ask: Callable[[], Params | None]) -> Params | None:
        again = self.again(first_is_over=True)
        if again is None and (choice := ask()) is not None:
            self.open[key(choice)] = (choice, {})
            self.asked[key(choice)] = 1
            return choice
        return again or self.again(first_is_over=False)

    def again(self, first_is_over: bool) -> Params | None:
        for name, (choice, scores) in self.open.items():
            if (0 in scores or not first_is_over) and self.asked[name] < self.repeats:
                self.asked[name] += 1
                return self.runs(choice)[self.asked[name] - 1]
        return None

    def prune(self, choice: Params, epoch: int, score: float) -> None:
        """A choice of which one run was stopped is stopped itself."""
        base = {param: value for param, value in choice.items() if param != "seed"}
        if self.open.pop(key(base), None) is not None:
            self.searcher.prune(base, epoch, score)

    def tell(self, choice: Params, score: float | None) -> None:
        base = {param: value for param, value in choice.items() if param != "seed"}
        if key(base) not in self.open:
            return
        scores = self.open[key(base)][1]
        scores[choice.get("seed", self.seed) - self.seed] = score
        if score is None or len(scores) == self.repeats:
            del self.open[key(base)]
            values = [value for value in scores.values() if value is not None]
            self.searcher.tell(base, fmean(values) if len(values) == self.repeats else None)

    @property
    def max_trials(self) -> int:
        return self.searcher.max_trials * self.repeats

    def parameter(self, choice: Params) -> str | None:
        return self.searcher.parameter({param: value for param, value in choice.items() if param != "seed"})

    def runs(self, choice: Params) -> list[Params]:
        return [choice, *(choice | {"seed": self.seed + repeat} for repeat in range(1, self.repeats))]
