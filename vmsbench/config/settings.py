"""A configuration as a plain dictionary: its settings by dotted paths, and the type of each.

Settings with a `_target_` are typed by its constructor's annotations, all others by the dataclasses here; their
defaults are those of conf/.
"""

import copy
import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from vmsbench.config.instantiate import accepted, find
from vmsbench.config.schema import SEED, UNFIT, ObjectSpec, Range, fitted, members, misfit, takes
from vmsbench.errors import ConfigurationError

Config = dict[str, Any]

AtLeast0 = Range(least=0)
Count = Range(least=1, most=1_000_000)
Few = Range(least=1, most=1000)
"""What multiplies work or memory is limited, so that a slip of the keyboard is refused before it starts."""


@dataclasses.dataclass(frozen=True)
class TrainerSettings:
    """`trainer`: the training loop."""

    lr_schedule: ObjectSpec
    epochs: Annotated[int, Count] = 100
    batch_size: Annotated[int, Count] = 8
    micro_batch: Annotated[int, Count] | None = None
    ema: Annotated[float, Range(least=0, below=1)] = 0.0
    clip: Annotated[float, AtLeast0] = 0.0
    precision: Literal["float32", "bf16"] = "float32"
    keep: Literal["last", "best"] = "last"
    patience: Annotated[int, Range(least=0, most=1_000_000)] = 0


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """`evaluation`: how often, and on how many pairs and samples, a model is scored."""

    every: Annotated[int, Count] = 1
    images: Annotated[int, Count] | None = None
    samples: Annotated[int, Few] = 1
    final_samples: Annotated[int, Few] = 1
    batch_size: Annotated[int, Count] = 64


@dataclasses.dataclass(frozen=True)
class FidSettings:
    """`fid`: the Inception weights, and whether they are required."""

    weights: str | None = None
    required: bool = False


@dataclasses.dataclass(frozen=True)
class FinalsSettings:
    """`finals`: the trainings at the end of a sweep."""

    top: Annotated[int, Range(least=0, most=1000)] = 1
    seeds: Annotated[int, Few] = 1


@dataclasses.dataclass(frozen=True)
class SlotSettings:
    """`slots`: the CPUs and GPUs of each trial."""

    cpus: Annotated[int, Count] = 1
    gpus: Annotated[float, Range(above=0)] = 1.0
    niceness: Annotated[int, Range(least=0, most=19)] = 0


