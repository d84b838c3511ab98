"""From data to objects: {"_target_": "package.module.Name", ...} becomes Name(...).

This is Hydra's own format (`hydra.utils.instantiate`), without Hydra, so that the core runs on machines that have
only torch. `_partial_: true` gives `functools.partial(Name, ...)`; dictionaries and lists are built from the inside
out; every other value is passed on as it is.
"""

import copy
import importlib
import inspect
from functools import partial
from typing import Any

from vmsbench.errors import ConfigurationError, did_you_mean


def find(path: str) -> Any:
    """The object a full path names, such as `torch.optim.Adam`.

    Raises ConfigurationError where the module or the name in it does not exist.
    """
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"_target_ {path}: no module {module_name!r} ({error})") from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise ConfigurationError(f"_target_ {path}: not in {module_name}{did_you_mean(name, dir(module))}") from error


def build(config: Any, /, **arguments: Any) -> Any:
    """Build `config`; `arguments` are added to (and win over) the outermost object's own.

    Raises ConfigurationError where the target does not take a setting, naming those it takes.
    """
    if isinstance(config, list | tuple):
        return [build(item) for item in config]
    if not isinstance(config, dict):
        return config
    if "_target_" not in config:
        return {key: build(value) for key, value in config.items()}
    target = find(config["_target_"])
    given = {key: build(value) for key, value in config.items() if key not in ("_target_", "_partial_")} | arguments
    check_settings(config["_target_"], target, given)
    return partial(target, **given) if config.get("_partial_", False) else target(**given)


def check_settings(path: str, target: Any, given: dict[str, Any]) -> None:
    """Refuse settings that `target` has no parameter for, before anything is made of them."""
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            raise ConfigurationError(
                f"{name} is not a setting of {path}{did_you_mean(name, parameters)}  (it has: {', '.join(parameters)})"
            )


class Named(dict[str, Any]):
    """Settings that people have a name for."""

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self.name = name

    def __deepcopy__(self, memo: dict[int, Any]) -> "Named":
        return Named(self.name, copy.deepcopy(dict(self), memo))


def describe(value: Any) -> str:
    """A setting as people would write it: `SGD(lr=0.01)` for {"_target_": "torch.optim.SGD", "lr": 0.01}."""
    if isinstance(value, Named):
        return value.name
    if isinstance(value, dict):
        inside = ", ".join(f"{key}={describe(item)}" for key, item in value.items() if not key.startswith("_"))
        return f"{value['_target_'].rpartition('.')[2]}({inside})" if "_target_" in value else f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(describe(item) for item in value)})"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def short(param: str) -> str:
    """The last words of a dotted path that tell what it is: `model.network.width` is `network.width`."""
    return ".".join(param.split(".")[-2:])
