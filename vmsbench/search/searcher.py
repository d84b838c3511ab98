"""The interface of every searcher: `ask` gives the next choice to score, `tell` takes its score."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from vmsbench.errors import ConfigurationError

Params = dict[str, Any]
"""A value for each parameter of the space, by its dotted path in the configuration."""

OF_A_RUN = ("seed", "data.fold")
"""What tells the runs of a choice apart; no parameter of a space."""

ENCODER = json.JSONEncoder(sort_keys=True)


def key(value: Any) -> str:
    """Equal text for equal choices or options."""
    return ENCODER.encode(value)


def without_run(params: Params) -> Params:
    """The choice that a run is one of."""
    return {param: value for param, value in params.items() if param not in OF_A_RUN}


def compared_with(incumbent: Params, run: Params) -> Params | None:
    """The incumbent's run of the same seed and fold, which `guarded_asha` and `incumbent` compare a run with; None for
    the incumbent's own runs, which these two do not stop."""
    if key(without_run(run)) == key(incumbent):
        return None
    return incumbent | {param: value for param, value in run.items() if param in OF_A_RUN}


@dataclass(frozen=True)
class OptionResult:
    """An option, the whole choice it was tried in, and its score; None where it failed or was stopped."""

    value: Any
    score: float | None
    params: Params


@dataclass(frozen=True)
class ParameterResult:
    """A parameter for which the best option is known, given the others; `round` counts from 1."""

    parameter: str
    value: Any
    score: float | None
    options: tuple[OptionResult, ...]
    round: int = 1

    def times(self, sign: int) -> "ParameterResult":
        """The same with every score times `sign`: of a score of which higher is better, as it was measured."""
        tried = (replace(one, score=None if one.score is None else sign * one.score) for one in self.options)
        return replace(self, score=None if self.score is None else sign * self.score, options=tuple(tried))


class Searcher(ABC):
    """Ask and tell; lower scores are better; independent of Ray, folders and time.

    A sweep by a score of which higher is better tells a searcher its negatives.

    The same calls lead to the same choices: so a search that died is rebuilt by repeating its calls with a new
    searcher. `ask` that returns None changes nothing.

    label   what people call it: coordinate search; a class without one of its own is called by its name
    """

    label: ClassVar[str]

    settled: Sequence[ParameterResult] = ()

    @abstractmethod
    def ask(self) -> Params | None:
        """A choice to score next, each at most once; None where more scores are needed first."""

    @abstractmethod
    def tell(self, params: Params, score: float | None) -> None:
        """Take the score of a choice that was asked for; None for one that failed or was stopped, which can never
        win."""

    def prune(self, params: Params, epoch: int, score: float) -> None:
        """Take the last score of a choice that was stopped at that epoch; as one that failed by default."""
        self.tell(params, None)

    def try_first(self, choices: Sequence[Params]) -> None:
        """Choices to ask for before all others, known to be good; called before the first `ask`.

        Raises ConfigurationError where a searcher takes none.
        """
        raise ConfigurationError(f"searcher.first is not a setting of {type(self).__name__}; leave it out")

    def add_option(self, param: str, value: Any) -> None:
        """Try another value of a parameter that is not settled yet; no effect on one that is, or that has it already.

        Raises ConfigurationError where a searcher takes none.
        """
        raise ConfigurationError(f"{type(self).__name__} takes no further options; a coordinate search does")

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether there is nothing left to ask for."""

    @property
    @abstractmethod
    def incumbent(self) -> Params:
        """The best choice known so far; the start where nothing is known."""

    @property
    @abstractmethod
    def max_trials(self) -> int:
        """The most choices that can be asked for."""

    def ahead(self, known: Mapping[str, float | None]) -> Iterator[tuple[Params, str | None]]:
        """What may be asked for next if the best so far stays the best, the most useful first, each with its
        parameter; what was scored or asked for may be among it. Nothing by default.

        known   scores that this searcher was not told yet, by `key(params)`
        """
        return iter(())

    def is_extra(self, params: Params) -> bool:
        """Whether a choice was given for an idle slot alone, and plays no part in the search so far."""
        return False

    def is_needed(self, params: Params) -> bool:
        """Whether a choice that was given is still worth its slot."""
        return True

    def release(self, params: Params) -> None:  # noqa: B027
        """A choice that is not needed was stopped: it is as if it had not been given."""

    def runs(self, params: Params) -> list[Params]:
        """All choices that are run to score this one: itself, and its repeats where there are any."""
        return [params]

    def parameter(self, params: Params) -> str | None:
        """The parameter that a choice was asked for, to be shown; None where the search has no such order."""
        return None

    def ask_again(self, params: Params) -> Params | None:
        """`ask`, where `params` was the answer before this start.

        A sweep that died is rebuilt by replaying its journal in its order: this for each trial that started, `tell` or
        `prune` for each that ended. By default the searcher is asked, and answers the same.
        """
        return self.ask()