@dataclasses.dataclass(frozen=True)
class SpaceSettings:
    """`space`: what a search varies, as `vmsbench.search.space` reads it."""

    parameters: list[Any]


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings of a sweep."""

    exp: str
    data: ObjectSpec
    model: ObjectSpec
    optimizers: dict[str, ObjectSpec]
    augment: ObjectSpec
    trainer: TrainerSettings
    evaluation: EvaluationSettings
    fid: FidSettings
    space: SpaceSettings
    searcher: ObjectSpec
    pruner: ObjectSpec
    tracker: ObjectSpec
    launcher: ObjectSpec
    finals: FinalsSettings
    slots: SlotSettings
    seed: SEED = 0
    device: str = "auto"
    metric: str = "crps"
    test: bool = False
    max_trials: Annotated[int, Range(least=1, most=100_000)] = 1000
    budget: str | None = None
    hours_per_trial: Annotated[float, Range(above=0)] | None = None


BY_PATH: dict[str, Any] = {
    "data.root": str | Path | None,
    "data.cache": str | Path | None,
    "data.folds": Annotated[int, Range(least=2, most=100_000)] | None,
    "searcher.repeats": Annotated[int, Few],
    "searcher.first": list[Any],
    "searcher.fill": bool,
    "searcher.racing": bool,
}
"""Settings next to those of a `_target_` that are not its own, or that its constructor does not limit; and those of
all data, whose types are known without the import of what reads them."""


def setting(config: Config, path: str) -> Any:
    """The value at a dotted path. Raises KeyError where there is none."""
    for key in path.split("."):
        config = config[key]
    return config


def with_settings(config: Config, settings: dict[str, Any]) -> Config:
    """A copy of `config` with other values at dotted paths; a dictionary replaces the old value as a whole."""
    changed = copy.deepcopy(config)
    for path, value in settings.items():
        *above, last = path.split(".")
        place = setting(changed, ".".join(above)) if above else changed
        place[last] = copy.deepcopy(value)
    return changed


@cache
def hints_of(declared: type) -> dict[str, Any]:
    return get_type_hints(declared, include_extras=True)


def typed(settings: Config, usual: Config | None = None) -> Config:
    """The settings, each of the type that it is declared with; an int becomes a float where one is declared.

    usual   settings from which errors take a value that works
    Raises ConfigurationError for the first that does not fit, in one line that names it and a value that works.
    """
    return {name: checked(value, hint_in(Settings, None, name), name, usual) for name, value in settings.items()}


def checked(value: Any, hint: Any, path: str, usual: Config | None) -> Any:
    found = value if dataclasses.is_dataclass(hint) and isinstance(value, dict) else fitted(value, hint)
    if found is UNFIT:
        raise misfit(path, value, hint, near(usual, path))
    if isinstance(found, dict):
        if dataclasses.is_dataclass(hint):
            check_complete(found, hint, path)
        if isinstance(found.get("_target_"), str):
            find(found["_target_"], path)
        return {
            name: checked(item, hint_below(hint, found, path, name), f"{path}.{name}", usual)
            for name, item in found.items()
        }
    if isinstance(found, list):
        return [checked(item, element(hint), f"{path}[{index}]", usual) for index, item in enumerate(found)]
    return found


def check_complete(found: Config, hint: Any, path: str) -> None:
    """Raises ConfigurationError where an entry is missing that has no default."""
    for field in dataclasses.fields(hint):
        if field.default is dataclasses.MISSING and field.name not in found:
            raise ConfigurationError(f"{path}.{field.name} is missing; {path} has: {', '.join(hints_of(hint))}")


def hint_below(hint: Any, value: Any, path: str, name: str) -> Any:
    """The type of an entry of the mapping at a dotted path."""
    at = f"{path}.{name}".lstrip(".")
    return BY_PATH[at] if at in BY_PATH else hint_in(hint, value, name)


def hint_in(hint: Any, value: Any, name: str) -> Any:
    """The type of an entry of a mapping: by a dataclass, by its `_target_`, or that of all of its entries."""
    if isinstance(value, dict) and "_target_" in value:
        own = {"_target_": str, "_partial_": bool}
        if name in own or not isinstance(value["_target_"], str):
            return own.get(name, Any)
        return accepted(find(value["_target_"])).get(name, Any)
    if dataclasses.is_dataclass(hint):
        return hints_of(hint if isinstance(hint, type) else type(hint)).get(name, Any)
    inner = [get_args(one) for one in members(hint) if takes(one, Mapping)]
    return inner[0][1] if inner and len(inner[0]) == 2 else Any


def element(hint: Any) -> Any:
    """The type of all members of a list."""
    inner = [get_args(one) for one in members(hint) if get_origin(one) and takes(one, list | tuple)]  # type: ignore[arg-type]
    return inner[0][0] if inner and len(set(inner[0]) - {Ellipsis}) == 1 else Any


def near(settings: Config | None, path: str) -> Any:
    try:
        return setting(settings or {}, path)
    except (KeyError, TypeError):
        return None


def hint_at(settings: Config, path: str) -> Any:
    """The declared type of the setting at a dotted path; Any where there is none."""
    hint: Any = Settings
    here: Any = None
    walked = ""
    for name in path.split("."):
        hint = hint_below(hint, here, walked, name)
        walked = f"{walked}.{name}".lstrip(".")
        here = near(settings, walked)
    return hint
