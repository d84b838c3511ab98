"""A site's default settings of the launcher: ~/.config/vmsbench/site.yaml."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from vmsbench.errors import ConfigurationError, did_you_mean


def profile() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser() / "vmsbench" / "site.yaml"


def with_profile(launcher: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The launcher's settings with those of the site; the command line wins.

    Raises ConfigurationError for a profile that is not YAML, or with settings that the launcher does not have.
    """
    if not profile().exists():
        return dict(launcher)
    import yaml

    try:
        site = yaml.load(profile().read_text(), Loader=plain_loader()) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{profile()} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(site, dict):
        raise ConfigurationError(f"{profile()} has no settings; a line is a name and a value, such as partition: gpu")
    for name in site:
        if name not in launcher or name.startswith("_"):
            has = ", ".join(key for key in launcher if not key.startswith("_"))
            raise ConfigurationError(
                f"{profile()}: {name} is not a setting{did_you_mean(name, launcher)}  (there are: {has})"
            )
    given = {override.partition("=")[0].removeprefix("launcher.").partition(".")[0] for override in overrides}
    return {**launcher, **{name: meant(value, launcher[name]) for name, value in site.items() if name not in given}}


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
