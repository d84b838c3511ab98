"""Hydra's part: from `--exp gan network=residual trainer.epochs=50` to a plain dictionary, or a one-line error."""

import copy
import logging
import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from vmsbench.config.plugins import check_option, conf_folder, folders, groups, option_files, said_of, settings_in
from vmsbench.config.presets import without_misfits
from vmsbench.config.schema import UNFIT, is_path, is_text, misfit
from vmsbench.config.settings import Config, checked, hint_at, setting, with_settings
from vmsbench.errors import PASSWORD, ConfigurationError, did_you_mean, masked

if TYPE_CHECKING:
    from omegaconf import DictConfig


def with_epochs(overrides: Iterable[str], epochs: int | None) -> list[str]:
    """The overrides, with trainer.epochs where `epochs` is given: what --epochs is short for."""
    return [*overrides, *([f"trainer.epochs={epochs}"] if epochs is not None else [])]


def compose(exp: str, overrides: list[str], *, check_all: bool = True) -> Config:
    """All settings of an experiment, with `group=option` and `key=value` applied, and their types checked.

    check_all   False checks the values that are given alone, where all options are vmsbench's own: the rest needs the
                import of what it is built of, torch, in 2 s. Whatever trains or reads data checks it.

    Text and paths are taken literally, whatever characters are in them; `~` and $VARIABLES of paths are expanded.
    Raises ConfigurationError, in one line with the nearest valid name, for what does not exist or has the wrong type.
    """
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    logging.getLogger("hydra").setLevel(logging.ERROR)
    check_option("--exp", "exp", exp)
    chosen, values = sorted_out(overrides)
    check_choices(chosen, exp)
    check_preset(chosen, exp)
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            unresolved, choices = composed((f"exp={exp}", *chosen), stamps())
        base = resolved(unresolved, choices)
        written = [as_hydra_reads(name, text, base, exp) for name, text in values.items()]
        settings = resolved(with_overrides(unresolved, written), choices) if values else base
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigurationError(one_line(error, overrides)) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"not YAML: {said_of(error)}") from error
    names = list(settings) if check_all or len(folders()) > 1 else list(values)
    given = {name: checked(setting(settings, name), hint_at(settings, name), name, base) for name in names}
    found = with_settings(settings, given)
    return with_settings(found, expanded(found, values))


Stamp = tuple[str, int, int]


def stamps() -> tuple[Stamp, ...]:
    """The path, the time in ns and the size of every configuration file: equal for equal files."""
    files = [file for folder in folders() for file in (*folder.glob("*.yaml"), *folder.glob("*/*.yaml"))]
    return tuple((str(file), (stat := file.stat()).st_mtime_ns, stat.st_size) for file in files)


@lru_cache(maxsize=64)
def composed(chosen: tuple[str, ...], files: tuple[Stamp, ...]) -> "tuple[DictConfig, dict[str, str]]":
    """What Hydra composes of these files, its interpolations still to be resolved, and the option of each group.

    It takes 0.2 s, and is kept: the same choices of the same files are composed once in a process.
    """
    from omegaconf import open_dict

    others = ",".join(quoted(str(folder)) for folder in folders()[1:])
    search = f"hydra.searchpath=[{others}]"
    whole = by_hydra([search, *chosen])
    choices = dict(whole.hydra.runtime.choices)
    with open_dict(whole):
        del whole["hydra"]
    return whole, choices


def by_hydra(overrides: list[str]) -> "DictConfig":
    """What Hydra composes, with its own settings.

    It reads files by yaml.SafeLoader. libyaml's loader takes a fifth of the time; where that refuses one, Python's has
    the last word, and the clearer error.
    """
    from hydra import compose as hydra_compose

    before = yaml.SafeLoader
    try:
        yaml.SafeLoader = getattr(yaml, "CSafeLoader", before)  # type: ignore[misc]
        return hydra_compose("config", overrides=overrides, return_hydra_config=True)
    except yaml.YAMLError:
        pass
    finally:
        yaml.SafeLoader = before  # type: ignore[misc]
    return hydra_compose("config", overrides=overrides, return_hydra_config=True)


