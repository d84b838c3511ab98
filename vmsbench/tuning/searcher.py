"""What every searcher is: somebody who asks for choices and is told their scores."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Choice = dict[str, Any]
"""A value for each parameter of the space, by its dotted path in the configuration."""

ENCODER = json.JSONEncoder(sort_keys=True)


def key(value: Any) -> str:
    """Equal text for equal choices or options."""
    return ENCODER.encode(value)


@dataclass(frozen=True)
class Tried:
    """An option, the whole choice it was tried in, and the score it reached; None where it failed or was stopped."""

    value: Any
    score: float | None
    choice: Choice


@dataclass(frozen=True)
class Settled:
    """A parameter for which the best option is known, given the others."""

    coordinate: str
    value: Any
    score: float | None
    tried: tuple[Tried, ...]


class Searcher(ABC):
    """Asks and is told; lower scores are better; knows nothing of Ray, folders or time.

    The same answers, in whatever order, lead to the same questions: so a search that died is rebuilt by telling a new
    searcher what is known. Where that cannot be, a searcher takes what was known from `remember`.
    """

    settled: Sequence[Settled] = ()

    @abstractmethod
    def ask(self) -> Choice | None:
        """A choice to score next, each at most once; None where none can be named before more scores are told."""

    @abstractmethod
    def tell(self, choice: Choice, score: float | None) -> None:
        """The score of a choice that was asked; None for one that failed or was stopped, which can never win."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether there is nothing left to ask."""

    @property
    @abstractmethod
    def incumbent(self) -> Choice:
        """The best choice known so far; the start where nothing is known."""

    @property
    @abstractmethod
    def budget(self) -> int:
        """How many choices can be asked at most."""

    def runs(self, choice: Choice) -> list[Choice]:
        """All that is asked to score a choice: itself, and its repeats where there are any."""
        return [choice]

    def coordinate(self, choice: Choice) -> str | None:
        """The parameter that a choice was asked for, for people; None where the search has no such order."""
        return None

    def remember(self, choice: Choice) -> None:  # noqa: B027
        """A choice that was asked before this start, in the order it was; it will be told when it is asked again.

        For searchers whose questions depend on the order of the answers; the others ask the same again.
        """
