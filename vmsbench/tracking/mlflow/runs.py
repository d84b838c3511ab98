"""A sweep as runs: a parent for the sweep, a child for every trial and final. Plain data, no MLflow.

Names are for people: parameters are flat paths (`model.network.width`), a class is its name (`model.network` =
`UNet`), metrics are grouped by their first word (`train/`, `validation/`, `test/`, `cost/`).
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vmsbench.config.format import describe
from vmsbench.store.experiment_folder import CHECKPOINT, CONFIG, PICTURE, RESULTS, SCORES, ExperimentFolder
from vmsbench.store.experiments import FinalRecord, TrialRecord
from vmsbench.store.records import SweepRecord
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.store.values import milliseconds

Status = Literal["RUNNING", "FINISHED", "KILLED", "FAILED"]
ENDS: dict[str, Status] = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "unfinished": "RUNNING"}


@dataclass(frozen=True)
class Point:
    """A metric's value at a step (an epoch, counted from 1), at a time in milliseconds since 1970."""

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class Record:
    """One run, as the folders have it.

    key         its name within its sweep: "sweep", "trials/ID" or "final/ID"
    started     milliseconds since 1970; ended likewise, None while it runs
    curve       per-epoch metrics, in order; only appended to
    summary     all other metrics
    files       files to keep with the numbers, each under its own name
    slides      pictures by epoch, for a slider
    model       the folder of a trained model that is logged too
    dataset     title, digest and counts of the data, and their place; empty for a sweep
    """

    key: str
    name: str
    status: Status
    started: int
    ended: int | None
    params: dict[str, str]
    tags: dict[str, str]
    curve: tuple[Point, ...]
    summary: tuple[Point, ...]
    files: tuple[Path, ...]
    slides: tuple[tuple[int, Path], ...] = ()
    model: Path | None = None
    dataset: Mapping[str, Any] = field(default_factory=dict)


def records(sweep: SweepRecord) -> list[Record]:
    """The sweep's runs, parent first."""
    there: list[TrialRecord | FinalRecord] = [*sweep.trials, *sweep.finals]
    return [parent(sweep), *(child(sweep, one) for one in there if ExperimentFolder(one.folder).begun)]


def identity(sweep: SweepRecord) -> str:
    """An identifier of the sweep on a server, unchanged when its folder moves."""
    name, created = sweep.about.get("name", sweep.name), sweep.about.get("created", sweep.started)
    return f"{name} of {created}".replace("'", "_")  # it is quoted in MLflow's searches


def parent(sweep: SweepRecord) -> Record:
    about, winner = sweep.about, sweep.winner
    status: Status = "KILLED" if sweep.interrupted else "FINISHED" if sweep.finished else "RUNNING"
    params = {f"winner.{key}": text(value) for key, value in winner.get("params", {}).items()}
    parts: dict[str, Any] = {name: about[name] for name in ("searcher", "pruner", "dataset") if name in about}
    tags = {
        "kind": "sweep",
        "family": str(about.get("exp", "")),
        "status": {"KILLED": "interrupted", "FINISHED": "complete"}.get(status, "running"),
        "winner": str(winner.get("trial", "")),
        "command": str(about.get("command", "")),
        "dataset": str(about.get("dataset", {}).get("digest", "")),
    }
    return Record(
        key="sweep",
        name=str(about.get("name", sweep.name)),
        status=status,
        started=sweep.started,
        ended=None if status == "RUNNING" else sweep.ended,
        params=dict(flat(parts)) | params,
        tags=tags | source(sweep) | {"mlflow.note.content": note(sweep)},
        curve=(),
        summary=tuple(sweep_metrics(sweep)),
        files=SweepFolder(sweep.folder).public_files,
    )


def sweep_metrics(sweep: SweepRecord) -> Iterator[Point]:
    """The sweep's own metrics: the score as parameters are settled, and the scores of winner, finals and baselines."""
    settled = [e for e in sweep.events if e.get("event") == "settled"]
    for step, event in enumerate(settled, start=1):
        yield from points("search", {"tuning_score": event.get("score")}, milliseconds(event.get("time")), step)
    if sweep.winner:
        yield from points(
            "winner", {"tuning_score": sweep.winner.get("score")}, milliseconds(sweep.winner.get("time")), 0
        )
    finals = [e for e in sweep.events if e.get("event") == "final"]
    for step, event in enumerate(finals, start=1):
        yield from points("test", event.get("scores", {}), milliseconds(event.get("time")), step)
    for split, predictors in sweep.baselines.items():
        for predictor, scores in predictors.items():
            yield from points(f"baselines/{predictor}/{split}", scores, sweep.started, 0)


