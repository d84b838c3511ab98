"""Commands of vmsbench in texts, for their reader to copy; they name the folder of runs that is not the default."""

import os
import shlex
from pathlib import Path


def default_runs() -> Path:
    """The folder of runs where no --runs is given."""
    return Path(os.environ.get("VMSBENCH_RUNS", "runs")).expanduser()


def is_default(runs: Path | str) -> bool:
    """Whether that folder of runs is the default, however it is written."""
    return Path(runs).expanduser().resolve() == default_runs().resolve()


def place(runs: Path) -> str:
    """` --runs FOLDER`, as a command on the sweeps in `runs` needs it; empty for the default."""
    if is_default(runs):
        return ""
    whole, here = runs.expanduser().resolve(), Path.cwd().resolve()
    return f" --runs {shlex.quote(str(whole.relative_to(here) if whole.is_relative_to(here) else runs))}"


def command_on(verb: str, folder: Path, options: str = "") -> str:
    """`vmsbench VERB NAME OPTIONS --runs FOLDER`: a command on the sweep in `folder`, for its user to copy."""
    return f"vmsbench {verb} {shlex.quote(folder.name)}{f' {options}' if options else ''}{place(folder.parent)}"
