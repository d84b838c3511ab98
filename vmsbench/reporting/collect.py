"""From folders to a Study: what the sweeps wrote, read tolerantly and changed in nothing.

A sweep may be running, killed or half copied: a missing file is an absence, a cut last line is ignored, and NaN,
Infinity and null are all "no value". Sweeps are comparable where data digest, size and coding agree; `Study.groups`
keeps the others apart.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError, did_you_mean
from vmsbench.metrics.scores import lower_is_better
from vmsbench.reporting.naming import with_names

Scores = Mapping[str, float]
FAMILIES = {"unet": "UNet", "gan": "GAN", "diffusion": "Diffusion"}
HALVED = ("l1", "crps")
QUARTERED = ("mse",)


@dataclass(frozen=True)
class Epoch:
    """A line of history.jsonl; `scores` are on the tuning validation set and empty where nothing was sampled."""

    number: int
    train: Scores
    validation: Scores
    scores: Scores


@dataclass(frozen=True)
class Trial:
    """One configuration of the search. outcome: complete, stopped, failed or unfinished (running or killed)."""

    id: str
    choice: Mapping[str, Any]
    coordinate: str
    outcome: str
    score: float | None
    epoch: int
    seconds: float | None
    cause: str
    config: Mapping[str, Any]
    history: tuple[Epoch, ...]


@dataclass(frozen=True)
class Final:
    """A good configuration trained again with a seed of its own and scored on the test set.

    of, rank    the trial it comes from, and its place by tuning score; "" and None where the journal does not say
    scores      on the test set; empty where the training is not done
    tuning      on the tuning validation set
    learnt      on training images
    per_image   {image name: {score: value}} of the test set, from scores.csv; empty where there is none
    """

    id: str
    folder: Path
    of: str
    rank: int | None
    seed: int | None
    config: Mapping[str, Any]
    results: Mapping[str, Any]
    scores: Scores
    tuning: Scores
    learnt: Scores
    per_image: Mapping[str, Scores]

    @property
    def fid(self) -> Mapping[str, Any]:
        return mapping(self.results.get("fid"))


@dataclass(frozen=True)
class Tried:
    """An option of a coordinate and what it was worth on the tuning validation set."""

    value: Any
    score: float | None
    outcome: str


@dataclass(frozen=True)
class Step:
    """A coordinate of the walk: the options tried in turn, and the value settled on where it is settled."""

    coordinate: str
    tried: tuple[Tried, ...]
    settled: bool
    value: Any = None
    score: float | None = None


@dataclass(frozen=True)
class Data:
    """The data of a sweep, as sweep.json describes them; two sweeps are comparable where `key` agrees."""

    title: str
    digest: str
    size: int | None
    coding: str
    train: int | None
    validation: int | None
    test: int | None

    @property
    def key(self) -> tuple[str, int | None, str]:
        return self.digest, self.size, self.coding


@dataclass(frozen=True)
class Sweep:
    """A tuned experiment: its search, its winner, its finals and the baselines on the same data."""

    name: str
    exp: str
    created: str
    command: str
    commit: str
    metric: str
    config: Mapping[str, Any]
    space: tuple[Mapping[str, Any], ...]
    data: Data
    trials: tuple[Trial, ...]
    walk: tuple[Step, ...]
    winner: Mapping[str, Any]
    finals: tuple[Final, ...]
    baselines: Mapping[str, Mapping[str, Scores]]

    @property
    def family(self) -> str:
        return FAMILIES.get(self.exp, self.exp)

    @property
    def contenders(self) -> Mapping[str, tuple[Final, ...]]:
        """The finals that have test scores, by the trial they come from, the search's winner first."""
        done = sorted((final for final in self.finals if final.scores), key=lambda final: final.rank or 0)
        return {of: tuple(f for f in done if f.of == of) for of in dict.fromkeys(final.of for final in done)}

    @property
    def scored(self) -> tuple[Final, ...]:
        """The scored finals of the configuration that stands for the family.

        Of those with the most seeds the one of the best mean tuning score over them; the test scores never choose.
        """
        seeds = max(map(len, self.contenders.values()), default=0)
        full = [finals for finals in self.contenders.values() if len(finals) == seeds]
        return min(full, key=self.tuning_mean, default=())

    def tuning_mean(self, finals: tuple[Final, ...]) -> float:
        """The mean tuning score over finals, low for good; infinite where one has none."""
        values = [final.tuning.get(self.metric, math.inf) for final in finals]
        return self.sign * sum(values) / len(values)

    @property
    def sign(self) -> int:
        return 1 if lower_is_better(self.metric) else -1

    @property
    def best(self) -> Trial | None:
        """The winner's trial; while there is none, the complete trial with the best tuning score so far."""
        for trial in self.trials:
            if trial.id == self.winner.get("trial"):
                return trial
        done = [trial for trial in self.trials if trial.outcome == "complete" and trial.score is not None]
        return min(done, key=lambda trial: self.sign * (trial.score or 0.0), default=None)


