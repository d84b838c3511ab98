"""Reuse of trainings of another sweep: the same configuration, data and code of the numeric core."""

import os
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.sweep.trial import Trial
from vmsbench.versions import code_version


class TrialCache:
    """Complete trials in a folder of sweeps, by their names, which are digests of configuration and data."""

    def __init__(self, runs: Path, own: Path) -> None:
        self.runs, self.own = runs, own

    @cached_property
    def folders(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for sweep in sorted(self.runs.glob("*/trials")):
            if sweep.parent != self.own:
                for entry in os.scandir(sweep):
                    found.setdefault(entry.name, []).append(Path(entry.path))
        return found

    def find(self, trial: Trial) -> Path | None:
        """A folder in which the trial was trained to its end by this version of the code; None where there is none."""
        return next((folder for folder in self.candidates(trial) if is_same(folder)), None)

    def candidates(self, trial: Trial) -> Iterator[Path]:
        return (folder for folder in self.folders.get(trial.id, []) if ExperimentFolder(folder).finished)

    def take(self, trial: Trial) -> str | None:
        """Copy the training of another sweep into the trial's folder, and return where it was; None where there is
        none."""
        found = self.find(trial)
        if found is None:
            return None
        temporary = trial.folder.with_name(f".{trial.id}")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(trial.folder, ignore_errors=True)
        shutil.copytree(found, temporary, copy_function=linked)
        os.replace(temporary, trial.folder)
        return f"{found.parents[1].name}/trials/{trial.id}"


def is_same(folder: Path) -> bool:
    return ExperimentFolder(folder).results().get("code") == code_version()


def linked(source: str, target: str) -> None:
    """Copy a file; weights, which are only replaced as a whole, are hard links."""
    if source.endswith(".pt"):
        try:
            os.link(source, target)
            return
        except OSError:
            pass
    shutil.copy2(source, target)
