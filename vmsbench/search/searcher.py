"""What every searcher is: somebody who asks for choices and is told their scores."""

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
    """An option, the whole choice it was tried in, and the score it reached; None where it failed or was stopped."""

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
    """Asks and is told; lower scores are better; knows nothing of Ray, folders or time.

    The same answers, in whatever order, lead to the same questions: so a search that died is rebuilt by telling a new
    searcher what is known. Where that cannot be, a searcher takes what was known from `enqueue`.
    """

    settled: Sequence[ParameterResult] = ()

    @abstractmethod
    def ask(self) -> Params | None:
        """A choice to score next, each at most once; None where none can be named before more scores are told."""

    @abstractmethod
    def tell(self, choice: Params, score: float | None) -> None:
        """The score of a choice that was asked; None for one that failed or was stopped, which can never win."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether there is nothing left to ask."""

    @property
    @abstractmethod
    def incumbent(self) -> Params:
        """The best choice known so far; the start where nothing is known."""

    @property
    @abstractmethod
    def max_trials(self) -> int:
        """How many choices can be asked at most."""

    def runs(self, choice: Params) -> list[Params]:
        """All that is asked to score a choice: itself, and its repeats where there are any."""
        return [choice]

    def parameter(self, choice: Params) -> str | None:
        """The parameter that a choice was asked for, for people; None where the search has no such order."""
        return None

    def enqueue(self, choice: Params) -> None:  # noqa: B027
        """A choice that was asked before this start, in the order it was; it will be told when it is asked again.

        For searchers whose questions depend on the order of the answers; the others ask the same again.
        """
