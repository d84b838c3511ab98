"""Whether a value fits an annotation, and the words for it: `it is a whole number of at least 1, such as 8`.

Values are what YAML has: null, true, numbers, text, lists and mappings. An annotation of any other class is fitted by a
mapping with `_target_`, or by an object that is built already.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from vmsbench.errors import ConfigurationError, did_you_mean

UNFIT = object()
PLAIN = (NoneType, bool, int, float, str, list, tuple, dict)
LARGEST = 2**63 - 1
SHORT = 80  # characters of a value that an error shows
LARGEST_SEED = 2**32 - 1  # NumPy's


class ObjectSpec:
    """A mapping with `_target_`, from which an object is built."""


@dataclass(frozen=True)
class Range:
    """The numbers that fit: from `least` to `most`, above `above`, below `below`."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most and self.above < value < self.below

    def __str__(self) -> str:
        if math.isfinite(self.least) and math.isfinite(self.most):
            return f"from {self.least:.10g} to {self.most:.10g}"
        words = {"at least": self.least, "at most": self.most, "above": self.above, "below": self.below}
        return " and ".join(f"{word} {limit:.10g}" for word, limit in words.items() if math.isfinite(limit))


SEED = Annotated[int, Range(least=0, most=LARGEST_SEED)]
WHOLE = Annotated[int, Range(most=100_000)]
"""A whole number that a constructor limits no further; as a count or a size more would be work without end."""


def limited(name: str, hint: Any) -> Any:
    """The annotation of a constructor's argument, where it is a bare whole number with the limits above."""
    if hint is int:
        return SEED if name.endswith("seed") else WHOLE
    return WHOLE | None if hint == int | None else hint


def fitted(value: Any, hint: Any) -> Any:
    """The value, a whole number made a fraction where `hint` is float; UNFIT where it does not fit."""
    if isinstance(value, float) and not math.isfinite(value):
        return UNFIT
    if hint is Any or not isinstance(value, PLAIN):
        return value
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return in_range(fitted(value, inner[0]), inner[1:])
    if origin in (Union, UnionType):
        return fitted_to_one(value, inner)
    if origin is Literal:
        return value if value in inner else UNFIT
    if isinstance(value, list | tuple):
        return fitted_items(value, origin or hint, inner)
    if isinstance(value, dict):
        return value if "_target_" in value or takes(hint, Mapping) else UNFIT
    return fitted_scalar(value, hint)


def in_range(value: Any, notes: Sequence[Any]) -> Any:
    number = isinstance(value, int | float)
    return UNFIT if number and any(isinstance(note, Range) and value not in note for note in notes) else value


def fitted_to_one(value: Any, hints: Sequence[Any]) -> Any:
    """As the first of `hints` that takes the value unchanged, else the first that takes it converted."""
    found = [one for one in (fitted(value, hint) for hint in hints) if one is not UNFIT]
    return next((one for one in found if one is value), found[0] if found else UNFIT)


def fitted_items(value: Sequence[Any], sort: Any, inner: Sequence[Any]) -> Any:
    if not takes(sort, Sequence):
        return UNFIT
    fixed = sort is tuple and inner and inner[-1] is not Ellipsis
    if fixed and len(inner) != len(value):
        return UNFIT
    hints = inner if fixed else [inner[0] if inner else Any] * len(value)
    items = [fitted(item, hint) for item, hint in zip(value, hints, strict=True)]
    return UNFIT if any(item is UNFIT for item in items) else items


