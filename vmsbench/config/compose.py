"""Hydra's part: from `--exp gan network=residual trainer.epochs=50` to a plain dictionary, or a line saying why not."""

import logging
from pathlib import Path
from typing import Any, cast

from vmsbench.config.settings import Config
from vmsbench.errors import ConfigurationError, did_you_mean


def conf_folder() -> Path:
    """conf/ beside the package in a checkout, within it in an installed wheel."""
    checkout = Path(__file__).resolve().parents[2] / "conf"
    return checkout if (checkout / "config.yaml").exists() else Path(__file__).resolve().parents[1] / "conf"


def options(group: str) -> list[str]:
    """The choices there are in a group, such as `network`."""
    return sorted(file.stem for file in (conf_folder() / group).glob("*.yaml"))


def compose(exp: str, overrides: list[str]) -> Config:
    """All settings of an experiment, with `group=option` and `key=value` put in.

    Raises ConfigurationError, in one line with the nearest valid name, for what does not exist or does not fit.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    logging.getLogger("hydra").setLevel(logging.ERROR)
    check_option("--exp", "exp", exp)
    groups, values = [], {}
    for override in overrides:
        name, _, value = override.partition("=")
        check_form(override, name)
        if (conf_folder() / name.partition("@")[0]).is_dir() and "." not in name.partition("@")[0]:
            if name == "exp":
                raise ConfigurationError(f"{override}: choose the experiment by --exp {value}")
            check_option(name, name.partition("@")[0], value)
            groups.append(override)
        else:
            values[name] = override
    check_choices(groups, exp)
    check_preset(groups, exp)
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            base = hydra_compose("config", overrides=[f"exp={exp}", *groups])
            plain_base = chosen_space(cast(Config, OmegaConf.to_container(base, resolve=True)))
            for name, override in values.items():
                if check_name(name, plain_base, exp):
                    values[name] = f"+{override}"
            OverridesParser.create().parse_overrides(list(values.values()))
            composed = (
                base if not values else hydra_compose("config", overrides=[f"exp={exp}", *groups, *values.values()])
            )
            settings = chosen_space(cast(Config, OmegaConf.to_container(composed, resolve=True)))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigurationError(one_line(error, overrides)) from error
    for name, override in values.items():
        if not override.startswith("+"):
            fit(settings, plain_base, name)
    return settings


def chosen_space(settings: Config) -> Config:
    """The settings with the space of their own experiment alone, of which a file in conf/space has one for each; and
    without what the experiment says of its family for people, which changes no result.
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
    if "=" not in override or not name:
        raise ConfigurationError(f"{override} is neither group=option nor key=value")


def check_option(shown: str, group: str, option: str) -> None:
    valid = options(group)
    if option not in valid:
        raise ConfigurationError(
            f"{shown}={option} is not a choice{did_you_mean(option, valid)}  ({group} has: {', '.join(valid)})"
        )


def check_name(name: str, base: Config, exp: str) -> bool:
    """Whether `name` is a new entry of an open mapping, one that is empty by default, such as launcher.extra.

    Raises ConfigurationError where it is no path of the settings either, with what stands beside it.
    """
    here: Any = base
    walked: list[str] = []
    for part in name.split("."):
        if here == {} and walked:
            return True
        if not isinstance(here, dict) or part not in here:
            beside = list(here) if isinstance(here, dict) else []
            groups = sorted(folder.name for folder in conf_folder().iterdir() if folder.is_dir()) if not walked else []
            valid = [".".join([*walked, key]) for key in beside] + groups
            has = ", ".join(key for key in beside if not key.startswith("_"))
            where = ".".join(walked) or f"--exp {exp}"
            raise ConfigurationError(
                f"{name} is not a setting{did_you_mean('.'.join([*walked, part]), valid)}  ({where} has: {has})"
            )
        here = here[part]
        walked.append(part)
    return False


def fit(settings: Config, base: Config, name: str) -> None:
    """Hold a given value against the type of the default; whole numbers are taken for fractions too."""
    *above, last = name.split(".")
    place, default = settings, base
    for part in above:
        place, default = place[part], default[part]
    value, usual = place[last], default[last]
    alike = isinstance(value, type(usual)) and isinstance(value, bool) == isinstance(usual, bool)
    if usual is None or value is None or alike:
        return
    if isinstance(usual, float) and isinstance(value, int) and not isinstance(value, bool):
        place[last] = float(value)
    elif isinstance(usual, str) and not isinstance(value, dict | list):
        place[last] = str(value)
    else:
        kind = {bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a mapping"}
        raise ConfigurationError(f"{name}={value} does not fit: it is {kind[type(usual)]}, such as {usual}")


def one_line(error: Exception, overrides: list[str]) -> str:
    """What Hydra or OmegaConf says, without its paragraphs, after the override that it speaks of."""
    reason = str(error.__cause__ or error)
    first = next((line.strip() for line in reason.splitlines() if line.strip()), type(error).__name__)
    quoted = first.split("'")[1] if first.count("'") > 1 else ""
    return first if quoted in overrides else f"{' '.join(overrides)}: {first}"


def check_choices(groups: list[str], exp: str) -> None:
    """Raises ConfigurationError for a choice that this experiment does not make, naming those of the same group."""
    made = set(choices_made(exp))
    for override in groups:
        name, _, value = override.partition("=")
        if name not in made:
            group = name.partition("@")[0]
            alike = sorted(choice for choice in made if choice.partition("@")[0] == group)
            instead = f"; write {' or '.join(f'{choice}={value}' for choice in alike)}" if alike else ""
            raise ConfigurationError(f"{name} is no choice to make in --exp {exp}{instead}")


def check_preset(groups: list[str], exp: str) -> None:
    """Raises ConfigurationError for a preset of another experiment: one whose file sets `exp`."""
    import yaml

    for preset in (override.removeprefix("preset=") for override in groups if override.startswith("preset=")):
        meant = yaml.safe_load((conf_folder() / "preset" / f"{preset}.yaml").read_text()) or {}
        if meant.get("exp", exp) != exp:
            raise ConfigurationError(f"preset={preset} is for --exp {meant['exp']}, not {exp}")


def choices_made(exp: str) -> list[str]:
    """The groups that an experiment chooses from, as they are written on the command line."""
    import yaml

    made = []
    for file in (conf_folder() / "config.yaml", conf_folder() / "exp" / f"{exp}.yaml"):
        entries = yaml.safe_load(file.read_text()).get("defaults", [])
        named = (next(iter(entry)) for entry in entries if isinstance(entry, dict))
        made += [name.removeprefix("override ").removeprefix("/") for name in named]
    return made
