"""Small programs that play those of a cluster."""

import stat
from pathlib import Path


def a_command(folder: Path, name: str, script: str) -> None:
    """A program called `name`, for a PATH that begins with `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def each_job(said: str) -> str:
    """The script of a command that says `JOB|...` of each job in its --jobs=, as squeue and sacct do."""
    lines = f'for job in ${{word:7}}; do echo "$job|{said}"; done'
    return f"IFS=,; for word; do [[ $word == --jobs=* ]] && {lines}; done; true"
