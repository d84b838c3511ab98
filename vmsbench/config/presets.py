"""What a preset sets of a part that has no such setting is left out, so that a preset goes with every part.

preset=study sets model.network.multipliers; with network=unet, which has none, it sets the rest
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vmsbench.config.instantiate import accepted, find
from vmsbench.config.plugins import option_files, settings_in

GROUPS = ("preset", "preset_exp", "network_exp", "augment_exp")
"""Groups whose files set values of other groups' parts."""


def without_misfits(settings: dict[str, Any], choices: Mapping[str, str]) -> dict[str, Any]:
    """The settings without what the chosen files of GROUPS set of parts whose constructors do not take it.

    choices   the option of each group, as composed: {"preset": "study", "preset_exp": "study_gan"}
    """
    for group in GROUPS:
        file = option_files(group).get(choices.get(group, ""))
        if file is not None:
            settings = fitting(settings, set_by(file))
    return settings


def set_by(file: Path) -> dict[str, Any]:
    """The settings of a file, which is of the package _global_."""
    return {name: value for name, value in settings_in(file).items() if name != "defaults"}


def fitting(part: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A part without those of the settings given to it that its constructor does not take, and so within it."""
    target = part.get("_target_")
    takes = accepted(find(target)) if isinstance(target, str) else {"**": Any}
    kept = {}
    for name, value in part.items():
        if name in given and not ({name, "**"} & set(takes) or name.startswith("_")):
            continue
        inner = given.get(name)
        kept[name] = fitting(value, inner) if isinstance(value, dict) and isinstance(inner, dict) else value
    return kept
