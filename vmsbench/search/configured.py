"""The searcher that settings describe: the algorithm, known-good choices first, several seeds of each choice.

searcher.repeats=3                                   the mean over three seeds is a choice's score
searcher.first=[{optimizers.network.lr: 0.002}]      known-good choices
searcher.first=[gan-2]                               the best of a finished sweep
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vmsbench.config.commands import command_on
from vmsbench.config.format import describe
from vmsbench.config.instantiate import build, find
from vmsbench.config.settings import Config
from vmsbench.errors import ConfigurationError, UserError, did_you_mean
from vmsbench.search.ranges import like
from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.space import MISSING, Parameter, Space, at
from vmsbench.search.wrappers.filled import Filled
from vmsbench.search.wrappers.racing import Racing
from vmsbench.search.wrappers.repeated import Repeated
from vmsbench.store.runs_folder import sweep_named
from vmsbench.store.sweep_folder import SweepFolder

AROUND = ("repeats", "racing", "first", "fill")
"""Settings of `searcher` that are none of the algorithm's own."""


BILLED = "-billed"
"""At the end of a budget: of all hours of all slots, idle or not."""

FILLED_FROM = 3
"""Fewer slots than these are hardly idle, and often belong to a machine that has other things to do."""


EXPERIMENT = (
    *("exp", "seed", "device", "metric", "test", "fid"),
    *("data", "model", "optimizers", "augment", "trainer", "evaluation"),
)

FOLDS = ("folds", "fold")
"""Settings of `data` for cross-validation."""


def label_of(settings: Mapping[str, Any], group: str) -> str:
    """What people call the searcher or pruner of these settings: its class's own label, else the class's name.

    Raises ConfigurationError where there is no such class.
    """
    found = find(settings["_target_"], group)
    return str(vars(found).get("label") or found.__name__)


def experiment_part(settings: Config) -> Config:
    """The part of the settings that makes an experiment, of folds the first."""
    config = {name: settings[name] for name in EXPERIMENT}
    if config["data"].get("folds") is None:
        return unfolded(config)
    return config | {"data": config["data"] | {"fold": 0}}


def unfolded(config: Config) -> Config:
    """The configuration on the one split that there is without folds."""
    return config | {"data": {name: value for name, value in config["data"].items() if name not in FOLDS}}


def space_of(parameters: list[Any], config: Config) -> Space:
    """The space that conf/space declares, around a configuration."""
    return Space([Parameter.read(entry) for entry in parameters], config)


def searcher_for(settings: Config, space: Space, first: Sequence[Params] = (), slots: int = 1) -> Searcher:
    """The searcher over the space.

    first   known-good choices, asked for before all others
    slots   trials at once; from FILLED_FROM on those that are idle get extra choices, where searcher.fill is set and
            no budget of hours of trials is
    Raises ConfigurationError where it may ask for more than max_trials.
    """
    spec = {name: value for name, value in settings["searcher"].items() if name not in AROUND}
    repeats, folds = settings["searcher"].get("repeats", 1), settings["data"].get("folds")
    if folds is not None and folds < 2:
        raise ConfigurationError(f"data.folds={folds}: at least 2; data.folds=5 is usual, data.folds=null is one split")
    searcher: Searcher = build(spec, "searcher", space=space)
    if first:
        searcher.try_first(first)
    if settings["searcher"].get("racing", False):
        if folds is not None:
            raise ConfigurationError(
                f"searcher.racing=true with data.folds={folds}: folds differ more than seeds do; searcher.racing=false"
            )
        searcher = Racing(searcher, repeats, space.base["seed"])
    elif repeats != 1 or folds is not None:
        searcher = Repeated(searcher, repeats, space.base["seed"], folds or 1)
    if searcher.max_trials > settings["max_trials"]:
        raise ConfigurationError(
            f"this search may take {searcher.max_trials} trials, more than max_trials={settings['max_trials']}; "
            f"{fewer(settings, repeats * (folds or 1))}max_trials={searcher.max_trials} allows it"
        )
    return Filled(searcher, space.base["seed"]) if fills(settings, slots) else searcher


def fewer(settings: Config, each: int) -> str:
    """What would make a search shorter, for an error: one training of each configuration, else another searcher."""
    if each > 1:
        named = "data.folds" if settings["data"].get("folds") else "searcher.repeats"
        return f"each configuration is trained {each} times, by {named}; "
    return "searcher=coordinate and random take fewer, "


def fills(settings: Config, slots: int) -> bool:
    """Whether idle ones of so many slots get extra trials."""
    spends = settings["budget"] is not None and not str(settings["budget"]).endswith(BILLED)
    return bool(settings["searcher"].get("fill", False)) and slots >= FILLED_FROM and not spends


def first_choices(entries: Sequence[Any], space: Space, runs: Path) -> list[Params]:
    """The known-good choices of `searcher.first`: choices, and names of finished sweeps, whose best is meant.

    Raises UserError for a sweep that is not there or has no winner, and for values that the space does not have.
    """
    return [
        known_choice(space, entry) if isinstance(entry, Mapping) else best_of(str(entry), space, runs)
        for entry in entries
    ]


def best_of(name: str, space: Space, runs: Path) -> Params:
    """The winner of a finished sweep, as far as its values are in the space."""
    sweep = SweepFolder(sweep_named(name, runs))
    won = next((event["params"] for event in sweep.journal.events() if event["event"] == "winner"), None)
    if won is None:
        command = command_on("resume", runs / name)
        raise UserError(f"searcher.first: {name} has no winner yet; `{command}` finishes its search")
    about = sweep.about()
    return choice_of(space, space_of(about["space"], about["config"]).config(won))


def known_choice(space: Space, given: Mapping[str, Any]) -> Params:
    """A choice of `searcher.first`: values of some parameters, the start's of all others.

    Raises ConfigurationError for a name that is no parameter, and a value that is none of its options.
    """
    names = [one.param for one in space]
    for name, value in given.items():
        if name not in names:
            raise ConfigurationError(
                f"searcher.first: {name} is not a parameter of this space{did_you_mean(name, names)}  "
                f"(it has: {', '.join(names)})"
            )
        parameter = space.parameters[names.index(name)]
        if fitting_value(space, parameter, value) is MISSING:
            options = parameter.range or ", ".join(map(describe, parameter.values))
            raise ConfigurationError(f"searcher.first: {name}={describe(value)} is not in the space: {options}")
    return nearest(space, given)


def choice_of(space: Space, config: Config) -> Params:
    """The choice that a configuration makes, as far as its values are in the space."""
    values = {one.param: space.configured(one, one.values, config) for one in space}
    return nearest(space, {name: value for name, value in values.items() if value is not MISSING})


def nearest(space: Space, given: Mapping[str, Any]) -> Params:
    found = {one.param: fitting_value(space, one, given[one.param]) for one in space if one.param in given}
    params = space.start | {name: value for name, value in found.items() if value is not MISSING}
    return space.normal(params)


def fitting_value(space: Space, parameter: Parameter, value: Any) -> Any:
    """The value as the space has it; MISSING where it does not."""
    found = like(value, at(space.base, parameter.param))
    if parameter.range is not None:
        return found if found in parameter.range else MISSING
    return next((option for option in parameter.values if key(option) == key(found)), MISSING)
