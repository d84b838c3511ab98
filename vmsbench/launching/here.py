"""The launcher that runs work in this process, at once."""

from collections.abc import Callable
from typing import Any

from vmsbench.launching.launcher import Job, Launcher


class Done(Job):
    """A job that is over."""

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def description(self) -> str:
        return ""

    def result(self) -> Any:
        return self.value


class Here(Launcher):
    """This process."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        return Done(function(*arguments))
