"""The interface of every searcher: `ask` gives the next choice to score, `tell` takes its score."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Params = dict[str, Any]
"""A value for each parameter of the space, by its dotted path in the configuration."""

ENCODER = json.JSONEncoder(sort_keys=True)


def key(value: Any) -> str:
    """Equal text for equal choices or options."""
    return ENCODER.encode(value)


@dataclass(frozen=True)
class OptionResult:
    """An option, the whole choice it was tried in, and its score; None where it failed or was stopped."""

    value: Any
    score: float | None
    choice: Params


@dataclass(frozen=True)
class ParameterResult:
    """A parameter for which the best option is known, given the others."""

    parameter: str
    value: Any
    score: float | None
    tried: tuple[OptionResult, ...]


class Searcher(ABC):
    """Ask and tell; lower scores are better; independent of Ray, folders and time.

    The same scores, in whatever order, lead to the same choices: so a search that died is rebuilt by telling a new
    searcher what is known. Where that is impossible, a searcher takes the known choices from `enqueue`.
    """

    settled: Sequence[ParameterResult] = ()

    @abstractmethod
    def ask(self) -> Params | None:
        """A choice to score next, each at most once; None where more scores are needed first."""

    @abstractmethod
    def tell(self, choice: Params, score: float | None) -> None:
        """Take the score of a choice that was asked for; None for one that failed or was stopped, which can never
        win."""

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

    def runs(self, choice: Params) -> list[Params]:
        """All choices that are run to score this one: itself, and its repeats where there are any."""
        return [choice]

    def parameter(self, choice: Params) -> str | None:
        """The parameter that a choice was asked for, to be shown; None where the search has no such order."""
        return None

    def enqueue(self, choice: Params) -> None:  # noqa: B027
        """A choice that was asked for before this start, in that order; `tell` gives its score when it is asked for
        again.

        For searchers whose choices depend on the order of the scores; the others ask for the same again.
        """
