"""Searches by Optuna's own ask and tell: what its samplers share here."""

import random
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from vmsbench.errors import ConfigurationError
from vmsbench.search.random import draws
from vmsbench.search.ranges import ValueRange
from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.space import Parameter, Space

if TYPE_CHECKING:
    import optuna

ATTEMPTS = 20


class OptunaSearch(Searcher):
    """`trials` choices of a sampler, given the scores so far; the start first.

    A choice that was stopped is told as pruned with its last step, one that failed as pruned without one. Every choice
    has a sampler of its own, whose seed is of its number, so a search that died continues as if it had not: the
    choices and scores so far are all its state. Where the sampler suggests nothing new in ATTEMPTS attempts (a small
    space), the next new point of the space is taken; where there is none, the search ends before `trials`.

    name      of the option, for errors
    packages  that it needs
    extra     of vmsbench that brings them
    indexed   whether a list of options is a whole number to the sampler, which is the position in it
    sampled   whether the sampler must see every choice asked for again, since it keeps notes of its own in the study

    Raises ConfigurationError where a package is not installed.
    """

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ("optuna",)
    extra: ClassVar[str] = "search"
    indexed: ClassVar[bool] = False
    sampled: ClassVar[bool] = False

    def __init__(self, space: Space, trials: int = 20, seed: int = 0) -> None:
        self.optuna = needed(self.name, self.packages, self.extra)
        if trials < 1:
            raise ConfigurationError(f"searcher.trials={trials}: at least 1")
        self.optuna.logging.set_verbosity(self.optuna.logging.ERROR)
        self.space, self.trials, self.seed = space, trials, seed
        self.study = self.optuna.create_study(sampler=self.optuna.samplers.RandomSampler(0))
        self.states = self.optuna.trial.TrialState
        self.asked: dict[str, optuna.Trial] = {}
        self.scores: dict[str, float | None] = {}
        self.opening = [space.start]
        self.best: tuple[float, int, Params] | None = None
        self.exhausted = False

    @abstractmethod
    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """A new sampler; `seed` differs from choice to choice."""

    def question(self, parameter: Parameter, said: Params) -> tuple[str, list[int]]:
        """A parameter's name to Optuna, and which of its values exist under the choice so far."""
        values = list(map(key, parameter.values))
        positions = [values.index(key(value)) for value in self.space.values(parameter, said)]
        whole = len(positions) == len(values)
        return parameter.param if whole else f"{parameter.param} {positions}", positions

    def define(self, trial: "optuna.Trial") -> Params:
        """Ask for the value of each parameter that exists under the earlier ones."""
        said: Params = {}
        for parameter in self.space:
            name, positions = self.question(parameter, said)
            if positions and parameter.range is not None:
                said[parameter.param] = suggested(trial, name, parameter.range)
            elif positions:
                place = (
                    positions[trial.suggest_int(name, 0, len(positions) - 1)]
                    if self.indexed
                    else trial.suggest_categorical(name, positions)
                )
                said[parameter.param] = parameter.values[place]
        return self.space.normal(said)

    def suggest_next(self, params: Params) -> None:
        """Let Optuna suggest a choice next, as far as its values are among the parameters'."""
        said: Params = {}
        given: dict[str, Any] = {}
        for parameter in self.space:
            name, positions = self.question(parameter, said)
            value = self.space.value(parameter, params)
            if positions and parameter.range is not None:
                place = value if value in parameter.range else None
            else:
                place = next((at for at in positions if key(parameter.values[at]) == key(value)), None)
                place = positions.index(place) if self.indexed and place is not None else place
            if place is not None:
                given[name] = place
                said[parameter.param] = value
        self.study.enqueue_trial(given)

    def ask(self) -> Params | None:
        if len(self.asked) >= self.trials or self.exhausted:
            return None
        while self.opening:
            self.suggest_next(self.opening.pop(0))
            if (params := self.suggest(0)) is not None:
                return params
        for attempt in range(ATTEMPTS):
            if (params := self.suggest(attempt)) is not None:
                return params
        return self.leftover()

    def leftover(self) -> Params | None:
        """A point of the space that was not asked for yet, whatever the sampler suggests."""
        for params in self.points():
            if key(params) not in self.asked:
                self.suggest_next(params)
                return self.suggest(0)
        self.exhausted = True
        return None

    def points(self) -> Iterator[Params]:
        if self.space.listed:
            return map(self.space.point, self.space.ranks())
        return draws(self.space, ATTEMPTS, random.Random(f"{self.seed} {len(self.asked)}"))

    def suggest(self, attempt: int) -> Params | None:
        """Optuna's next suggestion; None where it was suggested before."""
        seed = random.Random(f"{self.seed} {len(self.asked)} {attempt}").getrandbits(32)
        return self.suggestion(lambda: self.sampler(seed))

    def suggestion(self, sampler: Callable[[], "optuna.samplers.BaseSampler"]) -> Params | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is experimental, and values that do not exist there
            self.study.sampler = sampler()
            trial = self.study.ask()
            params = self.define(trial)
        if key(params) in self.asked:
            self.study.tell(trial, state=self.states.FAIL)
            return None
        self.asked[key(params)] = trial
        return params

    def ask_again(self, params: Params) -> Params | None:
        if self.sampled:
            found = self.ask()
            if found is None or key(found) == key(params):
                return found
            self.study.tell(self.asked.pop(key(found)), state=self.states.FAIL)
        if self.opening and key(self.opening[0]) == key(params):
            self.opening.pop(0)
        self.suggest_next(params)
        return self.suggestion(lambda: self.optuna.samplers.RandomSampler(0))

    def tell(self, params: Params, score: float | None) -> None:
        name = key(params)
        self.scores[name] = score
        if score is None:
            self.study.tell(self.asked[name], state=self.states.PRUNED)
            return
        self.study.tell(self.asked[name], score)
        found = (score, self.asked[name].number, params)
        if self.best is None or found[:2] < self.best[:2]:
            self.best = found

    def prune(self, params: Params, epoch: int, score: float) -> None:
        trial = self.asked[key(params)]
        self.scores[key(params)] = None
        trial.report(score, epoch)
        self.study.tell(trial, state=self.states.PRUNED)

    def try_first(self, choices: Sequence[Params]) -> None:
        self.opening = [*choices, *self.opening]

    @property
    def finished(self) -> bool:
        over = len(self.asked) >= self.trials or self.exhausted
        return over and len(self.scores) == len(self.asked)

    @property
    def incumbent(self) -> Params:
        return dict(self.space.start if self.best is None else self.best[2])

    @property
    def max_trials(self) -> int:
        return self.trials


def suggested(trial: "optuna.Trial", name: str, within: ValueRange) -> float:
    if within.whole:
        return trial.suggest_int(name, int(within.low), int(within.last), log=within.log, step=int(within.step or 1))
    return trial.suggest_float(name, within.low, within.last, log=within.log, step=within.step)


def needed(searcher: str, packages: Sequence[str], extra: str) -> Any:
    """Optuna, where it and the other packages are installed. Raises ConfigurationError, with the pip line, else."""
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise ConfigurationError(
                f"searcher={searcher} needs the package {package}: `pip install 'vmsbench[{extra}]'`"
            ) from error
    return import_module("optuna")
