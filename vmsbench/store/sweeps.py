"""Which sweeps a runs folder holds, and which names are free for others."""

from pathlib import Path

from vmsbench.errors import ConfigurationError, UserError, did_you_mean

NOT_SWEEPS = ("cache", "outside", "single", "slurm", "drill")
"""Folders of a runs folder that are no sweeps."""


def check_name(name: str) -> None:
    """Raises ConfigurationError for a name that a sweep cannot have."""
    if not name or "/" in name or name.startswith(".") or name in NOT_SWEEPS:
        taken = ", ".join(NOT_SWEEPS)
        raise ConfigurationError(
            f"--name {name}: a sweep's name is a folder's name, such as gan-2; reserved are {taken}"
        )


def sweep_named(name: str, runs: Path) -> Path:
    """The folder of a sweep. Raises UserError, with the nearest name, where there is none."""
    names = [folder.name for folder in folders(runs)]
    if name not in names:
        hint = f"there are: {', '.join(names)}" if names else f"there is none; vmsbench tune --name {name} makes one"
        raise UserError(f"no sweep {name} in {runs}{did_you_mean(name, names)}  ({hint})")
    return runs / name


def sweeps_in(runs: Path) -> list[Path]:
    """The folders of all sweeps. Raises UserError where there are none."""
    found = folders(runs)
    if not found:
        raise UserError(f"no sweeps in {runs}; vmsbench tune --exp unet makes one")
    return found


def folders(runs: Path) -> list[Path]:
    """The folders of the sweeps in a runs folder, by name."""
    return sorted(file.parent for file in runs.glob("*/sweep.json"))
