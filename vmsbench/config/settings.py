"""A configuration as a plain dictionary, and its settings by dotted paths."""

import copy
from typing import Any

Config = dict[str, Any]


def setting(config: Config, path: str) -> Any:
    """What stands at a dotted path. Raises KeyError where there is nothing."""
    for key in path.split("."):
        config = config[key]
    return config


def with_settings(config: Config, settings: dict[str, Any]) -> Config:
    """A copy of `config` with other values at dotted paths; a dictionary replaces what was there as a whole."""
    changed = copy.deepcopy(config)
    for path, value in settings.items():
        *above, last = path.split(".")
        place = setting(changed, ".".join(above)) if above else changed
        place[last] = copy.deepcopy(value)
    return changed
