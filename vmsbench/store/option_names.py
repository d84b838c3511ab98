"""The names of options in the space, used wherever a journal holds their values."""

from collections.abc import Mapping
from typing import Any


def with_names(event: dict[str, Any], space: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """A journal's event with options replaced by their names in the space."""
    named = [
        (entry["param"], option["set"], option["name"])
        for entry in space
        for option in entry.get("values") or ()
        if isinstance(option, dict) and {"name", "set"} <= set(option)
    ]

    if not named:
        return event

    def called(param: Any, value: Any) -> Any:
        return next((name for which, settings, name in named if (which, settings) == (param, value)), value)

    params = {param: called(param, value) for param, value in (event.get("params") or {}).items()}
    tried = [
        option | {"value": called(event.get("parameter"), option.get("value"))}
        for option in event.get("options") or ()
        if isinstance(option, dict)
    ]
    return event | {"params": params, "options": tried, "value": called(event.get("parameter"), event.get("value"))}
