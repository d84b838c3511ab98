"""Which track a search serves, by the metric that tunes it; without torch, for commands that only show it."""

from vmsbench.metrics.catalog import metric, sign


def served(name: str, samples: int) -> str:
    """Which track a tuning metric serves for a model of so many samples, as a line: CRPS of one map is its L1."""
    one = metric(name)
    if not one.references:
        return f"tuned by {name}, a metric without a blind reference: neither as one answer nor as a distribution"
    best = "the lowest" if sign(name) > 0 else "the highest"
    single = of_one_map(name) if samples == 1 else ""
    if single:
        words = "L1, of one map" if single == "l1" else "of one map"
        return f"tuned as one answer: {best} {name} ({words}) on the tuning pairs wins"
    words = "as one answer" if one.track == "answer" else "as a distribution"
    return f"tuned {words}: {best} {name} on the tuning pairs wins"


def of_one_map(name: str) -> str:
    """The score of a single answer that a distribution's score of one map is, or is ordered like: crps -> l1, the
    energy score, a distance, -> mse. Empty for all other scores."""
    return {"crps": "l1", "energy": "mse"}.get(name.removesuffix("_unit"), "")
