"""The one reader of sweeps' folders: typed, tolerant and read-only.

A sweep may be running, killed or half copied: missing files and a cut last line are tolerated. A folder of
another schema is refused.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vmsbench.config.families import family_of
from vmsbench.store.experiments import Event, FinalRecord, TrialRecord
from vmsbench.store.option_names import with_names
from vmsbench.store.records import (
    DataRecord,
    OptionRecord,
    ParameterRecord,
    Study,
    SweepGroup,
    SweepRecord,
    started,
)
from vmsbench.store.runs_folder import OUTSIDE, sweep_folders
from vmsbench.store.sweep_folder import BASELINES, ENSEMBLE, FINALS, PEOPLE, PROVENANCE, TRADEOFF, TRIALS, SweepFolder
from vmsbench.store.values import mapping, number, numbers, whole

Hours = Callable[[Path], Mapping[str, float]]
"""Hours of slots of the sweep in a folder, by their use."""


def uncounted(folder: Path) -> Mapping[str, float]:
    """No hours, where none are counted."""
    return {}


def collect(runs: Path, names: list[str], hours: Hours = uncounted) -> Study:
    """Read the sweeps called `names` in the runs folder, all of them where `names` is empty.

    Raises UserError where there is no such sweep, or none at all.
    """
    sweeps = sorted(
        (read_sweep(folder, hours) for folder in sweep_folders(runs, names)),
        key=lambda sweep: (family_of(sweep.exp).order, sweep.exp, sweep.name),
    )
    keys = dict.fromkeys(sweep.data.key for sweep in sweeps)
    alike = [tuple(sweep for sweep in sweeps if sweep.data.key == key) for key in keys]
    outside = [(read_data(mapping(one.results.get("dataset"))), one) for one in outside_models(runs)]
    groups = (
        SweepGroup(
            some[0].data,
            tuple(sweep for sweep in some if not sweep.ablation),
            tuple(one for data, one in outside if one.scores and data.key == some[0].data.key),
            tuple(sweep for sweep in some if sweep.ablation),
        )
        for some in alike
    )
    return Study(runs, tuple(sweeps), tuple(groups))


def read_sweep(folder: Path, hours: Hours = uncounted, alive: bool = True) -> SweepRecord:
    """The sweep in a folder; `alive` says whether a process owns it.

    Raises UserError where sweep.json cannot be read, the journal is damaged or the schema differs.
    """
    there = SweepFolder(folder)
    about = there.about()
    parts = (about, about.get("config"), about.get("searcher"), about.get("pruner"))
    metrics = [mapping(part).get("metric") for part in parts]
    space = tuple(entry for entry in about.get("space") or () if isinstance(entry, dict) and "param" in entry)
    events = tuple(there.journal.events())
    named = [with_names(event, space) for event in events]
    begun = started(about, events)
    trials = read_trials(folder / TRIALS, named, begun)
    return SweepRecord(
        name=folder.name,
        folder=folder,
        about=about,
        events=events,
        exp=str(about.get("exp", "unknown")),
        created=str(about.get("created") or ""),
        command=str(about.get("command") or ""),
        commit=str(about.get("commit") or ""),
        metric=next((metric for metric in metrics if isinstance(metric, str)), "l1"),
        config=mapping(about.get("config")),
        space=space,
        data=read_data(mapping(about.get("dataset"))),
        trials=trials,
        parameters=read_parameters(named, trials, space),
        winner=next((event for event in reversed(named) if event["event"] == "winner"), {}),
        finals=read_finals(folder / FINALS, named, begun),
        together=FinalRecord(ENSEMBLE, there.ensemble.path, (), begun, {}) if there.ensemble.finished else None,
        baselines=read_baselines(folder),
        repeats=whole(mapping(about.get("searcher")).get("repeats")) or 1,
        hours=hours(folder),
        provenance=there.document(PROVENANCE),
        people=there.document(PEOPLE),
        tradeoff=there.document(TRADEOFF),
        alive=alive,
    )


def read_baselines(folder: Path) -> dict[str, dict[str, Mapping[str, float]]]:
    """{split: {predictor: {score: value}}}; empty where there are none yet."""
    return {
        split: {name: numbers(scores) for name, scores in mapping(predictors).items()}
        for split, predictors in SweepFolder(folder).document(BASELINES).items()
    }


def read_data(about: Mapping[str, Any]) -> DataRecord:
    counts = {split: whole(about.get(split)) for split in ("train", "validation", "test")}
    title, digest, coding = (str(about.get(key) or "unknown") for key in ("title", "digest", "coding"))
    return DataRecord(title, digest, whole(about.get("size")), coding, **counts)


def read_trials(folder: Path, events: list[dict[str, Any]], begun: int) -> tuple[TrialRecord, ...]:
    """The journal's trials in the order they started, then folders that are not in the journal."""
    by_trial = events_by_trial(events)
    trials = []
    for name in dict.fromkeys([*by_trial, *subfolders(folder)]):
        own = by_trial.get(name, ())
        start = next((event for event in reversed(own) if event["event"] == "started"), {})
        turns = [event for event in own if event["event"] in ("started", "resumed", "finished")]
        end = turns[-1] if turns and turns[-1]["event"] == "finished" else {}
        parameter = str(start.get("parameter") or "")
        trials.append(TrialRecord(name, folder / name, tuple(own), begun, mapping(start.get("params")), parameter, end))
    return tuple(trials)


