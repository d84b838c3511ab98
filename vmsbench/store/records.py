"""The contents of sweeps' folders, typed: trials, parameters, finals and baselines, in groups of sweeps on the same
data.

The files of trials and finals are read on access, so that ten thousand trials are quickly listed.
Sweeps are comparable where data digest, size and coding agree; `Study.groups` separates the others.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vmsbench.config.commands import command_on, place
from vmsbench.config.families import family_of
from vmsbench.metrics.catalog import sign
from vmsbench.store.experiments import Event, FinalRecord, TrialRecord
from vmsbench.store.values import Scores, mapping, milliseconds, whole


def started(about: Mapping[str, Any], events: Sequence[Event]) -> int:
    """When a sweep started, in milliseconds since 1970."""
    times = [milliseconds(about.get("created")), *(milliseconds(event.get("time")) for event in events)]
    return next((time for time in times if time is not None), 0)


STEERED = {
    "stop": "trial {trial} to be stopped",
    "pruned": "trial {trial} stopped",
    "complete": "trial {trial} completed before it could be stopped",
    "failed": "trial {trial} failed before it could be stopped",
    "pause": "paused",
    "budget": "budget={budget} from then on",
    "option": "{parameter}={value} added",
}
"""What a user asked for while a sweep ran, as words: of a trial that was to be stopped, how it ended."""


@dataclass(frozen=True)
class OptionRecord:
    """An option of a parameter and its score on the tuning validation set."""

    value: Any
    score: float | None
    state: str


@dataclass(frozen=True)
class ParameterRecord:
    """A parameter of a coordinate search: the options tried, and the value settled on, where it is settled."""

    parameter: str
    options: tuple[OptionRecord, ...]
    settled: bool
    value: Any = None
    score: float | None = None


@dataclass(frozen=True)
class DataRecord:
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
class SweepRecord:
    """A tuned experiment: its search, its winner, its finals and the baselines on the same data.

    repeats     seeds of which a score of the search is the mean
    hours       of slots, by their use; empty where they are not counted
    events      of the journal, unchanged
    winner      the journal's event about it, with options by their names; empty while there is none
    alive       whether a process owns it
    provenance  what was read from where, as written when the sweep began; empty where it was not
    people      how well people agree on these maps, where the data tell; empty where they do not
    tradeoff    scores by numbers of samples and steps, as `vmsbench tradeoff` wrote them; empty without it
    together    several finals as one predictor, as `vmsbench ensemble` scored them; None without it
    """

    name: str
    folder: Path
    about: Mapping[str, Any]
    events: tuple[Event, ...]
    exp: str
    created: str
    command: str
    commit: str
    metric: str
    config: Mapping[str, Any]
    space: tuple[Mapping[str, Any], ...]
    data: DataRecord
    trials: tuple[TrialRecord, ...]
    parameters: tuple[ParameterRecord, ...]
    winner: Mapping[str, Any]
    finals: tuple[FinalRecord, ...]
    baselines: Mapping[str, Mapping[str, Scores]]
    repeats: int = 1
    hours: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    people: Mapping[str, Any] = field(default_factory=dict)
    tradeoff: Mapping[str, Any] = field(default_factory=dict)
    together: FinalRecord | None = None
    alive: bool = True

    def on(self, verb: str, options: str = "") -> str:
        """`vmsbench VERB NAME OPTIONS`, with the folder of runs where it is not the default."""
        return command_on(verb, self.folder, options)

    @property
    def made_by(self) -> str:
        """The command that made it, and that continues it where it was interrupted; it says where the runs are."""
        command = self.command or f"vmsbench tune --exp {self.exp} --name {shlex.quote(self.name)}"
        return command if "--runs" in command else command + place(self.folder.parent)

    @property
    def started(self) -> int:
        """Milliseconds since 1970; never changes once there."""
        return started(self.about, self.events)

    @property
    def ended(self) -> int:
        """Milliseconds since 1970 of the last event."""
        times = [milliseconds(event.get("time")) for event in self.events]
        return max([self.started, *(time for time in times if time is not None)])

    @property
    def settings(self) -> Mapping[str, Any]:
        return mapping(self.about.get("settings"))

    @property
    def finished(self) -> bool:
        """There is a winner, and every final is done."""
        wanted = mapping(self.settings.get("finals")).get("top") != 0
        states = [final.state for final in self.finals]
        return bool(self.winner) and (bool(states) or not wanted) and set(states) <= {"complete"}

    @property
    def interrupted(self) -> bool:
        """The driver recorded an interruption as its last event, or is gone before the end."""
        stopped = bool(self.events) and self.events[-1]["event"] == "interrupted"
        return stopped or not (self.alive or self.finished)

    @property
    def why(self) -> str | None:
        """The cause of the last interruption, where the journal has one."""
        return next((e.get("why") for e in reversed(self.events) if e["event"] == "interrupted"), None)

    @property
    def steered(self) -> tuple[str, ...]:
        """What the user asked for while the sweep ran, in order, as words."""
        ends = {event.get("trial"): event.get("state") for event in self.events if event["event"] == "finished"}
        asked = [event for event in self.events if event["event"] == "steered"]
        kinds = [ends.get(one["trial"], "stop") if one["what"] == "stop" else one["what"] for one in asked]
        both = zip(kinds, asked, strict=True)
        return tuple(STEERED[kind].format_map(event) for kind, event in both if kind in STEERED)

    @property
    def family(self) -> str:
        return family_of(self.exp).name

    @property
    def has_encoder(self) -> bool:
        """Whether its settings give its model an encoder."""
        sight = mapping(mapping(self.config.get("model")).get("sight"))
        return not str(mapping(sight.get("encoder")).get("_target_") or "NoEncoder").endswith("NoEncoder")

    @property
    def sampling_steps(self) -> int | None:
        """The steps in which its model samples a map; None for a model that predicts in one step."""
        return whole(mapping(self.config.get("model")).get("sampling_steps"))

    @property
    def ablation(self) -> bool:
        """Whether it compares the named options of one group, without finals, as `vmsbench ablate` does."""
        options = self.space[0].get("values") or [] if len(self.space) == 1 and not self.finals else []
        return bool(options) and all(isinstance(option, dict) and "name" in option for option in options)

    @property
    def finalists(self) -> Mapping[str, tuple[FinalRecord, ...]]:
        """The finals that have test scores, by the trial they come from, the search's winner first."""
        done = sorted((final for final in self.finals if final.scores), key=lambda final: final.rank or 0)
        return {of: tuple(f for f in done if f.of == of) for of in dict.fromkeys(final.of for final in done)}

    @property
    def scored(self) -> tuple[FinalRecord, ...]:
        """The scored finals of the configuration that stands for the family.

        Of those with the most seeds, the one with the best mean tuning score; test scores play no part.
        """
        seeds = max(map(len, self.finalists.values()), default=0)
        full = [finals for finals in self.finalists.values() if len(finals) == seeds]
        return min(full, key=self.tuning_mean, default=())

    @property
    def ensemble(self) -> FinalRecord | None:
        """Several finals as one predictor; None where there is none, or it is of other finals than stand for the
        family now."""
        members = self.together.results.get("members") if self.together else None
        return self.together if members and set(members) <= {final.id for final in self.scored} else None

    def tuning_mean(self, finals: tuple[FinalRecord, ...]) -> float:
        """The mean tuning score over finals, negated where higher is better; infinite where one has none."""
        values = [final.tuning.get(self.metric, math.inf) for final in finals]
        return self.sign * sum(values) / len(values)

    @property
    def sign(self) -> int:
        """1 where a lower tuning score is better, -1 where a higher one is."""
        return sign(self.metric)

    @property
    def best(self) -> TrialRecord | None:
        """The winner's trial; while there is none, the complete trial with the best tuning score so far."""
        for trial in self.trials:
            if trial.id == self.winner.get("trial"):
                return trial
        done = [trial for trial in self.trials if trial.state == "complete" and trial.score is not None]
        return min(done, key=lambda trial: self.sign * (trial.score or 0.0), default=None)


