"""From folders to a Study: what the sweeps wrote, read tolerantly and changed in nothing.

A sweep may be running, killed or half copied: a missing file is an absence, and a cut last line is ignored.
"""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vmsbench import files
from vmsbench.config.families import family_of
from vmsbench.errors import UserError, did_you_mean
from vmsbench.files import read_lines
from vmsbench.store.option_names import with_names
from vmsbench.store.records import (
    DataRecord,
    EpochRecord,
    FinalRecord,
    OptionRecord,
    ParameterRecord,
    Study,
    SweepGroup,
    SweepRecord,
    TrialRecord,
)
from vmsbench.store.values import mapping, number, numbers, whole

Hours = Callable[[Path], Mapping[str, float]]
"""Hours of slots of the sweep in a folder, by what they went into."""


def uncounted(folder: Path) -> Mapping[str, float]:
    """The hours where nobody counts them."""
    return {}


def collect(runs: Path, names: list[str], hours: Hours = uncounted) -> Study:
    """Read the sweeps called `names` in the runs folder, all of them where `names` is empty.

    Raises UserError where there is no such sweep, naming those there are and the command that makes one.
    """
    there = sorted(path.parent.name for path in runs.glob("*/sweep.json"))
    for name in names:
        if name not in there:
            known = f"there are: {', '.join(there)}" if there else "there are none"
            raise UserError(
                f"no sweep called {name} in {runs}{did_you_mean(name, there)}  ({known}; "
                f"make one with: vmsbench tune --exp unet --name {name})"
            )
    if not there:
        raise UserError(f"no sweep in {runs} to report; make one with: vmsbench tune --exp unet")
    sweeps = sorted(
        (read_sweep(runs / name, hours) for name in dict.fromkeys(names or there)),
        key=lambda sweep: (family_of(sweep.exp).order, sweep.exp, sweep.name),
    )
    keys = dict.fromkeys(sweep.data.key for sweep in sweeps)
    alike = [tuple(sweep for sweep in sweeps if sweep.data.key == key) for key in keys]
    outside = [(read_data(mapping(one.results.get("dataset"))), one) for one in read_finals(runs / "outside", [])]
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


def read_sweep(folder: Path, hours: Hours = uncounted) -> SweepRecord:
    """Raises UserError where sweep.json itself cannot be read: without it nothing else has a meaning."""
    about = read_json(folder / "sweep.json")
    if not about:
        raise UserError(f"{folder / 'sweep.json'} cannot be read; mend it or leave {folder.name} out of the report")
    parts = (about, about.get("config"), about.get("searcher"), about.get("pruner"))
    metrics = [mapping(part).get("metric") for part in parts]
    space = tuple(entry for entry in about.get("space") or () if isinstance(entry, dict) and "param" in entry)
    events = [with_names(event, space) for event in read_lines(folder / "journal.jsonl")]
    trials = read_trials(folder / "trials", events)
    return SweepRecord(
        name=folder.name,
        exp=str(about.get("exp", "unknown")),
        created=str(about.get("created") or ""),
        command=str(about.get("command") or ""),
        commit=str(about.get("commit") or ""),
        metric=next((metric for metric in metrics if isinstance(metric, str)), "l1"),
        config=mapping(about.get("config")),
        space=space,
        data=read_data(mapping(about.get("dataset"))),
        trials=trials,
        walk=read_walk(events, trials, space),
        winner=next((event for event in reversed(events) if event.get("event") == "winner"), {}),
        finals=read_finals(folder / "final", events),
        baselines={
            split: {name: numbers(scores) for name, scores in mapping(predictors).items()}
            for split, predictors in read_json(folder / "baselines.json").items()
        },
        repeats=whole(mapping(about.get("searcher")).get("repeats")) or 1,
        hours=hours(folder),
        tradeoff=read_json(folder / "tradeoff.json"),
    )


def read_data(about: Mapping[str, Any]) -> DataRecord:
    counts = {split: whole(about.get(split)) for split in ("train", "validation", "test")}
    title, digest, coding = (str(about.get(key) or "unknown") for key in ("title", "digest", "coding"))
    return DataRecord(title, digest, whole(about.get("size")), coding, **counts)