@dataclass(frozen=True)
class Group:
    """Sweeps on the same data, size and coding: these, and only these, may share a table.

    outside     somebody else's predictions for the same test images, scored by `vmsbench evaluate`
    """

    data: Data
    sweeps: tuple[Sweep, ...]
    outside: tuple[Final, ...] = ()

    @property
    def models(self) -> Mapping[str, tuple[Final, ...]]:
        """What is compared, by label: each sweep's scored finals, and each outside model's one."""
        found = {self.label(sweep): sweep.scored for sweep in self.sweeps if sweep.scored}
        return found | {self.outside_label(one): (one,) for one in self.outside}

    def outside_label(self, one: Final) -> str:
        return f"{one.id} (outside)"

    def baselines(self, split: str) -> Mapping[str, Scores]:
        """{predictor: {score: value}} of the first sweep that has them for `split`."""
        return next((sweep.baselines[split] for sweep in self.sweeps if sweep.baselines.get(split)), {})

    def label(self, sweep: Sweep) -> str:
        """The family's name, with the sweep's own where the group holds the family twice."""
        alone = sum(other.exp == sweep.exp for other in self.sweeps) == 1
        return sweep.family if alone else f"{sweep.family} ({sweep.name})"


@dataclass(frozen=True)
class Study:
    runs: Path
    sweeps: tuple[Sweep, ...]
    groups: tuple[Group, ...] = field(default=())


def collect(runs: Path, names: list[str]) -> Study:
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
    order = list(FAMILIES)
    sweeps = sorted(
        (read_sweep(runs / name) for name in dict.fromkeys(names or there)),
        key=lambda sweep: (order.index(sweep.exp) if sweep.exp in order else len(order), sweep.name),
    )
    keys = dict.fromkeys(sweep.data.key for sweep in sweeps)
    alike = [tuple(sweep for sweep in sweeps if sweep.data.key == key) for key in keys]
    outside = [(read_data(mapping(one.results.get("dataset"))), one) for one in read_finals(runs / "outside", [])]
    groups = (
        Group(some[0].data, some, tuple(one for data, one in outside if one.scores and data.key == some[0].data.key))
        for some in alike
    )
    return Study(runs, tuple(sweeps), tuple(groups))


def read_sweep(folder: Path) -> Sweep:
    """Raises UserError where sweep.json itself cannot be read: without it nothing else has a meaning."""
    about = read_json(folder / "sweep.json")
    if not about:
        raise UserError(f"{folder / 'sweep.json'} cannot be read; mend it or leave {folder.name} out of the report")
    parts = (about, about.get("config"), about.get("searcher"), about.get("scheduler"))
    metrics = [mapping(part).get("metric") for part in parts]
    space = tuple(entry for entry in about.get("space") or () if isinstance(entry, dict) and "param" in entry)
    events = [with_names(event, space) for event in read_lines(folder / "journal.jsonl")]
    trials = read_trials(folder / "trials", events)
    return Sweep(
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
    )


def read_data(about: Mapping[str, Any]) -> Data:
    counts = {split: whole(about.get(split)) for split in ("train", "validation", "test")}
    title, digest, coding = (str(about.get(key) or "unknown") for key in ("title", "digest", "coding"))
    return Data(title, digest, whole(about.get("size")), coding, **counts)


