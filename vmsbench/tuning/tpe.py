"""The tree-structured Parzen estimator (Bergstra et al. 2011): Optuna's, through Ray Tune's own integration."""

import itertools
from typing import Any

from vmsbench.errors import ConfigurationError
from vmsbench.tuning.searcher import Choice, Searcher, key
from vmsbench.tuning.space import Coordinate, Space

ATTEMPTS = 100


class Tpe(Searcher):
    """`trials` choices, the next where good ones are likely, given the scores so far; the start first.

    What it asks depends on the order of the answers, so a search that died takes what it knew from the journal. A
    choice that was stopped or failed counts as worse than any other. Where Optuna names nothing new in ATTEMPTS
    attempts (a small space), the search ends before `trials`.
    Raises ConfigurationError where Optuna is not installed.
    """

    def __init__(self, space: Space, trials: int = 20, seed: int = 0) -> None:
        try:
            import optuna
            from ray.tune.search.optuna import OptunaSearch
        except ImportError as error:
            raise ConfigurationError("searcher=tpe needs Optuna: pip install 'vmsbench[tpe]'") from error
        if trials < 1:
            raise ConfigurationError(f"searcher.trials={trials}: at least 1")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.trials = space, trials
        storage = optuna.storages.InMemoryStorage()
        self.suggester = OptunaSearch(self.define, metric="score", mode="min", storage=storage, seed=seed)
        self.study = optuna.load_study(study_name="optuna", storage=storage)
        self.names: dict[str, str] = {}
        self.scores: dict[str, float | None] = {}
        self.numbers = itertools.count()
        self.again: list[Choice] = []
        self.best: tuple[float, int, Choice] | None = None
        self.exhausted = False

    def question(self, coordinate: Coordinate, said: Choice) -> tuple[str, list[int]]:
        """What Optuna is asked of a coordinate: a name, and which of its options there are under what was said."""
        options = list(map(key, coordinate.options))
        positions = [options.index(key(option)) for option in self.space.options(coordinate, said)]
        whole = len(positions) == len(options)
        return coordinate.param if whole else f"{coordinate.param} {positions}", positions

    def define(self, trial: Any) -> None:
        """Ask for the option of each coordinate that exists under those before it."""
        said: Choice = {}
        for coordinate in self.space:
            name, positions = self.question(coordinate, said)
            if positions:
                said[coordinate.param] = coordinate.options[trial.suggest_categorical(name, positions)]

    def enqueue(self, choice: Choice) -> None:
        """Have Optuna suggest a choice next, as far as its values are options."""
        said: Choice = {}
        indices = {}
        for coordinate in self.space:
            name, positions = self.question(coordinate, said)
            value = self.space.value(coordinate, choice)
            index = next((at for at in positions if key(coordinate.options[at]) == key(value)), None)
            if index is not None:
                indices[name] = index
                said[coordinate.param] = value
        self.study.enqueue_trial(indices)

    def ask(self) -> Choice | None:
        if self.again:
            return self.again.pop(0)
        if len(self.names) >= self.trials or self.exhausted:
            return None
        if not self.names:
            self.enqueue(self.space.start)
        for _ in range(ATTEMPTS):
            choice = self.suggest()
            if choice is not None:
                return choice
        self.exhausted = True
        return None

    def suggest(self) -> Choice | None:
        """What Optuna names next; None where it was named before, which Optuna is told at once."""
        name = str(next(self.numbers))
        suggested = self.suggester.suggest(name)
        assert suggested is not None
        said: Choice = {}
        for suggestion, index in suggested.items():
            param = suggestion.split(" ")[0]
            said[param] = next(one for one in self.space if one.param == param).options[index]
        choice = self.space.normal(said)
        if key(choice) in self.names:
            known = self.scores.get(key(choice))
            self.suggester.on_trial_complete(name, None if known is None else {"score": known}, error=known is None)
            return None
        self.names[key(choice)] = name
        return choice

    def tell(self, choice: Choice, score: float | None) -> None:
        self.scores[key(choice)] = score
        self.suggester.on_trial_complete(self.names[key(choice)], None if score is None else {"score": score})
        if score is not None:
            found = (score, list(self.names).index(key(choice)), choice)
            if self.best is None or found[:2] < self.best[:2]:
                self.best = found

    def remember(self, choice: Choice) -> None:
        self.enqueue(choice)
        if (suggested := self.suggest()) is not None:
            self.again.append(suggested)

    @property
    def finished(self) -> bool:
        over = len(self.names) >= self.trials or self.exhausted
        return over and not self.again and len(self.scores) == len(self.names)

    @property
    def incumbent(self) -> Choice:
        return dict(self.space.start if self.best is None else self.best[2])

    @property
    def budget(self) -> int:
        return self.trials
