"""Words for people: short names of parameters, options, durations and counts."""

from collections.abc import Iterable, Mapping
from typing import Any

from vmsbench.metrics import catalog

PREDICTORS = {
    "black": "Black",
    "pixel_mean": "Pixel mean",
    "pixel_median": "Pixel median",
    "category_median": "Category median",
    "random_train": "Random training map",
    "oracle_mean": "Oracle mean",
    "oracle_median": "Oracle median",
}
CODINGS = {
    "rg": "red and green predicted, blue = 0",
    "rgb": "red, green and blue predicted",
    "grey": "one grey channel",
}


def parameters(params: Iterable[str]) -> dict[str, str]:
    """The shortest ending of each dotted name that no other one shares: model.network.width -> width.

    Optimisers are called by their players, which would say too little alone: optimizers.network stays whole.
    """
    paths = {param: param.split(".") for param in dict.fromkeys(params)}
    short = {}
    for param, parts in paths.items():
        for length in range(2 if parts[0] == "optimizers" else 1, len(parts) + 1):
            ending = parts[-length:]
            if sum(other[-length:] == ending for other in paths.values()) == 1:
                break
        short[param] = ".".join(ending)
    return short


def option(value: Any) -> str:
    """{"_target_": "torch.optim.SGD", "lr": 0.01} -> SGD lr=0.01; lists in brackets, floats as short as they are."""
    if isinstance(value, Mapping):
        name = str(value.get("_target_", "")).rpartition(".")[2]
        settings = [f"{key}={option(item)}" for key, item in value.items() if key not in ("_target_", "_partial_")]
        return " ".join(filter(None, [name, *settings])) or "{}"
    if isinstance(value, list | tuple):
        return f"({', '.join(option(item) for item in value)})"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def metric(name: str) -> str:
    """Raises ConfigurationError for an unknown one."""
    return catalog.metric(name).label


def predictor(name: str) -> str:
    return PREDICTORS.get(name, name.replace("_", " ").capitalize())


def duration(seconds: float | None) -> str:
    """0.4 s, 38 s, 3 min 20 s, 2 h 05 min."""
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
    """1 234 567, with thin spaces."""
    return "–" if value is None else f"{round(value):,}".replace(",", "\u2009")


def times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def listing(words: Iterable[str]) -> str:
    """a, b and c"""
    items = list(words)
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]])) if items else ""