def read_trials(folder: Path, events: list[dict[str, Any]]) -> tuple[TrialRecord, ...]:
    """The journal's trials in the order they started, then folders that the journal does not know."""
    started: dict[str, dict[str, Any]] = {}
    finished: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("event") in ("started", "finished") and event.get("trial"):
            (started if event["event"] == "started" else finished)[str(event["trial"])] = event
    strays = sorted(path.name for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
    trials = []
    for name in dict.fromkeys([*started, *finished, *strays]):
        start, end = started.get(name, {}), finished.get(name, {})
        history = read_history(folder / name / "history.jsonl")
        done = (folder / name / "results.json").exists()
        trials.append(
            TrialRecord(
                id=name,
                choice=mapping(start.get("choice")),
                parameter=str(start.get("parameter") or ""),
                state=str(end.get("state") or ("complete" if done else "unfinished")),
                score=number(end.get("score")),
                epoch=whole(end.get("epoch")) or (history[-1].number if history else 0),
                seconds=number(end.get("seconds")),
                cause=str(end.get("cause") or ""),
                config=read_json(folder / name / "config.json"),
                history=history,
            )
        )
    return tuple(trials)


def read_walk(
    events: list[dict[str, Any]], trials: tuple[TrialRecord, ...], space: tuple[Mapping[str, Any], ...]
) -> tuple[ParameterRecord, ...]:
    """The settled parameters in order, then the open one with its trials so far, then those not begun.

    An option that was stopped early has no score of its own there: its trial's last one stands in.
    """
    known = {trial.id: trial for trial in trials}

    def tried(option: dict[str, Any]) -> OptionRecord:
        trial, score = known.get(str(option.get("trial"))), number(option.get("score"))
        outcome = option.get("state") or (trial.state if trial else "complete")
        return OptionRecord(option.get("value"), trial.score if score is None and trial else score, str(outcome))

    steps = [
        ParameterRecord(
            parameter=str(event.get("parameter")),
            tried=tuple(tried(option) for option in event.get("tried") or () if isinstance(option, dict)),
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
            so_far = tuple(OptionRecord(trial.choice.get(param), trial.score, trial.state) for trial in trying)
            steps.append(ParameterRecord(param, so_far, settled=False))
    return tuple(steps)


def read_finals(folder: Path, events: list[dict[str, Any]]) -> tuple[FinalRecord, ...]:
    told = {str(event.get("trial")): event for event in events if event.get("event") == "final"}
    there = sorted(path.name for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
    finals = []
    for name in dict.fromkeys([*told, *there]):
        config, results = (read_json(folder / name / part) for part in ("config.json", "results.json"))
        event = told.get(name, {})
        finals.append(
            FinalRecord(
                id=name,
                folder=folder / name,
                of=str(event.get("of") or ""),
                rank=whole(event.get("rank")),
                seed=whole(event.get("seed", config.get("seed"))),
                config=config,
                results=results,
                scores=numbers(results.get("test_scores")) or numbers(event.get("scores")),
                tuning=numbers(results.get("validation_scores")),
                learnt=numbers(results.get("train_scores")),
                per_image=read_scores(folder / name / "scores.csv"),
            )
        )
    return tuple(sorted(finals, key=lambda final: (final.seed is None, final.seed or 0, final.id)))


def read_history(path: Path) -> tuple[EpochRecord, ...]:
    """One entry per epoch in order; where an epoch was run again the later line counts."""
    epochs: dict[int, EpochRecord] = {}
    for line in read_lines(path):
        at = whole(line.get("epoch"))
        if at is not None:
            epochs[at] = EpochRecord(
                at, *(numbers(line.get(part)) for part in ("train_loss", "validation_loss", "scores"))
            )
    return tuple(epochs[at] for at in sorted(epochs))


def read_json(path: Path) -> dict[str, Any]:
    """The file's dictionary, or an empty one where it is missing, cut or something else."""
    try:
        return dict(mapping(files.read_json(path)))
    except (OSError, ValueError):
        return {}


def read_scores(path: Path) -> dict[str, dict[str, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["name"]: dict(numbers(row)) for row in csv.DictReader(file) if row.get("name")}
    except OSError:
        return {}
