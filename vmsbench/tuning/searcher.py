"""What every searcher is: somebody who asks for choices and is told their scores."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmsbench.errors import ConfigurationError

Choice = dict[str, Any]
"""A value for each parameter of the space, by its dotted path in the configuration."""


def key(value: Any) -> str:
    """Equal text for equal choices or options."""
    return json.dumps(value, sort_keys=True)


@dataclass(frozen=True)
class Coordinate:
    """One parameter and the options it has, in order. Raises ConfigurationError where there are none, or one twice."""

    param: str
    options: Sequence[Any]

    def __post_init__(self) -> None:
        if not self.options:
            raise ConfigurationError(f"space: {self.param} has no options; give it at least one")
        if len({key(option) for option in self.options}) < len(self.options):
            raise ConfigurationError(f"space: {self.param} has an option twice: {list(self.options)}")


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
    searcher what is known.
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

    @property
    def next_coordinate(self) -> str | None:
        """The parameter being settled now, for people; None where the search has no such order."""
        return None
