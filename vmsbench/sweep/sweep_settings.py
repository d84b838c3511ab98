"""The settings of a sweep: of a new one from its overrides, of an existing one with what may change."""

from collections.abc import Iterable
from pathlib import Path

from vmsbench.config.compose import compose, with_epochs
from vmsbench.config.settings import Config, near, with_settings
from vmsbench.errors import ConfigurationError
from vmsbench.store.runs_folder import sweep_named
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.budget import check_budget

LIMITS = ("budget", "hours_per_trial", "max_trials", "finals")
PLACES = ("device", "fid", "launcher", "slots", "tracker")
FILES = ("data.root", "model.sight.encoder.weights")
"""Where things lie, which is checked by what they hold."""


def search_settings(exp: str, overrides: Iterable[str], epochs: int | None, *, check_all: bool = True) -> Config:
    """All settings of a sweep; `check_all` as of `compose`, where FID is looked for too.

    Raises ConfigurationError for a budget that is none, and where FID is required and cannot be computed.
    """
    settings = compose(exp, with_epochs(overrides, epochs), check_all=check_all)
    check_budget(settings["budget"])
    if settings["fid"]["required"] and check_all:
        from vmsbench.training.checks import check_fid

        check_fid(settings)
    return settings


def settings_of(name: str, runs: Path, overrides: list[str]) -> tuple[Config, Config]:
    """The settings of an existing sweep with overrides of paths and resources; and these overrides, by dotted path.

    Raises UserError where there is no such sweep, ConfigurationError for an override that would change its results.
    """
    about = SweepFolder(sweep_named(name, runs)).about()
    words = check_overrides(name, overrides, PLACES)
    composed = compose(about["exp"], without_weights(overrides))
    given = {"data.root": composed["data"]["root"], "device": composed["device"], "fid": composed["fid"]}
    places = {path: value for path, value in given.items() if any(word.startswith(path) for word in words)}
    places |= weights_in(overrides, about["config"], name)
    return composed | {"metric": about["config"]["metric"], "trainer": about["config"]["trainer"]}, places


def check_overrides(name: str, overrides: list[str], allowed: tuple[str, ...]) -> list[str]:
    """The settings that are overridden. Raises ConfigurationError for one that would change the sweep's results."""
    words = [override.partition("=")[0] for override in overrides]
    for word in words:
        if word.partition(".")[0] not in allowed and word not in FILES:
            raise ConfigurationError(
                f"{word} is part of what {name} was tuned for; only {', '.join((*FILES, *allowed))} can change now"
            )
    return words


def settings_to_resume(name: str, runs: Path, overrides: list[str]) -> Config:
    """All settings that a sweep was started with, except for paths and resources."""
    about = SweepFolder(sweep_named(name, runs)).about()
    words = check_overrides(name, overrides, (*PLACES, *LIMITS))
    composed, settings = compose(about["exp"], without_weights(overrides)), about["settings"]
    for word in words:
        if word == "data.root":
            settings["data"]["root"] = composed["data"]["root"]
        elif word not in FILES:
            settings[word.partition(".")[0]] = composed[word.partition(".")[0]]
    check_budget(settings["budget"])
    return with_settings(settings, weights_in(overrides, settings, name))


def without_weights(overrides: list[str]) -> list[str]:
    """The overrides that an experiment has whatever its encoder is."""
    return [override for override in overrides if override.partition("=")[0] != FILES[1]]


def weights_in(overrides: list[str], settings: Config, name: str) -> Config:
    """Where the file of the encoder's weights is now, by its dotted path; empty where no override says so.

    Raises ConfigurationError where a sweep's encoder has none.
    """
    given = [
        override.partition("=")[2].strip("'\"") for override in overrides if override.partition("=")[0] == FILES[1]
    ]
    if given and not isinstance(near(settings, FILES[1]), str):
        raise ConfigurationError(f"{FILES[1]}: the encoder of {name} has no weights from a file; leave it out")
    return {FILES[1]: given[-1]} if given else {}
