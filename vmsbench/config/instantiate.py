"""From data to objects: {"_target_": "package.module.Name", ...} becomes Name(...).

This is Hydra's own format (`hydra.utils.instantiate`), without Hydra, so that the core runs where only torch is
installed. `_partial_: true` gives `functools.partial(Name, ...)`; dictionaries and lists are built from the inside
out; every other value is passed on as it is.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial
from typing import Any, get_type_hints

from vmsbench.config.families import experiments_that_choose
from vmsbench.config.plugins import importable
from vmsbench.config.schema import UNFIT, fitted, limited, misfit
from vmsbench.errors import ConfigurationError, DataError, did_you_mean


def find(path: str, where: str = "") -> Any:
    """The object a full path names, such as `torch.optim.Adam`; `where` is the dotted path of its settings, for errors.

    Raises ConfigurationError where the module or the name in it does not exist.
    """
    module_name, _, name = path.rpartition(".")
    said = f"{within(where, '_target_')}={path}"
    if not module_name:
        raise ConfigurationError(f"{said} is not the full path of a class or a function, such as torch.optim.Adam")
    importable()
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"{said}: no module {module_name!r} ({error})") from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise ConfigurationError(f"{said}: not in {module_name}{did_you_mean(name, dir(module))}") from error


def build(config: Any, path: str = "", /, **arguments: Any) -> Any:
    """Build `config`; `arguments` are added to (and win over) the outermost object's own.

    path   the dotted path of `config` in the settings, for errors
    Raises ConfigurationError where the target does not take a setting, or not its value, naming what it takes. Where a
    constructor refuses `layers=9`, the error names model.network.layers=9, which can be typed.
    """
    if isinstance(config, list | tuple):
        return [build(item, f"{path}[{index}]") for index, item in enumerate(config)]
    if not isinstance(config, dict):
        return config
    if "_target_" not in config:
        return {key: build(value, within(path, key)) for key, value in config.items()}
    target = find(config["_target_"], path)
    own = {key: value for key, value in config.items() if key not in ("_target_", "_partial_")}
    given = {key: build(value, within(path, key)) for key, value in own.items()} | arguments
    check_settings(config["_target_"], target, given, path)
    if config.get("_partial_", False):
        return partial(target, **given)
    check_complete(config["_target_"], target, given, path)
    try:
        return target(**given)
    except (ConfigurationError, DataError) as error:
        raise type(error)(with_full_names(str(error), config, path)) from error


def within(path: str, name: str) -> str:
    return f"{path}.{name}".lstrip(".")


def with_full_names(text: str, config: dict[str, Any], path: str) -> str:
    """The text with `name=` replaced by the path of the setting of that name in `config`.

    Of several, such as the widths of two networks, it is the one whose value the text has; else the name stays.
    """
    known: dict[str, str] = {}
    for match in re.finditer(r"(?<![\w.])(\w+)=", text):
        there = [(full, value) for name, full, value in named_settings(config, path) if name == match[1]]
        fitting = [full for full, value in there if text.startswith(str(value), match.end())]
        if fitting or len(there) == 1:
            known.setdefault(match[1], (fitting or [there[0][0]])[0])
    return re.sub(r"(?<![\w.])(\w+)=", lambda match: f"{known.get(match[1], match[1])}=", text)


def named_settings(config: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """The name, path and value of every setting in `config`, the outer ones first."""
    inside = config if isinstance(config, dict) else {}
    yield from ((name, within(path, name), value) for name, value in inside.items())
    for name, value in inside.items():
        yield from named_settings(value, within(path, name))


def check_settings(name_of_target: str, target: Any, given: dict[str, Any], path: str = "") -> None:
    """Refuse settings that `target` has no parameter for, or of another type, before anything is made of them."""
    hints = accepted(target)
    for name, value in given.items():
        if hints and name not in hints and "**" not in hints:
            brought = brought_by(name, "; {} brings it: choose another experiment for this model")
            raise ConfigurationError(
                f"{within(path, name)} is not a setting of {name_of_target}{did_you_mean(name, hints)}{brought}  "
                f"(it has: {', '.join(hints)})"
            )
        if fitted(value, hints.get(name, Any)) is UNFIT:
            raise misfit(within(path, name), value, hints.get(name, float), default_of(target, name))


def check_complete(name_of_target: str, target: Any, given: dict[str, Any], path: str) -> None:
    """Raises ConfigurationError where a parameter without a default is not given, naming the experiment that has it."""
    lacking = [name for name in required(target) if name not in given]
    if lacking:
        brought = brought_by(lacking[0], ", which {} brings")
        where = f"{path}: " if path else ""
        raise ConfigurationError(f"{where}{name_of_target} needs {' and '.join(lacking)}{brought}")


def brought_by(part: str, text: str) -> str:
    """`text` with the experiments in it that choose such a part of a model; empty where it is no part to choose, and
    where the files that say so cannot be read."""
    with suppress(ImportError, OSError, ConfigurationError):
        if found := " or ".join(f"--exp {exp}" for exp in experiments_that_choose(part)):
            return text.format(found)
    return ""


def required(target: Any) -> list[str]:
    """The parameters without a default; none where the signature is unknown."""
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return []
    named = (one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY))
    return [one.name for one in named if one.default is one.empty]


def default_of(target: Any, name: str) -> Any:
    try:
        found = inspect.signature(target).parameters[name].default
    except (TypeError, ValueError, KeyError):
        return None
    return None if found is inspect.Parameter.empty else found


@cache
def accepted(target: Any) -> dict[str, Any]:
    """The annotation of each parameter of a class or function; Any where there is none.

    `**` stands for further keyword arguments. Empty where the signature is unknown.
    """
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return {"**": Any}
    try:
        hints = get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)
    except (NameError, TypeError, AttributeError):
        hints = {}
    found = {"**" if one.kind is one.VAR_KEYWORD else one.name: hints.get(one.name, Any) for one in parameters}
    return {name: limited(name, hint) for name, hint in found.items()}
