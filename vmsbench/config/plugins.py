"""Where configuration files come from: vmsbench's own conf/, your folders, and installed packages.

    vmsbench tune --exp unet --config-dir my_conf network=mine       a folder, for one command
    export VMSBENCH_CONF=my_conf:/shared/lab_conf                     folders, for every command
    [project.entry-points."vmsbench.conf"]                            a package, wherever it is installed:
    mine = "my_package:conf"                                          the folder conf/ of my_package

Each has the form of conf/: a folder for each group, a YAML file for each option. Python files in such a folder can be
named by `_target_`; they are found in Ray's workers and in a cluster's jobs too, because $VMSBENCH_CONF is.
"""

import importlib.util
import os
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from vmsbench.errors import ConfigurationError, did_you_mean
from vmsbench.files import read_bytes

VARIABLE = "VMSBENCH_CONF"
ENTRY_POINTS = "vmsbench.conf"


def conf_folder() -> Path:
    """vmsbench's own conf/: next to the package in a checkout, within it in an installed wheel."""
    checkout = Path(__file__).resolve().parents[2] / "conf"
    return checkout if (checkout / "config.yaml").exists() else Path(__file__).resolve().parents[1] / "conf"


def add_folders(folders: Iterable[Path | str]) -> None:
    """Put folders in front of those of $VMSBENCH_CONF, for this process and those it starts.

    Raises ConfigurationError for one that is not a folder.
    """
    for folder in folders:
        if not Path(folder).expanduser().is_dir():
            raise ConfigurationError(f"--config-dir {folder} is not a folder; give one that has the form of conf/")
    given = [str(Path(folder).expanduser().resolve()) for folder in folders]
    known = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder not in ("", *given)]
    os.environ[VARIABLE] = os.pathsep.join([*given, *known])


def own_folders() -> list[Path]:
    """The folders of $VMSBENCH_CONF. Raises ConfigurationError for one that is not a folder."""
    named = [Path(text).expanduser() for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    for folder in named:
        if not folder.is_dir():
            raise ConfigurationError(f"${VARIABLE}: {folder} is not a folder; separate several by {os.pathsep}")
    return [folder.resolve() for folder in named]


def package_folders() -> list[Path]:
    """The conf folders of installed packages. Raises ConfigurationError for an entry point that names none."""
    return packaged(tuple(sys.path))


@cache
def packaged(path: tuple[str, ...]) -> list[Path]:
    """`package_folders` with this sys.path; reading the entry points of all packages is slow."""
    found = []
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        spec = importlib.util.find_spec(point.module)
        homes = list(spec.submodule_search_locations or []) if spec else []
        folder = next((Path(home) / point.attr for home in homes if (Path(home) / point.attr).is_dir()), None)
        if folder is None:
            raise ConfigurationError(
                f"entry point {point.name} of {ENTRY_POINTS}: {point.value} is not PACKAGE:FOLDER of a package"
            )
        found.append(folder.resolve())
    return found


def folders() -> list[Path]:
    """Every conf folder, vmsbench's own first."""
    return list(dict.fromkeys([conf_folder(), *own_folders(), *package_folders()]))


def importable() -> None:
    """Let `_target_` name Python files that lie in a folder of $VMSBENCH_CONF."""
    for folder in os.environ.get(VARIABLE, "").split(os.pathsep):
        place = str(Path(folder).expanduser().resolve()) if folder else ""
        if place and place not in sys.path:
            sys.path.append(place)


def option_files(group: str) -> dict[str, Path]:
    """The file of each option of a group. Raises ConfigurationError where two folders have an option of one name."""
    files = [file for folder in folders() for file in sorted((folder / group).glob("*.yaml"))]
    twice = next((name for name, count in Counter(file.stem for file in files).items() if count > 1), None)
    if twice is not None:
        there = " and ".join(str(file) for file in files if file.stem == twice)
        raise ConfigurationError(f"{group}={twice} is defined twice, in {there}; rename one")
    return {file.stem: file for file in sorted(files, key=lambda file: file.stem)}


def options(group: str) -> list[str]:
    """The options of a group, such as `network`."""
    return list(option_files(group))


def groups() -> list[str]:
    """Every group that has an option."""
    return sorted({file.parent.name for folder in folders() for file in folder.glob("*/*.yaml")})


def settings_in(file: Path, loader: Any = None, such_as: str = "epochs: 10") -> dict[str, Any]:
    """The settings in a YAML file.

    loader    of PyYAML (default: its SafeLoader)
    such_as   a setting, for errors
    Raises ConfigurationError, which names file and line, where there are none; OSError.
    """
    import yaml

    try:
        found = yaml.load(read_bytes(file).decode(), Loader=loader or yaml.SafeLoader) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file} is not YAML: {said_of(error)}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{file} has no settings; a line is a name and a value, such as {such_as}")
    return found


def said_of(error: Exception) -> str:
    """What a reader of YAML has to say, in one line."""
    return " ".join(str(error).replace('"<unicode string>", ', "").split())


def check_option(shown: str, group: str, option: str) -> None:
    """Raises ConfigurationError for an option that a group does not have, with the nearest and all valid ones."""
    valid = options(group)
    if option not in valid:
        raise ConfigurationError(
            f"{shown}={option} is not a choice{did_you_mean(option, valid)}  ({group} has: {', '.join(valid)})"
        )
