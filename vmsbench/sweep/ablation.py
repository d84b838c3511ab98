"""Ablations: the same experiment under each option of one group, several seeds each."""

from typing import Any

from vmsbench.config.compose import check_choices, compose
from vmsbench.config.plugins import options
from vmsbench.config.settings import setting
from vmsbench.errors import ConfigurationError
from vmsbench.search.configured import experiment_part

TRAINED = ("model", "optimizers", "augment", "trainer")


def ablation(exp: str, group: str, seeds: int, overrides: list[str]) -> dict[str, Any]:
    """All settings of a sweep that trains each option of `group` (augment, target, network, ...) from `seeds` seeds.

    Every trial is trained to its end, and scored on the tuning validation pairs alone. Raises ConfigurationError for a
    group that --exp does not choose from, or whose options change what is measured instead of what is trained.
    """
    if seeds < 1:
        raise ConfigurationError(f"--seeds {seeds}: at least 1; 3 or more show the variation between seeds")
    names = options(group.partition("@")[0])
    if not names:
        raise ConfigurationError(f"{group} cannot be ablated; augment and target can")
    if len(names) < 2:
        raise ConfigurationError(f"{group} has only one option, {names[0]}; there is nothing to compare it with")
    check_choices([f"{group}={names[0]}"], exp)
    base = compose(exp, [*overrides, "searcher=grid", f"searcher.repeats={seeds}", "pruner=none"])
    configs = {name: experiment_part(compose(exp, [*overrides, f"{group}={name}"])) for name in names}
    one, *others = configs.values()
    paths = sorted({path for other in others for path in differing(one, other)})
    if not paths or any(path.split(".")[0] not in TRAINED for path in paths):
        raise ConfigurationError(f"{group} is not part of the training; augment, target and network are")
    listed = [
        {"name": name, "set": {path: setting(config, path) for path in paths}} for name, config in configs.items()
    ]
    base["finals"]["top"] = 0
    return base | {"space": {"parameters": [{"param": group, "values": listed}]}}


def ablation_name(exp: str, group: str) -> str:
    """The name of the sweep that ablates a group, where it is given none."""
    return f"{exp}-ablate-{group.partition('@')[0]}"


def differing(one: Any, other: Any, path: str = "") -> list[str]:
    """The shortest dotted paths that change one configuration into the other; objects of different classes differ as a
    whole."""
    alike = isinstance(one, dict) and isinstance(other, dict) and one.get("_target_") == other.get("_target_")
    if not alike or (path and set(one) != set(other)):
        return [] if one == other else [path]
    return [found for name in one for found in differing(one[name], other[name], f"{path}.{name}".lstrip("."))]
