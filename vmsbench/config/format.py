"""Values as text for people: objects, settings, durations and counts. Tables, logs and messages all use these."""

import copy
from collections.abc import Mapping
from typing import Any


class Named(dict[str, Any]):
    """Short names of settings."""

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self.name = name

    def __deepcopy__(self, memo: dict[int, Any]) -> "Named":
        return Named(self.name, copy.deepcopy(dict(self), memo))


def describe(value: Any) -> str:
    """A setting in short: `SGD(lr=0.01)` for {"_target_": "torch.optim.SGD", "lr": 0.01}."""
    if isinstance(value, Named):
        return value.name
    if isinstance(value, dict):
        inside = ", ".join(f"{key}={describe(item)}" for key, item in value.items() if not str(key).startswith("_"))
        return f"{value['_target_'].rpartition('.')[2]}({inside})" if "_target_" in value else f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(describe(item) for item in value)})"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def assignment(path: str, value: Any) -> str:
    """A setting as the command line takes it, `model.network.width=16`; an object, which it would not take so, as
    `model.noise_schedule: LinearSchedule()`."""
    if isinstance(value, list | tuple) and all(isinstance(one, str | int | float) for one in value):
        return f"{path}=[{','.join(describe(one) for one in value)}]"
    if isinstance(value, dict | list | tuple):
        return f"{path}: {describe(value)}"
    return f"{path}={'null' if value is None else describe(value)}"


def assignments(choice: Mapping[str, Any]) -> str:
    """Settings by dotted path, in one line."""
    return ", ".join(assignment(path, value) for path, value in choice.items())


def duration(seconds: float | None) -> str:
    """0.4 s, 38 s, 3 min 20 s, 2 h 05 min; a dash where it is unknown."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.2g} s"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    minutes, rest = divmod(total, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(value: float | None) -> str:
    """1 234 567, with thin spaces; a dash where it is unknown."""
    return "–" if value is None else f"{round(value):,}".replace(",", "\u2009")


def number(score: float | None) -> str:
    """A score with four digits; a dash where it is unknown."""
    return "-" if score is None else f"{score:.4f}"
