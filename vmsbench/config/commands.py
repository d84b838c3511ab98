"""Commands of vmsbench in texts, for their reader to copy; they name the folder of runs that is not the default."""

import shlex
from pathlib import Path


def place(runs: Path) -> str:
    """` --runs FOLDER`, as a command on the sweeps in `runs` needs it; empty for the default."""
    return "" if runs == Path("runs") else f" --runs {shlex.quote(str(runs))}"


def command_on(verb: str, folder: Path, options: str = "") -> str:
    """`vmsbench VERB NAME OPTIONS --runs FOLDER`: a command on the sweep in `folder`, for its user to copy."""
    return f"vmsbench {verb} {shlex.quote(folder.name)}{f' {options}' if options else ''}{place(folder.parent)}"
