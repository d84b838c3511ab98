"""Work for idle slots: what the search is likely to ask for next, and further seeds of the best so far."""

from collections.abc import Callable, Iterator, Mapping

from vmsbench.search.searcher import Params, Searcher, key, without_run
from vmsbench.search.wrappers.wrapper import Wrapper

SEEDS = range(100, 108)
"""Added to the seed of a choice for extra trainings of it: others than those of its repeats."""

SHARE = 3
"""So many times the trials of the search are run from further seeds at most."""

Outcome = tuple[float | None, int | None]
"""A score, and the epoch at which the choice was stopped; None where it was not."""


class Filled(Wrapper):
    """Asks what `searcher` asks; where that waits for scores, for extra choices.

    These are, in this order: what it asks for next if the best so far stays the best (the next parameters' options,
    the numbers around the best of a range), then further seeds of the best choices. It is told of the former only when
    it asks for them, and never of the latter, so the same scores lead to the same winner with or without them. Extra
    choices that are not likely to be asked for any more are not needed, nor are any once the search is finished; and
    they make way for what the search needs, to continue later.

    seed   of the choices themselves
    """

    def __init__(self, searcher: Searcher, seed: int) -> None:
        self.searcher, self.seed = searcher, seed
        self.asked: dict[str, Params] = {}
        self.needed: set[str] = set()
        self.outcomes: dict[str, Outcome] = {}
        self.parameters: dict[str, str | None] = {}
        self.due: list[Params] = []
        self.leaving: set[str] = set()
        self.seeds = 0

    def ask(self) -> Params | None:
        return self.following(self.searcher.ask)

    def ask_again(self, params: Params) -> Params | None:
        return self.following(lambda: self.searcher.ask_again(params))

    def following(self, ask: Callable[[], Params | None]) -> Params | None:
        """The next choice that the search needs and that is not known or running; else an extra one."""
        params = self.due.pop(0) if self.due else self.wanted(ask)
        if params is not None:
            return params
        found = None if self.searcher.finished else next(self.idle(), None)
        if found is None:
            return None
        self.seeds += "seed" in found[0]
        self.asked[key(found[0])], self.parameters[key(found[0])] = found
        return found[0]

    def wanted(self, ask: Callable[[], Params | None]) -> Params | None:
        """The next choice that the search needs; it is told at once of what is known."""
        while (params := ask()) is not None:
            name = key(params)
            self.needed.add(name)
            if name in self.outcomes:
                self.pass_on(params)
            elif name not in self.asked:
                self.asked[name] = params
                return params
        return None

    def idle(self) -> Iterator[tuple[Params, str | None]]:
        """Extra choices that were not given yet, each with its parameter, the most useful first."""
        yield from (one for one in self.searcher.ahead(self.scores) if key(one[0]) not in self.asked)
        if self.seeds < SHARE * self.searcher.max_trials:
            yield from ((params, None) for params in self.further_seeds() if key(params) not in self.asked)

    def further_seeds(self) -> Iterator[Params]:
        scores = self.scores
        complete = {name: score for name, score in scores.items() if score is not None and self.is_first_run(name)}
        best = [self.asked[name] for name in sorted(complete, key=lambda name: complete[name])]
        for further in SEEDS:
            for params in best or [self.searcher.incumbent]:
                yield params | {"seed": self.seed + further}

    def is_first_run(self, name: str) -> bool:
        return without_run(self.asked[name]) == self.asked[name]

    @property
    def scores(self) -> Mapping[str, float | None]:
        """The scores of all that was trained to its end, or failed."""
        return {name: score if epoch is None else None for name, (score, epoch) in self.outcomes.items()}

    def tell(self, params: Params, score: float | None) -> None:
        self.end(params, (score, None))

    def prune(self, params: Params, epoch: int, score: float) -> None:
        self.end(params, (score, epoch))

    def end(self, params: Params, outcome: Outcome) -> None:
        self.outcomes[key(params)] = outcome
        self.asked.setdefault(key(params), params)
        if key(params) in self.needed:
            self.pass_on(params)

    def pass_on(self, params: Params) -> None:
        score, epoch = self.outcomes[key(params)]
        if epoch is None or score is None:
            self.searcher.tell(params, score)
        else:
            self.searcher.prune(params, epoch, score)

    def is_extra(self, params: Params) -> bool:
        return key(params) not in self.needed

    def is_needed(self, params: Params) -> bool:
        name = key(params)
        if name in self.needed:
            return True
        if self.searcher.finished or name in self.leaving:
            return False
        self.due += iter(lambda: self.wanted(self.searcher.ask), None)
        if name in self.needed:
            return True
        if len(self.leaving) < len(self.due):
            self.leaving.add(name)
            return False
        return "seed" in params or any(key(one) == name for one, _ in self.searcher.ahead(self.scores))

    def release(self, params: Params) -> None:
        self.asked.pop(key(params), None)
        self.leaving.discard(key(params))

    @property
    def max_trials(self) -> int:
        return (1 + SHARE) * self.searcher.max_trials

    def parameter(self, params: Params) -> str | None:
        return self.searcher.parameter(params) or self.parameters.get(key(params))