def child(sweep: SweepRecord, experiment: TrialRecord | FinalRecord) -> Record:
    over = sweep.interrupted or sweep.finished
    trial = experiment if isinstance(experiment, TrialRecord) else None
    outcome, cause = experiment.state, trial.cause if trial else ""
    if outcome == "unfinished" and over:
        outcome, cause = "pruned", "the sweep was interrupted" if sweep.interrupted else "the sweep ended without it"
    parameter, params = (trial.parameter, trial.params) if trial else ("", {})
    tags = {
        "kind": "trial" if trial else "final",
        "family": str(experiment.config.get("exp") or sweep.about.get("exp", "")),
        "parameter": parameter,
        "status": "running" if outcome == "unfinished" else outcome,
        "cause": cause,
        "winner": "yes" if experiment.id == sweep.winner.get("trial") else "",
        "seed": text(experiment.config.get("seed")),
    }
    files = [CONFIG, PICTURE]
    if experiment.results:
        files += [RESULTS, CHECKPOINT, SCORES]
    if outcome == "failed":
        files += ["log.txt"]
    return Record(
        key=f"{experiment.folder.parent.name}/{experiment.id}",
        name=title(sweep, experiment, parameter, params),
        status=ENDS.get(outcome, "FAILED"),
        started=experiment.started,
        ended=None if outcome == "unfinished" else experiment.ended,
        params=dict(flat(experiment.config)),
        tags=tags | source(sweep),
        curve=tuple(curve(experiment)),
        summary=tuple(closing(experiment)),
        files=tuple(experiment.folder / name for name in files),
        slides=tuple(experiment.slides),
        model=experiment.folder if experiment.results and (trial is None or tags["winner"]) else None,
        dataset=dict(sweep.about.get("dataset", {})) | {"root": experiment.config.get("data", {}).get("root")},
    )


def title(sweep: SweepRecord, experiment: TrialRecord | FinalRecord, parameter: str, params: Mapping[str, Any]) -> str:
    """`network.width=32 3fa9c1` for the trial of a parameter, `unet final, seed 3 3fa9c1`."""
    short = experiment.id[:6]
    if isinstance(experiment, FinalRecord):
        return f"{sweep.about.get('name', sweep.name)} final, seed {text(experiment.config.get('seed'))} {short}"
    if parameter in params:
        return f"{'.'.join(parameter.split('.')[-2:])}={text(params[parameter])} {short}"
    return f"start {short}" if not parameter else f"{parameter} {short}"


def curve(experiment: TrialRecord | FinalRecord) -> Iterator[Point]:
    for epoch, time in zip(experiment.history, experiment.clock, strict=True):
        yield from points("train", epoch.train, time, epoch.number)
        yield from points("validation", epoch.validation, time, epoch.number)
        yield from points("validation", epoch.scores, time, epoch.number)


def closing(experiment: TrialRecord | FinalRecord) -> Iterator[Point]:
    """What results.json adds to the curves."""
    results, time = experiment.results, experiment.ended
    step = int(results.get("epochs") or 0)
    yield from points("test", results.get("test_scores") or {}, time, step)
    fid = results.get("fid") or {}
    called = "fid" if str(fid.get("name")).startswith("FID") else "frechet_other_weights"
    yield from points("test", {called: fid.get("value"), f"{called}_floor": fid.get("floor")}, time, step)
    instead = fid.get("encoder") or {}
    yield from points(
        "test", {"frechet_encoder": instead.get("value"), "frechet_encoder_floor": instead.get("floor")}, time, step
    )
    costs = ("seconds", "parameters", "parameters_network", "images_seen", "seconds_per_image")
    yield from points("cost", {name: results.get(name) for name in costs}, time, step)


def points(group: str, values: Mapping[str, Any], time: int | None, step: int) -> Iterator[Point]:
    for key, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield Point(f"{group}/{key}", float(value), time or 0, step)


def flat(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as (dotted path, text): {"network": {"_target_": "a.UNet", "width": 8}} is
    ("network", "UNet"), ("network.width", "8")."""
    for key, value in config.items():
        here = f"{path}.{key}" if path else str(key)
        if key == "_target_":
            yield path or "target", str(value).rpartition(".")[2]
        elif key == "_partial_":
            continue
        elif isinstance(value, Mapping):
            yield from flat(value, here)
        else:
            yield here, text(value)


def text(value: Any) -> str:
    """JSON, but a string as it is, and objects in short: `(Flip(p=0.5), Warp)`."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return describe(value)
    return value if isinstance(value, str) else json.dumps(value)


def source(sweep: SweepRecord) -> dict[str, str]:
    """MLflow's own tags about the source of a run."""
    tags = {"mlflow.source.name": "vmsbench", "mlflow.source.type": "LOCAL"}
    commit = sweep.about.get("commit")
    return tags | {"mlflow.source.git.commit": str(commit)} if commit else tags


def note(sweep: SweepRecord) -> str:
    """The sweep in a few lines of Markdown, shown on its run's page."""
    data = sweep.about.get("dataset", {})
    lines = [f"`{sweep.about.get('command') or shlex.join(['vmsbench', 'tune', '--name', sweep.name])}`"]
    if data:
        counts = ", ".join(f"{data[split]} {split}" for split in ("train", "validation", "test") if split in data)
        lines.append(f"{data.get('title', 'data')} ({counts})")
    if sweep.winner:
        chosen = ", ".join(f"{key} = {text(value)}" for key, value in sweep.winner.get("params", {}).items())
        lines.append(f"Winner {sweep.winner.get('trial')}: {chosen}; validation score {sweep.winner.get('score')}")
    return "\n\n".join(lines)
