"""Every default in conf/ is the default of the class or function that it is for: what Python and YAML give is one."""

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from vmsbench.config.compose import compose
from vmsbench.config.instantiate import find
from vmsbench.config.plugins import conf_folder, options
from vmsbench.config.settings import (
    EvaluationSettings,
    FidSettings,
    FinalsSettings,
    Settings,
    SlotSettings,
    TrainerSettings,
)
from vmsbench.search.configured import AROUND

ALL = sorted(conf_folder().glob("*/*.yaml"))
DECLARED: dict[str, Any] = {"trainer": TrainerSettings, "evaluation": EvaluationSettings, "fid": FidSettings}
"""Groups whose settings a dataclass declares."""
VARIES = {"augment", "augment_exp", "exp", "network_exp", "preset", "preset_exp", "space"}
"""Groups whose options are values other than the defaults, which is what they are for."""
FILES = [file for file in ALL if file.parent.name not in VARIES | set(DECLARED)]
OTHERWISE = {
    "efficientnet_lite0.version": "which it is; a constructor has no default",
    "efficientnet_lite02.encoders": "which they are; a constructor has no default",
    "efficientnet_lite2.version": "which it is; a constructor has no default",
    "rmsprop.lr": "the rate of the Wasserstein GAN, for which it is there; torch's is 0.01",
    "slurm.extra": "an empty mapping, for which a constructor's default is None",
    "sgd.lr": "the thesis's rate; torch's is 0.001",
}
"""Where they differ, and why."""


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def differing(config: Any, name: str) -> list[str]:
    """The settings of a `_target_` whose default in conf/ is another than the constructor's."""
    target = find(config["_target_"])
    parameters = inspect.signature(target).parameters
    found = []
    for setting, value in config.items():
        if setting in ("_target_", "_partial_", *AROUND) and setting not in parameters:
            continue
        if isinstance(value, dict) and "_target_" in value:
            found += differing(value, f"{name}.{setting}")
            continue
        default = parameters[setting].default
        if default is inspect.Parameter.empty or plain(default) != value:
            found.append(f"{name}.{setting}")
    return found


def content(file: Path) -> Any:
    text = file.read_text().replace("${oc.env:VMSBENCH_DATA,null}", "null")
    return OmegaConf.to_container(OmegaConf.create(text))


def objects(config: Any) -> Iterator[dict[str, Any]]:
    """The outermost objects with a `_target_` in a file."""
    if isinstance(config, dict) and "_target_" in config:
        yield config
    elif isinstance(config, dict):
        for value in config.values():
            yield from objects(value)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}={file.stem}")
def test_defaults_of_conf_are_those_of_the_constructors(file: Path) -> None:
    found = list(objects(content(file)))
    assert found, f"{file} declares nothing; is its group one of VARIES?"
    assert [name for one in found for name in differing(one, file.stem) if name not in OTHERWISE] == []


@pytest.mark.parametrize("group", DECLARED)
def test_defaults_of_conf_are_those_of_the_declared_settings(group: str) -> None:
    usual, *others = [content(conf_folder() / group / f"{name}.yaml") for name in (chosen(group), *options(group))]
    agrees(usual, DECLARED[group])
    for other in others:
        assert set(other) <= {field.name for field in dataclasses.fields(DECLARED[group])}


def chosen(group: str) -> str:
    """The option of a group that conf/config.yaml chooses."""
    entries = OmegaConf.to_container(OmegaConf.load(conf_folder() / "config.yaml"))["defaults"]
    return next(entry[group] for entry in entries if isinstance(entry, dict) and group in entry)


def test_defaults_of_all_other_settings_are_those_that_are_declared() -> None:
    settings = content(conf_folder() / "config.yaml")
    agrees(settings.pop("finals"), FinalsSettings)
    agrees(settings.pop("slots"), SlotSettings)
    del settings["defaults"]
    agrees(settings, Settings)
    assert set(compose("unet", [])) == {field.name for field in dataclasses.fields(Settings)}


def agrees(config: dict[str, Any], declared: Any) -> None:
    fields = {field.name: field.default for field in dataclasses.fields(declared)}
    fields = {name: default for name, default in fields.items() if default is not dataclasses.MISSING}
    assert config == fields


def test_what_differs_is_there() -> None:
    assert {name for file in FILES for one in objects(content(file)) for name in differing(one, file.stem)} == set(
        OTHERWISE
    )
