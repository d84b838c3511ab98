"""The launcher's settings, and where each is from: the last of these that has it.

default         conf/launcher/NAME.yaml
profile NAME    conf/launcher/sites/NAME.yaml, of a site whose cluster has one of its names
site.yaml       ~/.config/vmsbench/site.yaml, which `vmsbench site init` writes
$VARIABLE       the cluster's own environment variables
command line    launcher.partition=gpu
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

from vmsbench.config.instantiate import accepted, find
from vmsbench.config.plugins import option_files, settings_in
from vmsbench.config.schema import UNFIT, fitted, misfit
from vmsbench.errors import ConfigurationError, UserError, did_you_mean
from vmsbench.launch.launcher import Launcher

PROFILES = "launcher/sites"
COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Sourced:
    """A setting's value, and where it is from."""

    value: Any
    source: str


@dataclass(frozen=True)
class Profile:
    """A site's settings, as a file of conf/launcher/sites has them."""

    name: str
    file: Path
    clusters: tuple[str, ...]
    settings: Mapping[str, Any]


def site_file() -> Path:
    """site.yaml of this user. Raises UserError where nobody knows the user's home."""
    try:
        return Path(os.environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser() / "vmsbench" / "site.yaml"
    except RuntimeError as error:
        raise UserError("this user has no home folder: set XDG_CONFIG_HOME to a folder of yours") from error


def with_profile(launcher: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The launcher's settings with those of the site; the command line wins. Raises as `sourced`."""
    return {name: one.value for name, one in sourced(launcher, overrides).items()}


def sourced(launcher: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Sourced]:
    """Every setting of the launcher, by its name.

    Raises ConfigurationError for a file that is not YAML, or has settings that the launcher does not have.
    """
    given = named(overrides)
    found = {name: Sourced(value, COMMAND_LINE if name in given else "default") for name, value in launcher.items()}
    for source, settings in layers(launcher):
        found |= {name: Sourced(value, source) for name, value in settings.items() if name not in given}
    return found


def of_launcher(override: str) -> bool:
    """Whether an override chooses the launcher, or sets one of its settings."""
    return override.partition("=")[0].partition(".")[0] == "launcher"


def named(overrides: Sequence[str]) -> set[str]:
    """The launcher's settings that overrides give."""
    return {override.partition("=")[0].removeprefix("launcher.").partition(".")[0] for override in overrides}


def layers(launcher: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The settings between the default and the command line, by their source, the stronger ones last."""
    kind = find(launcher["_target_"], "launcher")
    profile = profile_of(kind.cluster_name())
    site = [("site.yaml", checked(site_file(), read_yaml(site_file()), launcher))] if site_file().exists() else []
    return [
        *([(f"profile {profile.name}", checked(profile.file, profile.settings, launcher))] if profile else []),
        *site,
        *((f"${kind.variables[name]}", {name: value}) for name, value in from_environment(kind).items()),
    ]


def from_environment(kind: type[Launcher]) -> dict[str, str]:
    """The settings that the cluster's own variables give."""
    values = {name: os.environ.get(variable, "") for name, variable in kind.variables.items()}
    return {name: value for name, value in values.items() if value}


def profiles() -> list[Profile]:
    """The profiles of sites, of every conf folder. Raises ConfigurationError for one without names or settings."""
    return [read_profile(name, file) for name, file in option_files(PROFILES).items()]


def read_profile(name: str, file: Path) -> Profile:
    found = read_yaml(file)
    clusters = found.get("clusters")
    names = [clusters] if isinstance(clusters, str) else clusters
    whole = set(found) == {"clusters", "settings"} and isinstance(found["settings"], dict)
    if not whole or not isinstance(names, list) or not names or not all(isinstance(one, str | int) for one in names):
        raise ConfigurationError(f"{file} must have `clusters`, a list of the names of clusters, and `settings`")
    return Profile(name, file, tuple(map(str, names)), found["settings"])


def profile_of(cluster: str | None) -> Profile | None:
    """The profile of the site whose cluster calls itself that; None where there is none."""
    if cluster is None:
        return None
    return next((one for one in profiles() if any(fnmatchcase(cluster, name) for name in one.clusters)), None)


def read_yaml(file: Path) -> dict[str, Any]:
    """The settings in a file, whose numbers are decimal alone. Raises ConfigurationError where there are none."""
    return settings_in(file, plain_loader(), such_as="partition: gpu")


def checked(file: Path, settings: Mapping[str, Any], launcher: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, as they are meant, fitted to what the launcher takes as overrides are: `exclude: [1]` is a text.

    Raises ConfigurationError, which names the file, for one that the launcher does not have, or of another type.
    """
    for name in settings:
        if name not in launcher or name.startswith("_"):
            has = ", ".join(key for key in launcher if not key.startswith("_"))
            raise ConfigurationError(
                f"{file}: {name} is not a setting{did_you_mean(name, launcher)}  (there are: {has})"
            )
    hints = accepted(find(launcher["_target_"], "launcher"))
    found = {}
    for name, value in settings.items():
        hint, own = hints.get(name, Any), meant(value, launcher[name])
        found[name] = fitted(own, hint)
        if found[name] is UNFIT:
            raise ConfigurationError(f"{file}: {misfit(f'launcher.{name}', own, hint, launcher[name])}")
    return found


def meant(value: Any, default: Any) -> Any:
    """A text where a list is wanted is a list of its lines: `setup: module load cuda`."""
    if isinstance(default, list) and isinstance(value, str):
        return [line for line in value.splitlines() if line.strip()]
    return value


def plain_loader() -> Any:
    """YAML without two surprises of its version 1.1: there 8:00:00 is the number 28800, and 0123 is 83."""
    import yaml

    class PlainLoader(yaml.SafeLoader):
        yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {
            first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:int"]
            for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    PlainLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(0|[1-9]\d*)$"), list("-0123456789"))
    return PlainLoader