def with_overrides(whole: "DictConfig", written: list[str]) -> "DictConfig":
    """A copy with values in Hydra's grammar, as Hydra itself applies them: `name=value`, `+name=value` adds."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    changed = copy.deepcopy(whole)
    for override in OverridesParser.create().parse_overrides(written):
        name, adds = override.key_or_group, override.is_add()
        OmegaConf.update(changed, name, override.value(), merge=True, force_add=adds)
    return changed


def resolved(whole: "DictConfig", choices: dict[str, str]) -> Config:
    from omegaconf import OmegaConf

    return chosen_space(without_misfits(cast(Config, OmegaConf.to_container(whole, resolve=True)), choices))


def sorted_out(overrides: list[str]) -> tuple[list[str], dict[str, str]]:
    """The choices (`network=residual`), and the values by name; the last one wins."""
    chosen, values, known = [], {}, groups()
    for override in overrides:
        name, _, value = override.partition("=")
        check_form(override, name)
        if name.partition("@")[0] not in known:
            values[name] = value
        elif name == "exp":
            raise ConfigurationError(f"{override}: choose the experiment by `--exp {value}`")
        else:
            check_option(name, name.partition("@")[0], value)
            chosen.append(override)
    return chosen, values


def as_hydra_reads(name: str, text: str, base: Config, exp: str) -> str:
    """An override in Hydra's grammar: text and paths quoted, entries of an open mapping added.

    Raises ConfigurationError where a mapping replaces something else, or something else a mapping.
    """
    new, hint = check_name(name, base, exp), hint_at(base, name)
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    literal = is_text(hint) and text not in ("", "null") and not is_quoted
    value = UNFIT if literal else value_of(text)
    if literal:
        text = without_references(text, base)
    if (
        not new
        and (current := setting(base, name)) is not None
        and isinstance(current, dict) != isinstance(value, dict)
    ):
        raise misfit(name, text, hint, current)
    adds = new or setting(base, name) == {}  # a mapping that is empty by default is open as a whole, too
    return f"{'+' if adds else ''}{name}={quoted(text) if value is UNFIT else text}"


def without_references(text: str, base: Config) -> str:
    """A text in which `${name}` is read where it is a setting, `${oc.env:NAME}` too, and any other `${` is literal."""

    def read(found: re.Match[str]) -> str:
        resolved = found[2] is not None or (found[1] or "").partition(".")[0] in base
        return found[0] if resolved else rf"\{found[0]}"

    return re.sub(r"\$\{(?:(?=([\w.]+)(:[^{}]*)?\}))?", read, text)


def value_of(text: str) -> Any:
    """The value of a text in Hydra's grammar; UNFIT where it is not a single value."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        override = OverridesParser.create().parse_override(f"it={text}")
    except HydraException:
        return UNFIT
    return UNFIT if override.is_sweep_override() else override.value()


def quoted(text: str) -> str:
    """A text in Hydra's quotes: backslashes that stand before a quote or at the end are doubled."""
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{escaped}'"


def expanded(settings: Config, names: Iterable[str]) -> dict[str, str]:
    """The given paths with `~` and variables expanded; `data.cache` is expanded on each node, whose disk it may
    name."""
    given = {
        name: setting(settings, name) for name in names if name != "data.cache" and is_path(hint_at(settings, name))
    }
    return {
        name: os.path.expanduser(os.path.expandvars(path))
        for name, path in given.items()
        if isinstance(path, str) and not Path(path).exists()
    }


def chosen_space(settings: Config) -> Config:
    """The settings with the space of their own experiment alone, of which a file in conf/space has one for each; and
    without the experiment's `family`, which changes no result.
    """
    kept = {name: value for name, value in settings.items() if name != "family"}
    return kept | {"space": {"parameters": settings["space"]["parameters"]}}


