"""From data to objects: {"_target_": "package.module.Name", ...} becomes Name(...).

This is Hydra's own format (`hydra.utils.instantiate`), without Hydra, so that the core runs on machines that have
only torch. `_partial_: true` gives `functools.partial(Name, ...)`; dictionaries and lists are built from the inside
out; every other value is passed on as it is.
"""

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
