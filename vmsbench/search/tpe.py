"""The tree-structured Parzen estimator (Bergstra et al. 2011), by Optuna's own ask and tell."""

import warnings
from typing import TYPE_CHECKING

from vmsbench.errors import ConfigurationError
from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.space import Parameter, Space

if TYPE_CHECKING:
    import optuna

ATTEMPTS = 100


class Tpe(Searcher):
    """`trials` choices, each where good ones are likely, given the scores so far; the start first.

    The choices depend on the order of the scores, so a search that died takes what it knew from `enqueue`. A choice
    that was pruned or failed counts as worse than any other. Where Optuna suggests nothing new in ATTEMPTS attempts (a
    small space), the search ends before `trials`.
    Raises ConfigurationError where Optuna is not installed.
    """

    def __init__(self, space: Space, trials: int = 20, seed: int = 0) -> None:
        try:
            import optuna
        except ImportError as error:
            raise ConfigurationError("searcher=tpe needs Optuna: `pip install 'vmsbench[tpe]'`") from error
        if trials < 1:
            raise ConfigurationError(f"searcher.trials={trials}: at least 1")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.trials = space, trials
        self.study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        self.states = optuna.trial.TrialState
        self.asked: dict[str, optuna.Trial] = {}
        self.scores: dict[str, float | None] = {}
        self.waiting: list[Params] = []
        self.best: tuple[float, int, Params] | None = None
        self.exhausted = False

    def question(self, parameter: Parameter, said: Params) -> tuple[str, list[int]]:
        """A parameter as Optuna's categorical: a name, and which of its values exist under the choice so far."""
        values = list(map(key, parameter.values))
        positions = [values.index(key(value)) for value in self.space.values(parameter, said)]
        whole = len(positions) == len(values)
        return parameter.param if whole else f"{parameter.param} {positions}", positions

    def define(self, trial: "optuna.Trial") -> Params:
        """Ask for the value of each parameter that exists under the earlier ones."""
        said: Params = {}
        for parameter in self.space:
            name, positions = self.question(parameter, said)
            if positions:
                said[parameter.param] = parameter.values[trial.suggest_categorical(name, positions)]
        return self.space.normal(said)

    def suggest_next(self, choice: Params) -> None:
        """Let Optuna suggest a choice next, as far as its values are among the parameters'."""
        said: Params = {}
        indices = {}
        for parameter in self.space:
            name, positions = self.question(parameter, said)
            value = self.space.value(parameter, choice)
            index = next((at for at in positions if key(parameter.values[at]) == key(value)), None)
            if index is not None:
                indices[name] = index
                said[parameter.param] = value
        self.study.enqueue_trial(indices)

    def ask(self) -> Params | None:
        if self.waiting:
            return self.waiting.pop(0)
        if len(self.asked) >= self.trials or self.exhausted:
            return None
        if not self.asked:
            self.suggest_next(self.space.start)
        for _ in range(ATTEMPTS):
            choice = self.suggest()
            if choice is not None:
                return choice
        self.exhausted = True
        return None

    def suggest(self) -> Params | None:
        """Optuna's next suggestion; None where it was suggested before, and Optuna gets its score at once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values within `enqueue_trial` that do not exist there
            trial = self.study.ask()
            choice = self.define(trial)
        if key(choice) in self.asked:
            self.answer_again(trial, choice)
            return None
        self.asked[key(choice)] = trial
        return choice

    def answer(self, trial: "optuna.Trial", score: float | None) -> None:
        if score is None:
            self.study.tell(trial, state=self.states.PRUNED)
        else:
            self.study.tell(trial, score)

    def answer_again(self, trial: "optuna.Trial", choice: Params) -> None:
        """Give Optuna the score of a choice that it suggested again, where that is known."""
        if key(choice) in self.scores:
            self.answer(trial, self.scores[key(choice)])
        else:
            self.study.tell(trial, state=self.states.FAIL)

    def tell(self, choice: Params, score: float | None) -> None:
        self.scores[key(choice)] = score
        self.answer(self.asked[key(choice)], score)
        if score is not None:
            found = (score, list(self.asked).index(key(choice)), choice)
            if self.best is None or found[:2] < self.best[:2]:
                self.best = found

    def enqueue(self, choice: Params) -> None:
        self.suggest_next(choice)
        if (suggested := self.suggest()) is not None:
            self.waiting.append(suggested)

    @property
    def finished(self) -> bool:
        over = len(self.asked) >= self.trials or self.exhausted
        return over and not self.waiting and len(self.scores) == len(self.asked)

    @property
    def incumbent(self) -> Params:
        return dict(self.space.start if self.best is None else self.best[2])

    @property
    def max_trials(self) -> int:
        return self.trials