def read_trials(folder: Path, events: list[dict[str, Any]]) -> tuple[Trial, ...]:
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
            Trial(
                id=name,
                choice=mapping(start.get("choice")),
                coordinate=str(start.get("coordinate") or ""),
                outcome=str(end.get("outcome") or ("complete" if done else "unfinished")),
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
    events: list[dict[str, Any]], trials: tuple[Trial, ...], space: tuple[Mapping[str, Any], ...]
) -> tuple[Step, ...]:
    """The settled coordinates in order, then the open one with its trials so far, then those not begun.

    An option that was stopped early has no score of its own there: its trial's last one stands in.
    """
    known = {trial.id: trial for trial in trials}

    def tried(option: dict[str, Any]) -> Tried:
        trial, score = known.get(str(option.get("trial"))), number(option.get("score"))
        outcome = option.get("outcome") or (trial.outcome if trial else "complete")
        return Tried(option.get("value"), trial.score if score is None and trial else score, str(outcome))

    steps = [
        Step(
            coordinate=str(event.get("coordinate")),
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
    settled = {step.coordinate for step in steps}
    for param in (str(entry["param"]) for entry in space):
        if param not in settled:
            trying = [trial for trial in trials if trial.coordinate == param]
            so_far = tuple(Tried(trial.choice.get(param), trial.score, trial.outcome) for trial in trying)
            steps.append(Step(param, so_far, settled=False))
    return tuple(steps)


def read_finals(folder: Path, events: list[dict[str, Any]]) -> tuple[Final, ...]:
    told = {str(event.get("trial")): event for event in events if event.get("event") == "final"}
    there = sorted(path.name for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
    finals = []
    for name in dict.fromkeys([*told, *there]):
        config, results = (read_json(folder / name / part) for part in ("config.json", "results.json"))
        event = told.get(name, {})
        finals.append(
            Final(
                id=name,
                folder=folder / name,
                of=str(event.get("of") or ""),
                rank=whole(event.get("rank")),
                seed=whole(event.get("seed", config.get("seed"))),
                config=config,
                results=results,
                scores=numbers(results.get("test")) or numbers(event.get("scores")),
                tuning=numbers(results.get("validation")),
                learnt=numbers(results.get("train")),
                per_image=read_scores(folder / name / "scores.csv"),
            )
        )
    return tuple(sorted(finals, key=lambda final: (final.seed is None, final.seed or 0, final.id)))


def read_history(path: Path) -> tuple[Epoch, ...]:
    """One entry per epoch in order; where an epoch was run again the later line counts."""
    epochs: dict[int, Epoch] = {}
    for line in read_lines(path):
        at = whole(line.get("epoch"))
        if at is not None:
            epochs[at] = Epoch(at, *(numbers(line.get(part)) for part in ("train", "validation", "scores")))
    return tuple(epochs[at] for at in sorted(epochs))


def read_scores(path: Path) -> dict[str, dict[str, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["name"]: dict(numbers(row)) for row in csv.DictReader(file) if row.get("name")}
    except OSError:
        return {}


def read_json(path: Path) -> dict[str, Any]:
    """The file's dictionary, or an empty one where it is missing, cut or something else."""
    try:
        return dict(mapping(json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)))
    except (OSError, ValueError):
        return {}


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The dictionaries of a .jsonl file; a line that does not parse (cut by a kill) is passed over."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            value = json.loads(line, parse_constant=lambda _: None)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def number(value: Any) -> float | None:
    """A finite float, or None."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def whole(value: Any) -> int | None:
    result = number(value)
    return None if result is None else int(result)


def numbers(value: Any) -> Scores:
    """The finite numbers of a dictionary."""
    found = {str(key): number(item) for key, item in mapping(value).items()}
    return {key: item for key, item in found.items() if item is not None}


def in_unit(metric: str, value: float | None) -> float | None:
    """A score of the [-1, 1] scale in [0, 1]: L1 and CRPS halve, MSE quarters; None where it has no scale (CC)."""
    if value is None or metric.endswith("_unit"):
        return value
    if metric.startswith(HALVED):
        return value / 2
    return value / 4 if metric.startswith(QUARTERED) else None
