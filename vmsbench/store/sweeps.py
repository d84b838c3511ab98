"""Which sweeps there are in a folder of runs, by their names, and which trials, by the beginning of theirs."""

from collections.abc import Sequence
from pathlib import Path

from vmsbench.errors import ConfigurationError, UserError, did_you_mean

TAKEN = ("cache", "outside", "single")
"""Names of folders in a folder of runs that are no sweeps."""


def check_name(name: str) -> None:
    """Raises ConfigurationError for what cannot be the name of a new sweep."""
    if not name or "/" in name or name.startswith(".") or name in TAKEN:
        raise ConfigurationError(
            f"--name {name}: a sweep's name is the name of its folder, such as gan-2; reserved are {', '.join(TAKEN)}"
        )


def sweeps_in(runs: Path) -> list[Path]:
    """The sweeps' folders. Raises UserError where there are none."""
    there = sorted(file.parent for file in runs.glob("*/sweep.json"))
    if not there:
        raise UserError(f"no sweeps in {runs}; to make one: vmsbench tune --exp unet")
    return there


def sweep_named(name: str, runs: Path) -> Path:
    """The folder of a sweep. Raises UserError, with the nearest name, where there is none."""
    there = sorted(file.parent.name for file in runs.glob("*/sweep.json"))
    if name not in there:
        known = f"there are: {', '.join(there)}" if there else "there are none"
        raise UserError(
            f"no sweep {name} in {runs}{did_you_mean(name, there)}  ({known}; to make one: vmsbench tune --name {name})"
        )
    return runs / name


def sweep_folders(runs: Path, names: Sequence[str]) -> list[Path]:
    """The folders of the named sweeps, each once, or of all where `names` is empty. Raises UserError as those above."""
    return [sweep_named(name, runs) for name in dict.fromkeys(names)] or sweeps_in(runs)


def trial_named(beginning: str, runs: Path) -> Path:
    """The folder of the trial or final whose name begins so.

    Raises UserError, with the nearest name, where there is none or more than one.
    """
    folders = {folder.name: folder for kind in ("trials", "final") for folder in runs.glob(f"*/{kind}/*")}
    fitting = [folder for name, folder in folders.items() if name.startswith(beginning)]
    if len(fitting) != 1:
        found = f"{len(fitting)} trials are" if fitting else "no trial is"
        raise UserError(f"{found} called {beginning}* in {runs}{did_you_mean(beginning, folders)}")
    return fitting[0]
