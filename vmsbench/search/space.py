"""What a search may vary: parameters in order, some of which exist only under other settings.

- param: optimizers.network                       # whole objects are options like any other
  values:
    - {_target_: torch.optim.SGD, _partial_: true, lr: 0.005}
    - {_target_: torch.optim.Adam, _partial_: true, lr: 0.001, betas: [0.9, 0.999]}
- param: optimizers.network.betas                 # a part of that object, where it has such a part
  when: {optimizers.network._target_: torch.optim.Adam}
  values: [[0.9, 0.999], [0.5, 0.999]]
- param: size                                     # a name of one's own, and options that set several parameters
  values:
    - set: {model.network.width: 32, trainer.batch_size: 16}
    - {name: wide, set: {model.network.width: 64, trainer.batch_size: 8}}      # a name for people
- param: model.network.norm                      # only where the network has such a setting
  when: has
  values: [batch, instance]
- param: trainer.clip
  values: [0.0, {value: 1.0, when: {model.network.width: [64, 100]}}]        # a list: any of them
- param: optimizers.network.lr
  range: [1e-4, 1e-2]                            # any number between; vmsbench.search.ranges
  log: true
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vmsbench.config.format import Named, describe
from vmsbench.config.settings import Config, setting
from vmsbench.errors import ConfigurationError, did_you_mean
from vmsbench.search.ranges import ValueRange, fitting, like
from vmsbench.search.searcher import Params, key

MISSING = object()
FORMS = (
    ({"param", "values"}, {"param", "values", "when"}),
    ({"param", "range"}, {"param", "range", "log", "step", "when"}),
)
"""The names that an entry of conf/space must have, and those that it may have."""


@dataclass(frozen=True)
class Parameter:
    """One parameter and its options, in order. Raises ConfigurationError where there are none, or one twice.

    when   the settings under which it exists, by dotted path; a list means any of its members
    only   the same for single options, by `key(option)`
    has    whether it exists only where the object around it has such a setting (`when: has`)
    joint  whether options are dictionaries that set several parameters, each by its dotted path
    range  the numbers it may be, where it is not a list; its lowest, middle and highest are `values` then
    """

    param: str
    values: Sequence[Any]
    when: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    joint: bool = False
    has: bool = False
    range: ValueRange | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ConfigurationError(f"space: {self.param} has no options; give it at least one")
        if len({key(option) for option in self.values}) < len(self.values):
            raise ConfigurationError(f"space: {self.param} has an option twice: {list(self.values)}")

    @classmethod
    def read(cls, entry: Any) -> "Parameter":
        """A parameter as conf/space/*.yaml writes it. Raises ConfigurationError for one that is not of that form."""
        if not isinstance(entry, dict) or not any(need <= set(entry) <= may for need, may in FORMS):
            raise ConfigurationError(
                f"space: {describe(entry)}: a parameter is {{param, values}}, or {{param, range}} with log or step, "
                "and when, if need be"
            )
        param = entry["param"]
        if "range" in entry:
            found = ValueRange.read(param, entry)
            when, has = read_when(param, entry)
            return cls(param, found.points, when, has=has, range=found)
        given = entry["values"]
        if not isinstance(given, list):
            raise ConfigurationError(f"space: {param} has options {describe(given)}; they are a list")
        joint = [isinstance(option, dict) and "set" in option for option in given]
        if any(joint) and not all(joint):
            raise ConfigurationError(f"space: {param} has options with `set` and without; give it to all or none")
        values, only = [], {}
        for option in given:
            named = set(option) - {"name"} if isinstance(option, dict) else set()
            wrapped = named in ({"set"}, {"set", "when"}, {"value", "when"})
            values.append(option.get("set", option.get("value")) if wrapped else option)
            if wrapped and "name" in option and isinstance(values[-1], dict):
                values[-1] = Named(str(option["name"]), values[-1])
            if wrapped and "when" in option:
                only[key(values[-1])] = option["when"]
        when, has = read_when(param, entry)
        return cls(param, values, when, only, any(joint), has)

    def fitted(self, config: Config) -> "Parameter":
        """The same with numbers of the types that the configuration has at its paths; itself where they are so."""
        if self.range is not None:
            found = fitting(self.range, self.param, at(config, self.param))
            return self if found == self.range else replace(self, range=found, values=found.points)
        if self.joint:
            return self
        there = at(config, self.param)
        values = [like(option, there) for option in self.values]
        if list(map(key, values)) == list(map(key, self.values)):
            return self
        only = {key(like(json.loads(text), there)): when for text, when in self.only.items()}
        return replace(self, values=values, only=only)

    def settings(self, value: Any) -> dict[str, Any]:
        """The settings of an option, by dotted path."""
        return value if self.joint else {self.param: value}

    @property
    def paths(self) -> set[str]:
        return {path for option in self.values for path in self.settings(option)}

    @property
    def conditions(self) -> set[str]:
        """The settings that the existence of this parameter, or of an option, depends on."""
        around = {path.rpartition(".")[0] for path in self.paths if self.has and "." in path}
        return {*self.when, *(path for when in self.only.values() for path in when), *around}

    def exists(self, config: Config) -> bool:
        """Whether the parameter exists in a configuration: its parent is there, and its conditions hold."""
        there = not self.has or all(at(config, path) is not MISSING for path in self.paths)
        return there and holds(config, self.when)


class Space:
    """Ordered parameters over a configuration; a choice is a value for those of them that exist under it.

    What lies within the value of an earlier parameter (`optimizers.network.lr` within `optimizers.network`) stands in
    a choice only where it differs from that value, and is dropped where the earlier parameter takes another. Raises
    ConfigurationError for a parameter that is not a setting, or that stands before one it depends on.
    """

    def __init__(self, parameters: Sequence[Parameter], base: Config) -> None:
        if not parameters:
            raise ConfigurationError("space: no parameters; a search needs a parameter to vary")
        self.parameters, self.base = tuple(one.fitted(base) for one in parameters), base
        self.sizes: dict[str, float] = {}
        self.above: dict[str, list[Parameter]] = {}
        for index, one in enumerate(self.parameters):
            earlier, later = self.parameters[:index], self.parameters[index + 1 :]
            if any(one.param == other.param for other in earlier):
                raise ConfigurationError(f"space: {one.param} is given twice")
            self.above[one.param] = [other for other in earlier if touches(other.paths, one.paths)]
            for other in later:
                if (touches(other.paths, one.paths) and not touches(one.paths, other.paths)) or touches(
                    other.paths, one.conditions
                ):
                    raise ConfigurationError(f"space: {other.param} must stand before {one.param}, which depends on it")
            self.check_paths(one)
        self.decisive = {
            one.param
            for one in self.parameters
            if any(touches(one.paths, other.conditions) for other in self.parameters)
        }
        self.start = self.normal({})

    def check_paths(self, parameter: Parameter) -> None:
        within = {path for other in self.above[parameter.param] for path in other.paths}
        for path in sorted(parameter.paths - within):
            nested = touches(within, {path})
            if not nested and not parameter.has and at(self.base, path) is MISSING:
                raise ConfigurationError(
                    f"space: {path} is not a setting of --exp {self.base.get('exp')}"
                    f"{did_you_mean(path, paths(self.base))}"
                )

    def has_option(self, param: str, value: Any) -> bool:
        """Whether a parameter has a list of options, and this is one of them."""
        there = (one for one in self.parameters if one.param == param and one.range is None)
        return any(key(like(value, at(self.base, param))) in map(key, one.values) for one in there)

    def with_option(self, param: str, value: Any) -> "Space":
        """The same with one more option of a parameter, the last. Raises ConfigurationError where it has it already."""
        more = (replace(one, values=[*one.values, value]) if one.param == param else one for one in self.parameters)
        return Space(list(more), self.base)

    def config(self, params: Params) -> Config:
        """The configuration with a choice applied; names that are no parameter (seed) are settings themselves."""
        config = self.base
        for parameter in self.parameters:
            if parameter.param in params:
                for path, value in parameter.settings(params[parameter.param]).items():
                    config = put(config, path, value)
                    known = path.removesuffix("weights") + "sha256"
                    if path.endswith(".weights") and at(config, known) is not MISSING:  # it is another file's
                        config = put(config, known, None)
        for name in params.keys() - self.above.keys():
            config = put(config, name, params[name])
        return config

    def values(self, parameter: Parameter, params: Params) -> list[Any]:
        """The options that exist under a choice; none where the parameter itself does not exist."""
        if not parameter.conditions:
            return list(parameter.values)
        config = self.config(params)
        if not parameter.exists(config):
            return []
        return [option for option in parameter.values if holds(config, parameter.only.get(key(option), {}))]

    def value(self, parameter: Parameter, params: Params) -> Any:
        """The value of a parameter under a choice; None where it has none."""
        if parameter.param in params:
            return params[parameter.param]
        there = self.configured(parameter, parameter.values, self.config(params))
        return None if there is MISSING else there

    def configured(self, parameter: Parameter, options: Sequence[Any], config: Config) -> Any:
        """The value of a parameter in a configuration: at its path, or the joint option that is set in it."""
        if not parameter.joint:
            return at(config, parameter.param)
        return next((option for option in options if self.is_set(parameter, option, config)), MISSING)

    def moved(self, params: Params, parameter: Parameter, value: Any) -> Params:
        """The choice with another value of one parameter, without what depended on the old one."""
        kept = {
            one.param: params[one.param]
            for one in self.parameters
            if one.param in params and parameter not in self.above[one.param]
        }
        return self.normal(kept | {parameter.param: value})

    def normal(self, params: Params) -> Params:
        """The canonical form of all choices that mean the same configuration."""
        said: Params = {}
        for parameter in self.parameters:
            options = self.values(parameter, said)
            if not options:
                continue
            above, value = self.above[parameter.param], params.get(parameter.param, MISSING)
            if value is not MISSING and key(value) in parameter.only and key(value) not in map(key, options):
                value = MISSING
            if value is MISSING and not above:
                value = self.configured(parameter, options, self.config(said))
            if value is MISSING or (above and self.is_set(parameter, value, self.config(said))):
                continue
            said[parameter.param] = value if parameter.joint else like(value, at(self.base, parameter.param))
        return said

    def is_set(self, parameter: Parameter, value: Any, config: Config) -> bool:
        settings = parameter.settings(value).items()
        found = ((at(config, path), wanted) for path, wanted in settings)
        return all(there is not MISSING and key(there) == key(wanted) for there, wanted in found)

    @property
    def listed(self) -> bool:
        """Whether every parameter is a list of options."""
        return all(one.range is None for one in self.parameters)

    def count(self, index: int = 0, params: Params | None = None) -> float:
        """How many points agree with `params` in all parameters before `index`; infinitely many with a range that has
        no step."""
        if index == len(self.parameters):
            return 1
        said = params or {}
        memory = key([index, {param: said.get(param) for param in sorted(self.decisive)}])
        if memory not in self.sizes:
            parameter = self.parameters[index]
            options = self.values(parameter, said)
            if parameter.param in self.decisive and options:
                branches = (said | {parameter.param: option} for option in options)
                self.sizes[memory] = sum(self.count(index + 1, branch) for branch in branches)
            else:
                several = parameter.range.count if parameter.range is not None and options else max(1, len(options))
                self.sizes[memory] = several * self.count(index + 1, said)
        return self.sizes[memory]

    def ranks(self) -> range:
        """The rank of every point. Raises ConfigurationError where a parameter is a range, which has no list."""
        for one in self.parameters:
            if one.range is not None:
                raise ConfigurationError(
                    f"this search needs a list for {one.param}, not the range {one.range}; "
                    f"values: {describe(list(one.values))} is one, and searcher=random and tpe take ranges"
                )
        return range(int(self.count()))

    def point(self, rank: int) -> Params:
        """The point of that rank, from 0, where all parameters are lists; the last parameter changes fastest."""
        said: Params = {}
        for index, parameter in enumerate(self.parameters):
            for option in self.values(parameter, said):
                branch = said | {parameter.param: option}
                size = int(self.count(index + 1, branch))
                if rank < size:
                    said = branch
                    break
                rank -= size
        return self.normal(said)

    def example(self, parameter: Parameter, value: Any) -> Params:
        """A choice with that value, as near to the start as there is one.

        Raises ConfigurationError where its conditions never hold.
        """
        for params in self.around(parameter):
            if key(value) in map(key, self.values(parameter, params)):
                return self.moved(params, parameter, value)
        when = dict(parameter.when) | dict(parameter.only.get(key(value), {}))
        raise ConfigurationError(
            f"space: {parameter.param}={describe(value)} never exists: {describe(when)} never holds"
        )

    def excluded(self, parameter: Parameter, value: Any) -> bool:
        """Whether an option is excluded from the whole search, by settings that no parameter varies."""
        when = dict(parameter.when) | dict(parameter.only.get(key(value), {}))
        varied = {path for other in self.parameters for path in other.paths}
        fixed = {path: wanted for path, wanted in when.items() if not touches(varied, {path})}
        lacking = parameter.has and not touches(varied - parameter.paths, parameter.conditions)
        return not holds(self.base, fixed) or (lacking and not parameter.exists(self.base))

    def around(self, parameter: Parameter) -> Iterator[Params]:
        """The start, then all choices that differ from it in one, two, ... of the parameters that this one depends
        on."""
        needed = [one for one in self.parameters if touches(one.paths, parameter.conditions)]
        for count in range(len(needed) + 1):
            for chosen in itertools.combinations(needed, count):
                for values in itertools.product(*(one.values for one in chosen)):
                    params = self.start
                    for one, option in zip(chosen, values, strict=True):
                        params = self.moved(params, one, option)
                    yield params

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)


def read_when(param: str, entry: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The settings under which an entry of conf/space exists, and whether it exists where its object has it."""
    when = entry.get("when") or {}
    if when != "has" and not isinstance(when, dict):
        raise ConfigurationError(f"space: {param} has when: {describe(when)}; it is `has`, or {{setting: value}}")
    return ({}, True) if when == "has" else (when, False)


def touches(paths: set[str], others: set[str]) -> bool:
    """Whether one of `others` is one of `paths`, or lies within one."""
    return any(other == path or other.startswith(f"{path}.") for path in paths for other in others)


def at(config: Config, path: str) -> Any:
    """The value at a dotted path; MISSING where there is nothing."""
    try:
        return setting(config, path)
    except (KeyError, TypeError):
        return MISSING


def put(config: Config, path: str, value: Any) -> Config:
    """The configuration with another value at a dotted path; unchanged parts are shared with the old one."""
    first, _, rest = path.partition(".")
    return {**config, first: put(config[first], rest, value) if rest else value}


def holds(config: Config, when: Mapping[str, Any]) -> bool:
    def fits(there: Any, wanted: Any) -> bool:
        return key(there) == key(wanted) or (isinstance(wanted, list) and key(there) in map(key, wanted))

    return all((there := at(config, path)) is not MISSING and fits(there, wanted) for path, wanted in when.items())


def paths(config: Any, above: str = "") -> list[str]:
    """Every dotted path of a configuration."""
    if not isinstance(config, dict):
        return []
    here = [f"{above}{name}" for name in config]
    return here + [path for name, value in config.items() for path in paths(value, f"{above}{name}.")]
