"""Values as files hold them, read tolerantly: NaN, Infinity, null and nonsense are all "no value"."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Scores = Mapping[str, float]


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def number(value: Any) -> float | None:
    """A finite float, or None."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def whole(value: Any) -> int | None:
    result = number(value)
    return None if result is None else int(result)


def numbers(value: Any) -> Scores:
    """The finite numbers of a dictionary."""
    found = {str(key): number(item) for key, item in mapping(value).items()}
    return {key: item for key, item in found.items() if item is not None}


def milliseconds(when: Any) -> int | None:
    """Seconds since 1970 or an ISO time, as whole milliseconds since 1970; None for anything else."""
    if isinstance(when, int | float) and not isinstance(when, bool):
        return round(when * 1000)
    try:
        return round(datetime.fromisoformat(when).timestamp() * 1000)
    except (TypeError, ValueError):
        return None