def fitted_scalar(value: Any, hint: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value if hint is type(value) or (value is None and hint is None) else UNFIT
    if hint is str and isinstance(value, int | float):
        return str(value)
    if hint in (str, Path) and isinstance(value, str):
        return value or UNFIT
    if hint is int and isinstance(value, int):
        return value if abs(value) <= LARGEST else UNFIT
    if hint is float and isinstance(value, int | float):
        return float(value) if abs(value) <= LARGEST or isinstance(value, float) else UNFIT
    return UNFIT


def takes(hint: Any, sort: type) -> bool:
    """Whether a hint is a class of that sort: of sequences (but not text), or of mappings."""
    sort_of = get_origin(hint) or hint
    return isinstance(sort_of, type) and issubclass(sort_of, sort) and sort_of is not str


def members(hint: Any) -> list[Any]:
    """The hints that a union is made of, without null; the hint itself where it is none."""
    if get_origin(hint) is Annotated:
        return members(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return [one for part in get_args(hint) for one in members(part) if one is not NoneType]
    return [hint]


def choices(hint: Any) -> list[Any]:
    """All values that fit, where a hint lists them."""
    listed = members(hint)
    return (
        [value for one in listed for value in get_args(one)]
        if all(get_origin(one) is Literal for one in listed)
        else []
    )


def is_text(hint: Any) -> bool:
    """Whether a value is taken literally: text or a path, not what YAML reads as another type."""
    return bool(members(hint)) and all(one in (str, Path) for one in members(hint))


def is_path(hint: Any) -> bool:
    return Path in members(hint)


KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
KINDS |= {Any: "a finite value"}
EXAMPLES = {bool: "true", int: "1", float: "0.1", str: "text", Path: "/path/to/it", Any: "0.1"}


OBJECT = "{_target_: package.module.Name}"


def kind(hint: Any) -> str:
    """What fits, in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        limits = [str(note) for note in inner[1:] if isinstance(note, Range)]
        joint = " of " if limits and limits[0].startswith("at") else " "
        return joint.join([kind(inner[0]), *limits])
    if choices(hint):
        return f"one of {', '.join(map(str, choices(hint)))}"
    if origin in (Union, UnionType):
        known = [one for one in inner if one in KINDS or get_origin(one) is not None] or inner
        words = dict.fromkeys(kind(one) for one in known if one is not NoneType and not (one is str and Path in inner))
        return " or ".join([*words, *(["null"] if NoneType in inner else [])])
    if takes(hint, Mapping):
        return "a mapping"
    if takes(hint, Sequence):
        fixed = origin is tuple and inner and inner[-1] is not Ellipsis
        return f"a list of {len(inner)}" if fixed else "a list"
    return KINDS.get(hint, "a mapping with _target_")


def example(hint: Any, usual: Any = None) -> str:
    """A value that fits, as it is written: a path, else null where that fits, else one like the first in `usual`."""
    if is_path(hint):
        return EXAMPLES[Path]
    if hint is not Any and fitted(None, hint) is None:
        return "null"
    one = members(hint)[0]
    if get_origin(one) is Literal:
        return str(get_args(one)[0])
    if takes(one, Mapping) and get_args(one):
        name = next(iter(usual), "name") if isinstance(usual, Mapping) else "name"
        return f"{{{name}: {example(get_args(one)[1])}}}"
    if takes(one, Sequence):
        first = shown(usual[0]) if isinstance(usual, list) and usual else ""
        return f"[{first if len(first) < SHORT else OBJECT}]"
    return "{}" if takes(one, Mapping) else EXAMPLES.get(one, OBJECT)


def shown(value: Any) -> str:
    """A value as it is written on the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {shown(item)}' for key, item in value.items())}}}"
    return str(value)


def brief(value: Any) -> str:
    """The same, cut where it is long."""
    return shown(value) if len(shown(value)) <= SHORT else f"{shown(value)[:SHORT]}..."


def misfit(path: str, value: Any, hint: Any, usual: Any = None) -> ConfigurationError:
    """The error for a value that does not fit: the setting, what it takes, and a value that works."""
    if is_dataclass(hint):
        return no_section(path, value, hint, usual)
    usable = usual is not None and isinstance(usual, PLAIN) and fitted(usual, hint) is not UNFIT
    works = shown(usual) if usable and len(shown(usual)) <= SHORT else example(hint, usual)
    valid = choices(hint)
    near = did_you_mean(str(value), map(str, valid))
    endless = isinstance(value, int) and abs(value) > LARGEST and fitted(LARGEST, hint) is not UNFIT
    needed = f"{kind(hint)}{' below 2^63' if endless else ''}"
    return ConfigurationError(f"{path}={brief(value)} does not fit: it is {needed}, such as {path}={works}{near}")


def no_section(path: str, value: Any, declared: Any, usual: Any) -> ConfigurationError:
    """The error for what should be a section: the settings in it, and one of them with a value that works."""
    each = fields(declared)
    now = usual if isinstance(usual, dict) else {}
    works = [f"{path}.{one.name}={shown(now.get(one.name, one.default))}" for one in each if one.default is not MISSING]
    told = f"it is a mapping of {', '.join(one.name for one in each)}{f', such as {works[0]}' if works else ''}"
    return ConfigurationError(f"{path}={brief(value)} does not fit: {told}")
