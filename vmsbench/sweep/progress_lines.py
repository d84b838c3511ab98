"""Progress of a sweep as plain lines with the time: for job logs, notebooks and pipes."""

import time
from dataclasses import dataclass, field
from typing import Any

from vmsbench.config.format import assignment, assignments, describe, number
from vmsbench.data.sources.provenance import Provenance
from vmsbench.metrics.catalog import sign
from vmsbench.search.searcher import OF_A_RUN, ParameterResult
from vmsbench.sweep.failures import Failure
from vmsbench.sweep.trial import Callback, Trial, TrialResult
from vmsbench.sweep.tune import warn_of

HEARTBEAT = 60.0


def described(trial: Trial) -> str:
    """What distinguishes a trial: the value of the parameter it was made for, or its seed."""
    if trial.parameter in trial.params:
        shown = (trial.parameter, *OF_A_RUN)
        return assignments({name: trial.params[name] for name in shown if name in trial.params})
    return assignments(trial.params)


def last_score(trial: Trial, record: dict[str, Any]) -> float | None:
    return (record.get("scores") or {}).get(trial.config["metric"])


@dataclass
class TrialProgress:
    """The progress of a running trial."""

    trial: Trial
    epoch: int = 0
    score: float | None = None
    since: float = field(default_factory=time.monotonic)


class Counting(Callback):
    """Counts running and finished trials."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.running: dict[str, TrialProgress] = {}
        self.over = {"complete": 0, "pruned": 0, "failed": 0}
        self.best: float | None = None
        self.settled: list[ParameterResult] = []
        self.since = time.monotonic()

    def on_trial_start(self, trial: Trial) -> None:
        self.running[trial.id] = TrialProgress(trial)

    def on_epoch_end(self, trial: Trial, record: dict[str, Any]) -> None:
        standing = self.running.setdefault(trial.id, TrialProgress(trial))
        standing.epoch = record["epoch"]
        score = last_score(trial, record)
        standing.score = standing.score if score is None else score

    def on_trial_end(self, trial: Trial, outcome: TrialResult) -> None:
        self.running.pop(trial.id, None)
        self.over[outcome.state] += 1
        if outcome.state == "complete" and outcome.score is not None:
            lowest = sign(trial.config["metric"])
            known = [score for score in (self.best, outcome.score) if score is not None]
            self.best = min(known, key=lambda score: lowest * score)

    def on_trial_restore(self, trial: Trial, outcome: TrialResult) -> None:
        Counting.on_trial_end(self, trial, outcome)

    def on_trial_retry(self, trial: Trial, failure: Failure) -> None:
        self.running.pop(trial.id, None)

    def on_parameter_settled(self, settled: ParameterResult) -> None:
        self.settled.append(settled)

    def counts(self) -> str:
        return ", ".join(f"{count} {kind}" for kind, count in self.over.items() if count or kind == "complete")


class Quiet(Callback):
    """Says nothing but what is odd about the data, on the log."""

    def on_data_read(self, provenance: Provenance) -> None:
        warn_of(provenance.warnings)


class Lines(Counting):
    """A line per event, and one a minute where nothing happens."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.spoke = time.monotonic()
        self.recalls = 0

    def say(self, text: str) -> None:
        self.spoke = time.monotonic()
        print(f"{time.strftime('%H:%M:%S')} {self.name}: {text}", flush=True)

    def on_data_read(self, provenance: Provenance) -> None:
        for line in provenance.lines():
            print(line, flush=True)

    def on_sweep_start(self, at_once: int, where: str) -> None:
        print(f"{self.name}: {at_once} trial{'s' * (at_once > 1)} at once on {where}", flush=True)

    def on_trial_restore(self, trial: Trial, outcome: TrialResult) -> None:
        super().on_trial_restore(trial, outcome)
        self.recalls += 1

    def on_trial_retry(self, trial: Trial, failure: Failure) -> None:
        super().on_trial_retry(trial, failure)
        self.say(f"{trial.id} again     {described(trial)}  ({failure.kind}: {failure.cause})")

    def on_trial_start(self, trial: Trial) -> None:
        super().on_trial_start(trial)
        if self.recalls:
            self.say(f"from earlier starts: {self.counts()}; best {number(self.best)}")
            self.recalls = 0
        self.say(f"{trial.id} started   {described(trial)}")

    def on_trial_end(self, trial: Trial, outcome: TrialResult) -> None:
        super().on_trial_end(trial, outcome)
        score = f"tuning {trial.config['metric']} {number(outcome.score)}  " if outcome.score is not None else ""
        cause = f"  ({outcome.cause})" if outcome.cause else ""
        end = f"{score}epoch {outcome.epoch}, {outcome.seconds:.0f} s{cause}"
        self.say(f"{trial.id} {outcome.state:<9} {described(trial)}  {end}")

    def on_parameter_settled(self, settled: ParameterResult) -> None:
        super().on_parameter_settled(settled)
        others = ", ".join(f"{describe(t.value)}: {number(t.score)}" for t in settled.options)
        self.say(f"settled {assignment(settled.parameter, settled.value)}  (tuning scores {others})")

    def on_poll(self) -> None:
        if time.monotonic() - self.spoke > HEARTBEAT:
            at = ", ".join(f"{s.trial.id} epoch {s.epoch}" for s in self.running.values())
            self.say(f"running {at or 'nothing yet'}; {self.counts()}; best tuning score {number(self.best)}")
