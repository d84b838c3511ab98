"""What a launcher promises: give it a function, get a job."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError


class JobError(UserError):
    """A job that ended without a result; its text ends with the function's own error."""


class Job(ABC):
    """TrialSource that was begun, or waits for its turn."""

    @property
    @abstractmethod
    def description(self) -> str:
        """One line for the user: what it is, where its log is, how to cancel it."""

    @property
    @abstractmethod
    def number(self) -> str:
        """What it is called where it runs; empty where it has no name."""

    @property
    @abstractmethod
    def log(self) -> Path:
        """Where its words go."""

    @abstractmethod
    def wait(self) -> None:
        """Return when the job has ended, well or badly."""

    @abstractmethod
    def result(self) -> Any:
        """What the function returned; waits for it.

        Raises what the function raised where that is known as an object, else JobError with its words.
        """


class Launcher(ABC):
    """Runs functions somewhere."""

    @abstractmethod
    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        """Run `function(*arguments)`, now or when there is room; errors of the function are the job's, not raised here.

        The function and its arguments can be pickled, and the function can be imported by its name. It may be begun
        again from the start, with the same arguments, where its machine was taken away: running it again continues it.
        Raises UserError where it cannot be submitted, with the reason and what would help; then nothing was submitted.
        """
