"""Measurements of vmsbench itself from Python."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vmsbench.bench.measurements import MEASUREMENTS, everything
from vmsbench.bench.result import Measurement
from vmsbench.bench.searching.simulations import SIMULATIONS, Simulation
from vmsbench.errors import ConfigurationError, did_you_mean


def bench(name: str | None = None, *overrides: str, **options: Any) -> Iterator[Measurement]:
    """Measure vmsbench: yields a row (what, value, unit, target) once it is measured.

    name        train, sample, data, packing, neighbours, precision, faces, journal or overhead (default: all but
                precision)
    overrides   of what is trained, as of `tune`
    options     those of `vmsbench bench NAME`: functions of vmsbench.bench.measurements

    Raises ConfigurationError for a name or an option that does not exist.
    """
    found: Iterator[Measurement] = called(MEASUREMENTS, name, overrides, options) if name else everything()
    return found


COUNTS = {"worlds", "trials", "slots", "most"}


def simulate(name: str, *source: str, **options: Any) -> Simulation:
    """Simulate searches without training: `.rows`, the same as a `.table` of text, and `.files` with a figure.

    name        search, slots, racing or stopping
    source      a sweep, or a curves.json, with recorded learning curves; `search` and `slots` go without
    options     those of `vmsbench bench NAME`: functions of vmsbench.bench.searching.simulations

    Raises ConfigurationError for a name or an option that does not exist or a count below 1, UserError where curves
    are missing.
    """
    for option in COUNTS & options.keys():
        if options[option] is not None and options[option] < 1:
            raise ConfigurationError(f"{option}={options[option]}: at least 1")
    found: Simulation = called(SIMULATIONS, name, source, options)
    return found


def called(
    there: Mapping[str, Callable[..., Any]], name: str, positional: tuple[str, ...], options: Mapping[str, Any]
) -> Any:
    if name not in there:
        raise ConfigurationError(
            f"{name} is not a measurement{did_you_mean(name, there)}  (there are: {', '.join(there)})"
        )
    try:
        inspect.signature(there[name]).bind(*positional, **options)
    except TypeError as error:
        raise ConfigurationError(f"{name}: {error}; it is {name}{inspect.signature(there[name])}") from error
    return there[name](*positional, **options)
