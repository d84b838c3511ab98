"""What every launcher is: somebody who runs a function, here or elsewhere, now or later."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any


class Job(ABC):
    """Work that was handed over."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What the user needs to know of a job that runs elsewhere; empty for one that is over already."""

    @abstractmethod
    def result(self) -> Any:
        """What the function returned; waits for it. Raises what it raised."""


class Launcher(ABC):
    """A place to run functions."""

    @abstractmethod
    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        """Hand over `function(*arguments)`; both must be importable and picklable by name.

        Raises UserError where the place does not take it.
        """
