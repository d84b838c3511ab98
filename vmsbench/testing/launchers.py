"""What every launcher promises: it runs a function that can be imported, and gives back its result or its error."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vmsbench.launch.launcher import Launcher


def launcher_contract(make: Callable[[Path], Launcher], folder: Path) -> None:
    """`make(folder)` gives a launcher whose files lie in `folder`; it runs three small jobs."""
    launcher = make(folder)
    job = launcher.submit(os.path.commonprefix, ["network.width", "network.depth"])
    assert job.description, "a job says what it is"
    assert "\n" not in job.description, "a job describes itself in one line"
    assert isinstance(job.number, str), "a job's number is text"
    assert isinstance(job.log, Path), "a job's log is a path"
    job.wait()
    assert job.result() == "network.", "the result is what the function returns"
    assert job.result() == "network.", "the result may be asked for again"
    assert launcher.submit(partial(sorted, reverse=True), [1, 3, 2]).result() == [3, 2, 1], "a partial is run"
    errors_are_handed_back(launcher)


def errors_are_handed_back(launcher: Launcher) -> None:
    job = launcher.submit(int, "twelve")
    job.wait()
    said = ""
    try:
        job.result()
    except Exception as error:
        said = str(error)
    assert "twelve" in said, f"result() raises the function's error with its words, not {said!r}"
