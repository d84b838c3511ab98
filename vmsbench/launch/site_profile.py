"""A site's default settings of the launcher: ~/.config/vmsbench/site.yaml."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
        site = yaml.safe_load(profile().read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{profile()} is not YAML: {' '.join(str(error).split())}") from error
    for name in site:
        if name not in launcher or name.startswith("_"):
            has = ", ".join(key for key in launcher if not key.startswith("_"))
            raise ConfigurationError(
                f"{profile()}: {name} is not a setting{did_you_mean(name, launcher)}  (there are: {has})"
            )
    given = {override.partition("=")[0].removeprefix("launcher.").partition(".")[0] for override in overrides}
    return {**launcher, **{name: value for name, value in site.items() if name not in given}}