@dataclass(frozen=True)
class SweepGroup:
    """Sweeps on the same data, size and coding: these, and only these, may share a table.

    sweeps      searches, whose finals are compared
    outside     outside predictions for the same test images, scored by `vmsbench evaluate`
    ablated     sweeps that compare the options of one group, and have no finals
    """

    data: DataRecord
    sweeps: tuple[SweepRecord, ...]
    outside: tuple[FinalRecord, ...] = ()
    ablated: tuple[SweepRecord, ...] = ()

    @property
    def place(self) -> str:
        """` --runs FOLDER`, as a command on these sweeps needs it; empty where they are in the default one."""
        return place(self.all[0].folder.parent)

    @property
    def all(self) -> tuple[SweepRecord, ...]:
        return self.sweeps + self.ablated

    @property
    def models(self) -> Mapping[str, tuple[FinalRecord, ...]]:
        """What is compared, by label: each sweep's scored finals, their ensembles, and each outside model's one."""
        found = {self.label(sweep): sweep.scored for sweep in self.sweeps if sweep.scored}
        found |= {self.ensemble_label(sweep): (one,) for sweep in self.sweeps if (one := sweep.ensemble)}
        return found | {self.outside_label(one): (one,) for one in self.outside}

    @property
    def encoded(self) -> frozenset[str]:
        """The labels of models that have seen other pictures than these through an encoder, scored or not yet."""
        scored = {label for label, finals in self.models.items() if any(final.encoder for final in finals)}
        return frozenset(scored | {self.label(sweep) for sweep in self.sweeps if sweep.has_encoder})

    @property
    def stems(self) -> Mapping[str, str]:
        """What the files of each model are called, by its label."""
        found = {self.label(sweep): sweep.name for sweep in self.sweeps}
        found |= {self.ensemble_label(sweep): f"ensemble-{sweep.name}" for sweep in self.sweeps if sweep.ensemble}
        return found | {self.outside_label(one): f"outside-{one.id}" for one in self.outside}

    def ensemble_label(self, sweep: SweepRecord) -> str:
        return f"{self.label(sweep)}, ensemble"

    def outside_label(self, one: FinalRecord) -> str:
        return f"{one.id} (outside)"

    def baselines(self, split: str) -> Mapping[str, Scores]:
        """{predictor: {score: value}} of the first sweep that has them for `split`."""
        return next((sweep.baselines[split] for sweep in self.all if sweep.baselines.get(split)), {})

    def label(self, sweep: SweepRecord) -> str:
        """The family's name, with the sweep's own where the group holds the family twice."""
        if sweep.ablation:
            return sweep.family
        alone = sum(other.exp == sweep.exp for other in self.sweeps) == 1
        return sweep.family if alone else f"{sweep.family} ({sweep.name})"


@dataclass(frozen=True)
class Study:
    runs: Path
    sweeps: tuple[SweepRecord, ...]
    groups: tuple[SweepGroup, ...] = field(default=())
