"""A runs folder that was copied or moved: its MLflow database still sends files to where it was."""

import contextlib
import logging
import os
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlparse

ARTIFACTS, DATABASE = "mlartifacts", "mlflow.db"


def rename_if_moved(runs: Path, experiment: str) -> None:
    """Rename the database and the files of a runs folder that lies elsewhere than when they were made.

    The next sync makes new ones from the sweeps' folders; what somebody added by hand stays in those set aside.
    """
    before = artifacts_of(runs / DATABASE, experiment)
    if before is None or before.name != ARTIFACTS or same(before, runs / ARTIFACTS):
        return
    for name in (DATABASE, ARTIFACTS):
        if (runs / name).exists():
            os.replace(runs / name, free(runs / f"{name}.moved"))
    logging.getLogger("vmsbench").warning(
        "warning: %s was made in %s: it is kept as %s.moved, and MLflow's runs are made again from the folders",
        runs / DATABASE,
        before.parent,
        DATABASE,
    )


def artifacts_of(database: Path, experiment: str) -> Path | None:
    """The folder to which an experiment's files go; None where there is none, or it is no folder of a machine."""
    if not database.is_file():
        return None
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(database)) as store:
        query = "SELECT artifact_location FROM experiments WHERE name = ?"
        for (location,) in store.execute(query, (experiment,)):
            parsed = urlparse(str(location))
            return Path(unquote(parsed.path)) if parsed.scheme in ("", "file") else None
    return None


def same(one: Path, other: Path) -> bool:
    """Whether two paths are one folder, there or not yet."""
    with contextlib.suppress(OSError):
        return one.samefile(other)
    return one.resolve() == other.resolve()


def free(path: Path) -> Path:
    """The path itself, or with the first number that is not taken."""
    taken, number = path, 1
    while taken.exists():
        number += 1
        taken = path.with_name(f"{path.name}-{number}")
    return taken
