"""The sweeps and trials of a runs folder, by name."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from vmsbench.config.commands import place
from vmsbench.errors import ConfigurationError, UserError, did_you_mean
from vmsbench.store.experiment_folder import RESULTS, ExperimentFolder
from vmsbench.store.sweep_folder import ABOUT, FINALS, TRIALS

OUTSIDE = "outside"
"""The folder of outside predictions, in a runs folder."""
NOT_SWEEPS = ("cache", OUTSIDE, "single", "slurm", "drill", "mlflow.db", "mlflow-server.log", "mlartifacts", "mlruns")
"""What else lies in a runs folder, and so cannot be a sweep's folder: other commands' and the tracker's."""

LONGEST = 120
"""Bytes of a sweep's name: files, jobs and MLflow's experiments are called after it."""


def check_name(name: str) -> None:
    """Raises ConfigurationError for a name that a sweep cannot have."""
    is_folder = name.isprintable() and "/" not in name and not name.startswith((".", "-"))
    if not name.strip() or not is_folder or name in NOT_SWEEPS or len(name.encode()) > LONGEST:
        taken = ", ".join(NOT_SWEEPS)
        shown = name.encode("unicode_escape").decode() if not name.isprintable() else name[:80]
        raise ConfigurationError(
            f"--name {shown}: a sweep's name is a folder's name, such as gan-2; reserved are {taken}"
        )


def sweep_named(name: str, runs: Path) -> Path:
    """The folder of a sweep. Raises UserError, with the nearest name, where there is none."""
    names = [folder.name for folder in folders(runs)]
    if name not in names:
        start = f"there is none; `vmsbench tune --exp unet --name {shlex.quote(name)}{place(runs)}` starts one"
        hint = f"there are: {', '.join(names)}" if names else start
        raise UserError(f"no sweep {name} in {runs}{did_you_mean(name, names)}  ({hint})")
    return runs / name


def sweeps_in(runs: Path) -> list[Path]:
    """The folders of all sweeps. Raises UserError where there are none."""
    found = folders(runs)
    if not found:
        raise UserError(none_in(runs))
    return found


def none_in(runs: Path) -> str:
    """That a runs folder has no sweeps, and the command that starts one there."""
    return f"no sweeps in {runs}; `vmsbench tune --exp unet{place(runs)}` starts one"


def sweep_folders(runs: Path, names: Sequence[str]) -> list[Path]:
    """The folders of the named sweeps, each once, or of all where `names` is empty. Raises UserError as those above."""
    return [sweep_named(name, runs) for name in dict.fromkeys(names)] or sweeps_in(runs)


def trial_named(beginning: str, runs: Path) -> Path:
    """The folder of the trial or final whose name begins so.

    Raises UserError, with the nearest name, where there is none or more than one.
    """
    there = {folder.name: folder for kind in (TRIALS, FINALS) for folder in runs.glob(f"*/{kind}/*")}
    fitting = [folder for name, folder in there.items() if name.startswith(beginning)]
    if len(fitting) != 1:
        found = f"{len(fitting)} trials are" if fitting else "no trial is"
        raise UserError(f"{found} called {beginning}* in {runs}{did_you_mean(beginning, there)}")
    return fitting[0]


def finished_trials(runs: Path) -> list[ExperimentFolder]:
    """The trials of all sweeps that have results, those of the last sweeps by name first."""
    there = sorted(runs.glob(f"*/{TRIALS}/*/{RESULTS}"), reverse=True)
    return [ExperimentFolder(file.parent) for file in there]


def folders(runs: Path) -> list[Path]:
    """The folders of the sweeps in a runs folder, by name."""
    return sorted(file.parent for file in runs.glob(f"*/{ABOUT}"))
