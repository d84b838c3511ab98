"""Racing over seeds: a choice is trained from further seeds only while it may still beat the incumbent.

As the intensifiers of SMAC (Hutter et al. 2011) and irace (Lopez-Ibanez et al. 2016) do: by a paired t-test over
seeds, whose variance is moderated (Smyth 2004), since a pair of choices has few seeds in common.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median

from vmsbench.errors import ConfigurationError
from vmsbench.search.searcher import Params, Searcher, key, without_run
from vmsbench.search.wrappers.wrapper import Wrapper

LEVEL = 1.0
"""Standard errors by which a choice is worse where it is dropped. One that is as good as the incumbent is, at each of
its seeds, by luck alone in about one case in five."""

SURE = 1.0
"""Standard errors by which a choice with all seeds must be better to win; one that is as good as the incumbent is by
luck alone in about one case in five."""

PRIOR = 2.0
"""Degrees of freedom of the spread between the seeds of all choices, next to those of the pair that is compared."""


class Racing(Wrapper):
    """Asks what `searcher` asks, from one seed first, then from further ones, up to `seeds`.

    The incumbent of the search has all seeds. A challenger is compared with it seed by seed, on the seeds that both
    have: it is dropped as soon as the mean of the differences is worse by more than LEVEL of its standard errors. The
    rest get all seeds, and their score is the mean, where it is better than the incumbent's by SURE standard errors;
    else the incumbent stays. The score of one that is dropped is the incumbent's, plus what it is worse by.

    Raises ConfigurationError for one seed.
    """

    def __init__(self, searcher: Searcher, seeds: int, seed: int) -> None:
        if seeds < 2:
            raise ConfigurationError(
                f"searcher.racing=true with searcher.repeats={seeds}: a race needs 2 seeds or more; searcher.repeats=5"
            )
        self.searcher, self.seeds, self.seed = searcher, seeds, seed
        self.open: dict[str, Params] = {}
        self.asked: dict[str, int] = {}
        self.scores: dict[str, dict[int, float]] = {}

    def ask(self) -> Params | None:
        return self.following(self.searcher.ask)

    def ask_again(self, params: Params) -> Params | None:
        return self.following(lambda: self.searcher.ask() if "seed" in params else self.searcher.ask_again(params))

    def following(self, ask: Callable[[], Params | None]) -> Params | None:
        """The next seed of a choice that is still in the race, else a new choice, else a seed before it is known
        whether it will be needed."""
        again = self.further(ahead=0)
        if again is None and (params := ask()) is not None:
            self.open[key(params)], self.asked[key(params)], self.scores[key(params)] = params, 1, {}
            return params
        return again or self.further(ahead=self.seeds)

    def further(self, ahead: int) -> Params | None:
        for name, params in self.open.items():
            if self.asked[name] < min(self.seeds, len(self.scores[name]) + 1 + ahead) and self.scores[name]:
                self.asked[name] += 1
                return self.runs(params)[self.asked[name] - 1]
        return None

    def tell(self, params: Params, score: float | None) -> None:
        base = without_run(params)
        name = key(base)
        if name not in self.open:
            return
        if score is None:
            self.decide(base, None)
            return
        scores = self.scores[name]
        scores[params.get("seed", self.seed) - self.seed] = score
        if len(scores) == self.seeds:
            self.decide(base, self.score(name))
        elif (worse := self.worse_by(name)) is not None:
            self.decide(base, fmean(self.scores[key(self.searcher.incumbent)].values()) + worse)

    def score(self, name: str) -> float:
        """Of a choice that has all seeds; never below the incumbent's where that may be luck."""
        best, own = self.scores.get(key(self.searcher.incumbent), {}), fmean(self.scores[name].values())
        if len(best) < self.seeds or name == key(self.searcher.incumbent):
            return own
        least = fmean(best.values())
        sure = own < least - SURE * (self.error(best, self.scores[name]) or 0.0)
        return own if sure else max(own, least)

    def decide(self, params: Params, score: float | None) -> None:
        del self.open[key(params)]
        self.searcher.tell(params, score)

    def prune(self, params: Params, epoch: int, score: float) -> None:
        """A choice of which one run was stopped is out of the race."""
        if self.open.pop(key(without_run(params)), None) is not None:
            self.searcher.prune(without_run(params), epoch, score)

    def worse_by(self, name: str) -> float | None:
        """By how much a choice is worse than the incumbent, where that is clear; None where it is not."""
        best, own = self.scores.get(key(self.searcher.incumbent), {}), self.scores[name]
        error = self.error(best, own)
        if len(best) < self.seeds or error is None:
            return None
        worse = fmean(own[seed] - best[seed] for seed in own)
        return worse if worse > LEVEL * error else None

    def error(self, best: Mapping[int, float], own: Mapping[int, float]) -> float | None:
        """The standard error of the mean difference between two choices on the seeds of `own`; None where no choice has
        two seeds yet.

        Its variance is that of these differences, moderated by what the median choice's spread makes likely, as PRIOR
        further degrees of freedom: one choice whose training is unstable says nothing about the others.
        """
        spreads = [variance(list(scores.values())) for scores in self.scores.values() if len(scores) > 1]
        if not spreads:
            return None
        differences = [own[seed] - best[seed] for seed in own if seed in best]
        freedom = max(0, len(differences) - 1)
        squares = freedom * variance(differences) if freedom else 0.0
        return math.sqrt((PRIOR * 2 * median(spreads) + squares) / (PRIOR + freedom) / len(own))

    @property
    def max_trials(self) -> int:
        return self.searcher.max_trials * self.seeds

    def parameter(self, params: Params) -> str | None:
        return self.searcher.parameter(without_run(params))

    def runs(self, params: Params) -> list[Params]:
        return [params, *(params | {"seed": self.seed + repeat} for repeat in range(1, self.seeds))]


def variance(values: Sequence[float]) -> float:
    """Of two values or more, by floats; the standard library's is of fractions, and slow."""
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
