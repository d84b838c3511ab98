"""Small programs that play those of a cluster."""

import stat
from pathlib import Path


def a_command(folder: Path, name: str, script: str) -> None:
    """A program called `name`, for a PATH that begins with `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
