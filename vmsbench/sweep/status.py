"""The status of a sweep, from its folder alone: its driver is not asked, and nothing is written."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from vmsbench.files import text_lines
from vmsbench.metrics.tracks.served import served
from vmsbench.search.space import Parameter
from vmsbench.store.documents import last_line
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.experiments import Event, FinalRecord, TrialRecord
from vmsbench.store.lock import Asks, living_owner, unknown
from vmsbench.store.reader import read_sweep
from vmsbench.store.records import SweepRecord
from vmsbench.store.runs_folder import trial_named
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.store.usage import SlotHours, last_sign, slot_hours
from vmsbench.versions import PUBLIC

LOG_LINES = 12


@dataclass(frozen=True)
class Running:
    """A running trial: the last finished epoch, of how many, and the seconds that one takes."""

    trial: str
    parameter: str | None
    params: dict[str, Any]
    epoch: int
    epochs: int
    seconds_per_epoch: float | None
    score: float | None


@dataclass(frozen=True)
class ParameterProgress:
    """A parameter of a coordinate search: settled (then with value and score), or open."""

    parameter: str
    options: int
    settled: bool
    value: Any
    score: float | None
    runner_up: float | None


@dataclass(frozen=True)
class Status:
    """All that `vmsbench status` shows.

    steered    what the user asked for while it ran
    state      running, finished, interrupted (the same command continues), or dead (its process is gone)
    incumbent  {"trial", "parameters", "score"} of the best so far; None where nothing is complete
    eta        seconds until the search is over if every option still open is trained in full; None where unknown
    """

    name: str
    state: str
    metric: str
    serves: str
    owner: dict[str, Any] | None
    incumbent: dict[str, Any] | None
    trials: dict[str, int]
    running: tuple[Running, ...]
    parameters: tuple[ParameterProgress, ...]
    failures: dict[str, int]
    causes: tuple[tuple[str, str, str], ...]
    finals: int
    eta: float | None
    hours: SlotHours
    why: str | None
    steered: tuple[str, ...]


def status(folder: Path, asks: Asks = unknown) -> Status:
    """Read the status of the sweep in `folder`. Raises UserError where its journal is damaged.

    asks    whether the job of its owner still runs
    """
    sweep = read_sweep(folder)
    events = sweep.events
    begun_trials = {event["trial"]: event for event in events if event["event"] == "started"}
    over = {trial.id: trial.end for trial in sweep.trials if trial.end}
    owner = living_owner(folder, asks)
    running = tuple(
        standing(folder, name, event, sweep.config) for name, event in begun_trials.items() if name not in over
    )
    failed = {name: event for name, event in over.items() if event["state"] == "failed"}
    steps = tuple(parameter_progress(sweep.space, events, sweep.sign))
    state = state_of(sweep, owner)
    return Status(
        name=folder.name,
        state=state,
        metric=sweep.metric,
        serves=served(sweep.metric, sweep.config.get("evaluation", {}).get("final_samples", 1)),
        owner=owner,
        incumbent=incumbent(events, begun_trials, over, sweep.sign),
        trials={
            kind: sum(event["state"] == kind for event in over.values()) for kind in ("complete", "pruned", "failed")
        }
        | {"running": len(running) if state == "running" else 0, "waiting": 0 if state == "running" else len(running)},
        running=running,
        parameters=steps,
        failures=dict(Counter(event.get("kind") or "unknown" for event in failed.values())),
        causes=tuple((name, event.get("kind") or "", event.get("cause") or "") for name, event in failed.items()),
        finals=sum(event["event"] == "final" for event in events),
        eta=eta(steps, over, running, events),
        hours=slot_hours(events, partial(last_sign, folder), time.time() if state == "running" else None),
        why=sweep.why,
        steered=sweep.steered,
    )


def state_of(sweep: SweepRecord, owner: dict[str, Any] | None) -> str:
    if owner is not None:
        return "running"
    if sweep.finished:
        return "finished"
    marks = [event["event"] for event in sweep.events if event["event"] in ("interrupted", "session")]
    return "interrupted" if marks[-1:] == ["interrupted"] else "dead"


def standing(folder: Path, name: str, started: Event, config: Mapping[str, Any]) -> Running:
    last = last_line(SweepFolder(folder).trial(name).history_file)
    epoch = last.get("epoch", 0)
    return Running(
        trial=name,
        parameter=started.get("parameter"),
        params=started["params"],
        epoch=epoch,
        epochs=config["trainer"]["epochs"],
        seconds_per_epoch=last["seconds"] / epoch if epoch else None,
        score=(last.get("scores") or {}).get(config["metric"]),
    )


def parameter_progress(
    space: Sequence[Mapping[str, Any]], events: Sequence[Event], sign: int
) -> Iterator[ParameterProgress]:
    """Every parameter in order, as last settled."""
    settled = {event["parameter"]: event for event in events if event["event"] == "settled"}
    for entry in space:
        event = settled.get(entry["param"])
        known = [option["score"] for option in event["options"] if option["score"] is not None] if event else []
        scores = sorted(known, reverse=sign < 0)
        yield ParameterProgress(
            parameter=entry["param"],
            options=len(event["options"]) if event and "range" in entry else len(Parameter.read(entry).values),
            settled=event is not None,
            value=event["value"] if event else None,
            score=event["score"] if event else None,
            runner_up=scores[1] if len(scores) > 1 else None,
        )


def incumbent(
    events: Sequence[Event], started: Mapping[str, Event], over: Mapping[str, Event], sign: int
) -> dict[str, Any] | None:
    """The winner; before there is one, the best of the last settled parameter, or the best complete trial."""
    for event in reversed(events):
        if event["event"] == "winner":
            return {"trial": event["trial"], "parameters": event["params"], "score": event["score"]}
        if event["event"] == "settled" and event["score"] is not None:
            known = (one for one in event["options"] if one["score"] is not None)
            best = min(known, key=lambda one: sign * one["score"])
            parameters = started.get(best["trial"], {}).get("params", {})
            return {"trial": best["trial"], "parameters": parameters, "score": best["score"]}
    complete = [event for event in over.values() if event["state"] == "complete"]
    if not complete:
        return None
    best = min(complete, key=lambda event: sign * event["score"])
    parameters = started.get(best["trial"], {}).get("params", {})
    return {"trial": best["trial"], "parameters": parameters, "score": best["score"]}


def eta(
    steps: tuple[ParameterProgress, ...],
    over: Mapping[str, Event],
    running: tuple[Running, ...],
    events: Sequence[Event],
) -> float | None:
    if any(event["event"] == "winner" for event in events):
        return 0.0
    full = [event["seconds"] for event in over.values() if event["state"] == "complete" and event["seconds"]]
    if not full:
        full = [one.seconds_per_epoch * one.epochs for one in running if one.seconds_per_epoch]
    slots = next((event["slots"] for event in reversed(events) if "slots" in event), None)
    if not full or not slots:
        return None
    open_ = sum(max(1, step.options - 1) for step in steps if not step.settled)
    return open_ * fmean(full) / min(slots, max(1, open_))


@dataclass(frozen=True)
class Why:
    """The state of one trial, and its cause."""

    folder: Path
    state: str
    kind: str | None
    cause: str | None
    epoch: int
    params: dict[str, Any]
    log: tuple[str, ...]
    command: str


def why(runs: Path, trial: str) -> Why:
    """The state of a trial or a final, by its name or the beginning of it.

    Raises UserError where no trial, or more than one, has such a name.
    """
    folder = trial_named(trial, runs)
    sweep = read_sweep(folder.parents[1])
    records: Sequence[TrialRecord | FinalRecord] = sweep.trials if folder.parent.name == "trials" else sweep.finals
    found = next(record for record in records if record.id == folder.name)
    started = next((event for event in found.events if event["event"] == "started"), {})
    there, log = ExperimentFolder(folder), folder / "log.txt"
    lines = [line.rstrip("\n") for line in text_lines(log)]
    return Why(
        folder=folder,
        state=found.state if found.end else "not over",
        kind=found.end.get("kind"),
        cause=found.end.get("cause"),
        epoch=last_line(there.history_file).get("epoch", 0),
        params=dict(started.get("params", {})),
        log=tuple(lines[-LOG_LINES:]),
        command=f"python -m {PUBLIC['one experiment']} {there.config_file} {Path('/tmp') / folder.name}",
    )
