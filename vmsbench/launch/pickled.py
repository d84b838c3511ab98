"""A function, its arguments and its result in files, for launchers whose jobs run a command.

python -m vmsbench.launch.pickled FOLDER/NAME.call     runs the function, and writes FOLDER/NAME.result
"""

import importlib
import pickle
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, final

from vmsbench.errors import UserError
from vmsbench.files import read_bytes, restrict_umask
from vmsbench.launch.allocation import python
from vmsbench.launch.launcher import Job, JobError, Launcher
from vmsbench.versions import PUBLIC

ARRIVAL = 30.0
"""Seconds in which a shared disk shows a result after its job is over."""


def check_importable(function: Callable[..., Any]) -> None:
    """Raises UserError for what a job cannot import by name: lambdas, inner functions, functions of a script."""
    while isinstance(function, partial):
        function = function.func
    thing: Any = function if hasattr(function, "__qualname__") else type(function)
    path = f"{thing.__module__}.{thing.__qualname__}"
    if thing.__module__ == "__main__" or "<" in thing.__qualname__:
        raise UserError(f"{path} cannot be imported inside a job: move it to the top level of a module")
    importlib.import_module(thing.__module__)


def save_call(folder: Path, function: Callable[..., Any], *arguments: Any) -> Path:
    """Write a call to a new file in `folder`. Raises UserError where that cannot be done."""
    check_importable(function)
    file = folder / f"{uuid.uuid4().hex}.call"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps((function, arguments)))
    except OSError as error:
        raise UserError(f"cannot write to launcher.folder {folder}: {error.strerror}") from error
    return file


def call_command(file: Path) -> list[str]:
    """The command that makes the call."""
    return python(PUBLIC["pickled call"], str(file))


def call_completed(file: Path) -> bool | None:
    """Whether the function returned; None where neither it nor its error has left a result."""
    result = file.with_suffix(".result")
    return pickle.loads(read_bytes(result))[1] is None if result.exists() else None


def make_call(file: Path) -> None:
    """Run the function; its result, or its error as text, is written next to the call. Raises its error."""
    file.with_suffix(".result").unlink(missing_ok=True)
    function, arguments = pickle.loads(read_bytes(file))
    try:
        value = function(*arguments)
    except BaseException as error:
        save_result(file, None, f"{type(error).__name__}: {error}")
        raise
    save_result(file, value, None)


def save_result(file: Path, value: Any, error: str | None) -> None:
    temporary = file.with_suffix(".tmp")
    temporary.write_bytes(pickle.dumps((value, error)))
    temporary.replace(file.with_suffix(".result"))


@final
class CallJob(Job):
    """A call that runs in a job. `cancel`: the command that cancels it."""

    def __init__(self, launcher: Launcher, number: str, call: Path, log: Path, cancel: str) -> None:
        self._launcher, self._number, self._call, self._log, self._cancel = launcher, number, call, log, cancel

    @property
    def description(self) -> str:
        return f"job {self._number}, log {self._log}, cancel with: `{self._cancel} {self._number}`"

    @property
    def number(self) -> str:
        return self._number

    @property
    def log(self) -> Path:
        return self._log

    def wait(self) -> None:
        while not self._launcher.status(self._number).over:
            time.sleep(self._launcher.poll)

    def result(self) -> Any:
        file = self._call.with_suffix(".result")
        self.wait()
        until = time.monotonic() + ARRIVAL
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.1)
        if not file.exists():
            raise JobError(f"job {self._number} ended without a result (log {self._log})")
        value, error = pickle.loads(read_bytes(file))
        if error is not None:
            raise JobError(f"job {self._number} failed (log {self._log}): {error}")
        return value


if __name__ == "__main__":
    restrict_umask()
    make_call(Path(sys.argv[1]))