def events_by_trial(events: list[dict[str, Any]]) -> dict[str, list[Event]]:
    """The events of the search about each trial, in the order in which the trials were first named."""
    found: dict[str, list[Event]] = {}
    for event in events:
        if event["event"] in ("started", "resumed", "retried", "finished") and event.get("trial"):
            found.setdefault(str(event["trial"]), []).append(event)
    return found


def subfolders(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []


def read_parameters(
    events: list[dict[str, Any]], trials: tuple[TrialRecord, ...], space: tuple[Mapping[str, Any], ...]
) -> tuple[ParameterRecord, ...]:
    """The settled parameters in order, then the open one with its trials so far, then those not started.

    An option that was stopped early has its trial's last score.
    """
    known = {trial.id: trial for trial in trials}

    def option_record(option: dict[str, Any]) -> OptionRecord:
        trial, score = known.get(str(option.get("trial"))), number(option.get("score"))
        outcome = option.get("state") or (trial.state if trial else "complete")
        return OptionRecord(option.get("value"), trial.score if score is None and trial else score, str(outcome))

    steps = [
        ParameterRecord(
            parameter=str(event.get("parameter")),
            options=tuple(option_record(option) for option in event.get("options") or () if isinstance(option, dict)),
            settled=True,
            value=event.get("value"),
            score=number(event.get("score")),
        )
        for event in events
        if event.get("event") == "settled"
    ]
    if any(event.get("event") == "winner" for event in events):
        return tuple(steps)
    settled = {step.parameter for step in steps}
    for param in (str(entry["param"]) for entry in space):
        if param not in settled:
            trying = [trial for trial in trials if trial.parameter == param]
            so_far = tuple(OptionRecord(trial.params.get(param), trial.score, trial.state) for trial in trying)
            steps.append(ParameterRecord(param, so_far, settled=False))
    return tuple(steps)


def read_finals(folder: Path, events: list[dict[str, Any]], begun: int) -> tuple[FinalRecord, ...]:
    """The finals by seed: those in the journal, and folders that are not in it."""
    own: dict[str, list[Event]] = {}
    for event in events:
        if event["event"] in ("final_started", "final"):
            own.setdefault(str(event["trial"]), []).append(event)
    finals = []
    for name in dict.fromkeys([*own, *subfolders(folder)]):
        about = tuple(own.get(name, ()))
        end = next((event for event in reversed(about) if event["event"] == "final"), {})
        finals.append(FinalRecord(name, folder / name, about, begun, end))
    return tuple(sorted(finals, key=lambda final: (final.seed is None, final.seed or 0, final.id)))


def outside_models(runs: Path) -> tuple[FinalRecord, ...]:
    """Outside predictions for test images, as `vmsbench evaluate --name` keeps them."""
    return read_finals(runs / OUTSIDE, [], 0)