def check_form(override: str, name: str) -> None:
    if name == "test":
        raise ConfigurationError(
            f"{override}: the test pairs are scored by the finals of `vmsbench tune`, `vmsbench final` and "
            "`vmsbench train --final` alone, once for each training"
        )
    if name.startswith(("+", "~")):
        raise ConfigurationError(f"{override}: nothing can be added or removed; write {name.lstrip('+~')}=VALUE")
    if PASSWORD.search(override):
        raise ConfigurationError(
            f"{masked(override)}: a password would be written into the sweep's files; export MLFLOW_TRACKING_URI, or "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, instead"
        )
    if "=" not in override or not name:
        raise ConfigurationError(f"{override} is neither group=option nor key=value")


def check_name(name: str, base: Config, exp: str) -> bool:
    """Whether `name` is a new entry of an open mapping, one that is empty by default, such as launcher.extra.

    Raises ConfigurationError where it is not a path of the settings either, naming its neighbours.
    """
    here: Any = base
    walked: list[str] = []
    for part in name.split("."):
        if here == {} and walked:
            return True
        if not isinstance(here, dict) or part not in here:
            siblings = list(here) if isinstance(here, dict) else []
            valid = [".".join([*walked, key]) for key in siblings] + ([] if walked else groups())
            has = ", ".join(key for key in siblings if not key.startswith("_"))
            where = ".".join(walked) or f"--exp {exp}"
            meant = namesakes(base, name)
            nearest = f"; did you mean {meant[0]}?" if meant else did_you_mean(".".join([*walked, part]), valid)
            raise ConfigurationError(f"{name} is not a setting{nearest}  ({where} has: {has})")
        here = here[part]
        walked.append(part)
    return False


def namesakes(config: Config, name: str) -> list[str]:
    """The settings that end in `name` (`network.width`), or else in its last word (`lr`)."""
    there = [f".{path}" for path in leaves(config)]
    endings = (f".{name}", f".{name.rpartition('.')[2]}")
    return next(filter(None, ([path[1:] for path in there if path.endswith(end)] for end in endings)), [])


def leaves(config: Config, above: str = "") -> Iterator[str]:
    """The dotted path of every value that is not a mapping."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def one_line(error: Exception, overrides: list[str]) -> str:
    """An error of Hydra or OmegaConf as one line, after the override that it is about."""
    reason = str(error.__cause__ or error)
    first = next((line.strip() for line in reason.splitlines() if line.strip()), type(error).__name__)
    quoted = first.split("'")[1] if first.count("'") > 1 else ""
    key = getattr(error, "full_key", None)
    for override in reversed(overrides):
        if key and override.startswith(f"{key}="):
            return f"{override}: {first}; a variable of the environment is {key}='${{oc.env:NAME}}'"
        if quoted and quoted in override and override not in first:
            return f"{override}: {first}"
    return first if quoted in overrides else f"{' '.join(overrides)}: {first}"


def check_choices(chosen: list[str], exp: str) -> None:
    """Raises ConfigurationError for a choice that this experiment does not make, naming those of the same group."""
    made = set(choices_made(exp))
    for override in chosen:
        name, _, value = override.partition("=")
        if name not in made:
            group = name.partition("@")[0]
            alike = sorted(choice for choice in made if choice.partition("@")[0] == group)
            instead = f"; write {' or '.join(f'{choice}={value}' for choice in alike)}" if alike else ""
            raise ConfigurationError(f"{name} is not a choice of --exp {exp}{instead}")


def check_preset(chosen: list[str], exp: str) -> None:
    """Raises ConfigurationError for a preset of another experiment: one whose file sets `exp`."""
    for preset in (override.removeprefix("preset=") for override in chosen if override.startswith("preset=")):
        meant = settings_in(option_files("preset")[preset])
        if meant.get("exp", exp) != exp:
            raise ConfigurationError(f"preset={preset} is for --exp {meant['exp']}, not {exp}")


def choices_made(exp: str) -> list[str]:
    """The groups that an experiment chooses from, as they are written on the command line."""
    made = []
    for file in (conf_folder() / "config.yaml", option_files("exp")[exp]):
        entries = settings_in(file).get("defaults", [])
        named = (next(iter(entry)) for entry in entries if isinstance(entry, dict))
        made += [name.removeprefix("override ").removeprefix("/") for name in named]
    return made
