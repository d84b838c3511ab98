"""Words for people: short names of parameters, options, durations and counts."""

import re
from collections.abc import Iterable

from vmsbench.metrics import catalog

PREDICTORS = {
    "black": "Black",
    "pixel_mean": "Pixel mean",
    "pixel_median": "Pixel median",
    "category_mean": "Category mean",
    "category_median": "Category median",
    "climatology": "Climatology",
    "category_climatology": "Category climatology",
    "centre_bias": "Centre bias",
    "category_centre_bias": "Category centre bias",
    "random_train": "Random training maps",
    "oracle_mean": "Oracle mean",
    "oracle_median": "Oracle median",
    "oracle_law": "Oracle law",
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


def metric(name: str) -> str:
    """Raises ConfigurationError for an unknown one."""
    return catalog.metric(name).label


def predictor(name: str) -> str:
    return PREDICTORS.get(name, name.replace("_", " ").capitalize())


def with_predictors(text: str) -> str:
    """The text with the words of predictors in place of their names."""
    names = "|".join(sorted(PREDICTORS, key=len, reverse=True))
    return re.sub(rf"\b({names})\b", lambda match: PREDICTORS[match.group()], text)


def times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def listing(words: Iterable[str]) -> str:
    """a, b and c"""
    items = list(words)
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]])) if items else ""
