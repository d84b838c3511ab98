"""Here and now: in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, final

from vmsbench.launch.launcher import Job, Launcher


@final
class LocalLauncher(Launcher):
    """Runs the function at once; `submit` returns when it has ended."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Job:
        name = getattr(function, "__name__", type(function).__name__)
        try:
            return Ended(name, value=function(*arguments))
        except Exception as error:
            return Ended(name, error=error)


@final
class Ended(Job):
    """A job that is over."""

    def __init__(self, name: str, value: Any = None, error: Exception | None = None) -> None:
        self._name, self._value, self._error = name, value, error

    @property
    def description(self) -> str:
        how = "ran here" if self._error is None else f"failed here: {type(self._error).__name__}: {self._error}"
        return f"{self._name} {how}"

    @property
    def number(self) -> str:
        return ""

    @property
    def log(self) -> Path:
        return Path("/dev/stdout")

    def wait(self) -> None:
        pass

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value
