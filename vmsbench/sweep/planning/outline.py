"""What the settings alone say of a sweep: no data are read, nothing is built and no search is simulated."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.config.settings import Config
from vmsbench.search.configured import experiment_part, fills, first_choices, searcher_for, space_of
from vmsbench.search.searcher import Searcher
from vmsbench.search.space import Parameter, Space


@dataclass(frozen=True)
class PlannedParameter:
    """A parameter of the search: its options, and the conditions under which it exists."""

    param: str
    options: tuple[Any, ...]
    when: Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """Hours and bytes, finals included.

    hours              that trials are in slots, expected
    hours_at_most      the same, if no trial is stopped and each takes as long as the longest one
    clock              hours on the clock, expected
    billed             hours of all slots, busy or idle, expected
    seconds_per_epoch  of a mean trial, validation and evaluation included
    bytes              in the sweep's folder when all is done
    """

    hours: float
    hours_at_most: float
    clock: float
    billed: float
    seconds_per_epoch: float
    bytes: float


@dataclass(frozen=True)
class Plan:
    """What a sweep will take.

    trials, epochs  of the search: expected, as means over simulated searches; and at most, where none is stopped
    repeats, racing seeds of each configuration; with racing at most, as long as it may still win
    folds           of which each trial is one; None for one split
    extra           trials for idle slots, expected
    fills           whether idle slots get extra trials; what is at most does not count them
    busy            the share of the slots' time in which there is a trial, expected, without the finals
    finals          trainings of the best from fresh seeds, with `final_epochs` in all
    slots           trials at once
    files           in the sweep's folder when all is done, expected
    cost            None where no cost is known; `measured` says where it is from

    What is expected is None where no search was simulated.
    """

    parameters: tuple[PlannedParameter, ...]
    rounds: int
    repeats: int
    racing: bool
    folds: int | None
    trials: float | None
    trials_at_most: int
    extra: float | None
    fills: bool
    busy: float | None
    epochs: float | None
    epochs_at_most: int
    epochs_per_trial: int
    finals: int
    slots: int
    files: int | None
    measured: str
    cost: Cost | None

    @property
    def final_epochs(self) -> int:
        return self.finals * self.epochs_per_trial


def outline(settings: Config, runs: Path, slots: int) -> Plan:
    """The trials and epochs that a sweep takes at most. Raises UserError for a space or searcher that cannot work."""
    space = space_of(settings["space"]["parameters"], experiment_part(settings))
    first = first_choices(settings["searcher"].get("first", ()), space, runs)
    return Plan(
        **outlined(settings, space, searcher_for(settings, space, first), slots),
        trials=None,
        extra=None,
        busy=None,
        epochs=None,
        slots=slots,
        files=None,
        measured="not looked for",
        cost=None,
    )


def outlined(settings: Config, space: Space, searcher: Searcher, slots: int) -> dict[str, Any]:
    """What of a plan needs no simulation."""
    epochs = settings["trainer"]["epochs"]
    return {
        "parameters": tuple(PlannedParameter(one.param, options_of(one), one.when) for one in space),
        "rounds": settings["searcher"].get("rounds", 1),
        "fills": fills(settings, slots),
        "repeats": settings["searcher"].get("repeats", 1),
        "racing": settings["searcher"].get("racing", False),
        "folds": settings["data"].get("folds"),
        "trials_at_most": searcher.max_trials,
        "epochs_at_most": searcher.max_trials * epochs,
        "epochs_per_trial": epochs,
        "finals": settings["finals"]["top"] * settings["finals"]["seeds"],
    }


def options_of(parameter: Parameter) -> tuple[Any, ...]:
    """The options of a parameter; of a range, one text for all its numbers."""
    return tuple(parameter.values) if parameter.range is None else (str(parameter.range),)
