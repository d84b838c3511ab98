"""What a sweep will take, before it starts: trials, epochs, hours and bytes."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path
from statistics import fmean
from typing import Any

from vmsbench.config.settings import Config
from vmsbench.experiment import FILES
from vmsbench.search.configured import first_choices, searcher_for
from vmsbench.search.searcher import Params
from vmsbench.search.simulation import EPOCHS, SimulatedSearch, play, synthetic
from vmsbench.search.space import Space
from vmsbench.store.usage import HOUR
from vmsbench.sweep.planning.cost_model import TrialCost, measured, recorded, shape
from vmsbench.sweep.planning.outline import Cost, Plan, outlined
from vmsbench.sweep.tune import resolve
from vmsbench.training.checks import chosen_device

SIMULATED = 4_000  # trials of all simulated searches, at most, where there are three or more
CALIBRATION = 20.0  # seconds
FILES_OF_SWEEP = 4


def plan(
    settings: dict[str, Any], runs: Path, slots: int, calibrate: bool, tell: Callable[[str], None], worlds: int = 3
) -> Plan:
    """Simulate the search on synthetic curves with the real searcher and pruner, and add the cost of its trials.

    slots      trials at once
    calibrate  whether kinds of trial that were never trained may be trained for CALIBRATION seconds in all
    tell       is called with a line for what is being measured
    worlds     searches that are simulated
    Raises UserError as `tune` would.
    """
    config, dataset, space, searcher, stopping = resolve(settings, runs)
    epochs, budget = config["trainer"]["epochs"], searcher.max_trials
    first = first_choices(settings["searcher"].get("first", ()), space, runs)
    curves = [synthetic(space, world) for world in range(max(1, min(worlds, SIMULATED // budget)))]
    played = [play(searcher_for(settings, space, first, slots), curve, stopping, slots) for curve in curves]
    shapes = {shape(space.config(params)) for one in played for params, _ in one.trials}
    known = recorded(runs, chosen_device(config["device"]).type)
    seen = len(shapes & known.keys())
    if calibrate and seen < len(shapes):
        known |= calibrated(space, [params for params, _ in played[0].trials], known, tell)
    costs = {one: each for one, each in known.items() if one in shapes}
    finals = settings["finals"]["top"] * settings["finals"]["seeds"]
    trials = fmean(len(one.needed) for one in played)
    extra = fmean(len(one.extra) for one in played)
    samples = config["evaluation"]["final_samples"]
    maps = 1 if samples == 1 else samples + 3  # with the first once more, the median and the mean
    predictions = finals * maps * len(dataset.test) * dataset.channels * dataset.size**2
    return Plan(
        **outlined(settings, space, searcher, slots),
        trials=trials,
        extra=extra,
        busy=fmean(one.busy for one in played),
        epochs=fmean(sum(given for _, given in one.needed) for one in played) / EPOCHS * epochs,
        slots=slots,
        files=FILES_OF_SWEEP + round((trials + extra + finals) * FILES),
        measured=from_where(len(shapes), seen, len(costs) - seen),
        cost=cost(space, costs, played, config, budget, finals, slots, predictions) if costs else None,
    )


def cost(
    space: Space,
    costs: Mapping[str, TrialCost],
    played: list[SimulatedSearch],
    config: Config,
    budget: int,
    finals: int,
    slots: int,
    predictions: int,
) -> Cost:
    """The hours and bytes of simulated searches; a kind of trial of unknown cost takes the mean of the others.

    A search of so many turns lasts as many epochs of its mean trial; the finals come after it, as many at once.
    """
    epochs, every = config["trainer"]["epochs"], config["evaluation"]["every"]
    mean = TrialCost(*map(fmean, zip(*map(astuple, costs.values()), strict=True)))

    def hours(params: Params) -> float:
        return costs.get(shape(space.config(params)), mean).seconds(epochs, every) / HOUR

    searched = [sum(hours(params) * given / EPOCHS for params, given in one.needed) for one in played]
    spent = [sum(hours(params) * given / EPOCHS for params, given in one.trials) for one in played]
    turns = [busy / one.spent * one.turns for busy, one in zip(spent, played, strict=True)]
    clock = fmean(turns) + math.ceil(finals / slots) * fmean(hours(one.incumbent) for one in played)
    final = fmean(hours(one.incumbent) for one in played)
    longest = max(each.seconds(epochs, every) for each in costs.values()) / HOUR
    trials = fmean(len(one.trials) for one in played)
    return Cost(
        hours=fmean(searched) + finals * final,
        hours_at_most=(budget + finals) * longest,
        clock=clock,
        billed=clock * slots,
        seconds_per_epoch=mean.seconds(epochs, every) / epochs,
        bytes=(trials + finals) * mean.kept + predictions,
    )


def calibrated(
    space: Space, choices: list[Params], known: Mapping[str, TrialCost], tell: Callable[[str], None]
) -> dict[str, TrialCost]:
    """The measured cost of the kinds of trial that are unknown: each is trained for a few steps, until the time is
    up."""
    found: dict[str, TrialCost] = {}
    until = time.monotonic() + CALIBRATION
    unknown = {shape(config): config for config in map(space.config, choices) if shape(config) not in known}
    for number, (one, config) in enumerate(unknown.items(), start=1):
        left = until - time.monotonic()
        if found and left < CALIBRATION / 10:
            break
        tell(f"measuring kind {number} of {len(unknown)} of trials, in {CALIBRATION:.0f} s at most")
        with tempfile.TemporaryDirectory() as folder:
            found[one] = measured(config, Path(folder), left / (4 * (len(unknown) - number + 1)))
    return found


def from_where(shapes: int, seen: int, measured_now: int) -> str:
    """As text: of how many kinds of trial the cost is known, and from where."""
    rest = shapes - seen - measured_now
    if rest == shapes:
        return "unknown: no such trial has been trained yet"
    sources = [f"{seen} of {shapes} kinds of trial from earlier sweeps"] * bool(seen)
    sources += [f"{measured_now} of {shapes} kinds of trial measured now, one at a time"] * bool(measured_now)
    return ", ".join(sources + [f"{rest} taken as their mean"] * bool(rest))
