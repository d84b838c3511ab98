"""A sweep: a searcher's choices as experiments, each in its folder, and a journal from which everything is rebuilt.

    runs/NAME/sweep.json          what is searched, and how
    runs/NAME/journal.jsonl       a line per event: started, finished, settled, steered, winner, final
    runs/NAME/requests/           what the user asks for while it runs (vmsbench.sweep.requests)
    runs/NAME/trials/ID/          an experiment each (vmsbench.experiment)
    runs/NAME/final/ID/           the best again, from fresh seeds, scored on the test set (vmsbench.sweep.finals)

After a kill the same sweep is built again: its new searcher is asked and told again in the order of the journal. So no
training is repeated, and with one slot the suggestions, their order and the winner are those of an unbroken run. With
several, and where no trial is stopped early, the winner is the same where the evidence is; what ASHA stops, and what
TPE suggests, depends on which trials ended before.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

from vmsbench.errors import ConfigurationError
from vmsbench.experiment import config_hash
from vmsbench.metrics.catalog import sign
from vmsbench.search.pruners import Curve
from vmsbench.search.searcher import ParameterResult, Params, Searcher, compared_with, key
from vmsbench.search.space import Space
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.journal import Journal
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.budget import Budget
from vmsbench.sweep.failures import CODE, SAME_FOR_ALL, STORAGE, Failure
from vmsbench.sweep.requests import STOPPED, Steering
from vmsbench.sweep.retries import Retries
from vmsbench.sweep.trial import UNNEEDED, Callback, Trial, TrialResult, TrialSource

REORDERED = 64
"""So many choices may be asked for before one that was asked for earlier."""


def curve(folder: Path, metric: str) -> dict[int, float]:
    """An experiment's validation scores, by epoch: negated where higher is better."""
    records = ExperimentFolder(folder).history()
    scored = ((record["epoch"], (record.get("scores") or {}).get(metric)) for record in records)
    return {epoch: sign(metric) * score for epoch, score in scored if score is not None}


def outcome_of(trial: Trial, metric: str, stopped: str | None, failed: Failure | None) -> TrialResult:
    """How a trial ended, from its folder: results.json exists only when the work is done."""
    last: dict[str, Any] = {"epoch": 0, "seconds": 0.0}
    there = ExperimentFolder(trial.folder)
    for record in there.history():
        last = record
    epoch, seconds = last["epoch"], last["seconds"]
    if there.finished:
        score = there.results()["validation_scores"].get(metric)
        cause = None if score is not None else f"no {metric} among its scores"
        if cause is not None:
            return TrialResult("failed", None, epoch, seconds, cause, CODE)
        return TrialResult("complete", score, epoch, seconds, None)
    if failed is not None:
        return TrialResult("failed", None, epoch, seconds, failed.cause, failed.kind, failed.mark)
    return TrialResult("pruned", (last.get("scores") or {}).get(metric), epoch, seconds, stopped)


class Sweep(TrialSource):
    """The search itself.

    space     the configuration, and the parameters that are varied
    searcher  a new one; it gets the scores in the journal as it asks
    retry     whether trials that failed before are retried
    reuse     copies a training of another sweep into a trial's folder, and returns where it was; None where there is
    none budget    what the trials may take
    """

    def __init__(
        self,
        folder: Path,
        space: Space,
        searcher: Searcher,
        watcher: Callback,
        retry: bool = False,
        reuse: Callable[[Trial], str | None] = lambda trial: None,
        budget: Budget = Budget(),
    ) -> None:
        self.folder, self.space, self.searcher, self.watcher = folder, space, searcher, watcher
        self.reuse, self.budget = reuse, budget
        self.metric: str = space.base["metric"]
        self.sign = sign(self.metric)
        self.journal = Journal(folder)
        self.known: dict[str, TrialResult] = {}
        self.choices: dict[str, Params] = {}
        self.settled: set[str] = set()
        self.released: set[str] = set()
        self.won: str | None = None
        events = list(self.journal.events())
        for event in events:
            self.remember(event, retry)
        self.retries, self.steering = Retries(self.journal), Steering(self.journal, self.add_option)
        self.open: list[Trial] = []
        self.asked: dict[str, Params] = {}
        self.storage: str | None = None
        self.traces: dict[str, list[str]] = {}
        for name, outcome in self.known.items():
            self.count(name, outcome)
        self.written = 0
        self.replay(events)
        if not self.open and (first := self.next()) is not None:
            self.open = [first]

    def replay(self, events: Sequence[dict[str, Any]]) -> None:
        """Ask and tell the searcher as in earlier starts; what it asked for and is not over, runs again first."""
        last = {event["trial"]: number for number, event in enumerate(events) if event["event"] == "finished"}
        for number, event in enumerate(events):
            again = event["event"] == "resumed" and event["trial"] in self.released
            if event["event"] == "started" or again:
                self.ask_again(self.choices[event["trial"]])
            elif event["event"] == "steered":
                self.add_option(event)
            elif event["event"] == "finished" and event.get("cause") == UNNEEDED:
                self.let_go(self.choices.get(event["trial"], {}))
            elif event["event"] == "finished" and last[event["trial"]] == number and event["trial"] in self.known:
                self.tell_again(event["trial"])
        for params in list(self.asked.values()):
            trial = self.trial(params)
            if not self.is_over(trial):
                self.open.append(trial)

    def ask_again(self, params: Params) -> None:
        """Where the searcher has another order now (failed trials run again), what it asks for meanwhile waits."""
        for _ in range(REORDERED):
            if key(params) in self.asked:
                return
            found = self.searcher.ask_again(params)
            if found is None:
                return
            self.asked[key(found)] = found

    def let_go(self, params: Params) -> None:
        self.asked.pop(key(params), None)
        self.searcher.release(params)

    def add_option(self, event: Mapping[str, Any]) -> None:
        """Let the searcher vary a parameter further, where the user asked for it; no effect where it cannot."""
        if event["what"] == "option":
            with suppress(ConfigurationError):
                self.searcher.add_option(event["parameter"], event["value"])

    def tell_again(self, name: str) -> None:
        params = self.asked.pop(key(self.choices.get(name)), None)
        if params is not None:
            trial = self.trial(params)
            self.watcher.on_trial_restore(trial, self.known[name])
            self.answer(trial, self.known[name])

    def remember(self, event: dict[str, Any], retry: bool) -> None:
        kind = event["event"]
        if kind == "started":
            self.choices[event["trial"]] = event["params"]
        elif kind == "finished" and event.get("cause") == UNNEEDED:
            self.released.add(event["trial"])
        elif kind == "finished":
            self.known[event["trial"]] = TrialResult(
                **{field.name: event[field.name] for field in fields(TrialResult) if field.name in event}
            )
            if retry and event["state"] == "failed":
                del self.known[event["trial"]]
        elif kind == "settled":
            self.settled.add(key([event.get("round", 1), event["parameter"], event["value"], event["options"]]))
        elif kind == "winner":
            self.won = event["trial"]

    def count(self, name: str, outcome: TrialResult) -> None:
        """Count trials that failed at the same place of the code, for a reason that concerns them all."""
        if outcome.kind in SAME_FOR_ALL and outcome.mark:
            self.traces.setdefault(outcome.mark, []).append(name)

    @property
    def halted(self) -> str | None:
        if self.storage is not None:
            return self.storage
        for names in self.traces.values():
            if len(names) > 1:
                first = self.known[names[0]]
                return (
                    f"{len(names)} trials failed in the same way, so no more are started: {first.kind}: {first.cause}  "
                    f"(traceback: {self.folder / 'trials' / names[0] / 'log.txt'}; once that is fixed, add --retry)"
                )
        paused = self.steering.halted
        self.budget.grow(self.steering.budgets)
        return paused or self.budget.used_up

    def trial(self, params: Params) -> Trial:
        config = self.space.config(params)
        name = config_hash(config)
        return Trial(name, SweepFolder(self.folder).trial(name).path, config, params, self.searcher.parameter(params))

    def ask(self) -> Trial | None:
        if self.halted:
            return None
        trial = self.open.pop(0) if self.open else self.next()
        if trial is None:
            return None
        if trial.id in self.steering.stopped:  # it was running when the sweep died
            self.finish(trial, outcome_of(trial, self.metric, STOPPED, None))
            return self.ask()
        self.begin(trial)
        self.budget.begin(trial.id)
        self.watcher.on_trial_start(trial)
        return self.retries.fitted(trial)

    def next(self) -> Trial | None:
        """The next trial to run; the searcher gets the known scores of those before it."""
        while not self.halted and (params := self.searcher.ask()) is not None:
            trial = self.trial(params)
            if self.is_over(trial):
                continue
            if (source := self.reuse(trial)) is not None:
                self.begin(trial)
                outcome = outcome_of(trial, self.metric, None, None)
                self.finish(trial, replace(outcome, cause=f"reused from {source}", reused=source))
            else:
                return trial
        self.conclude()
        return None

    def is_over(self, trial: Trial) -> bool:
        """Whether a trial ended in an earlier start; the searcher gets its score then."""
        if trial.id in self.known:
            self.watcher.on_trial_restore(trial, self.known[trial.id])
            self.answer(trial, self.known[trial.id])
        elif ExperimentFolder(trial.folder).finished:
            self.finish(trial, outcome_of(trial, self.metric, None, None))
        else:
            return False
        return True

    def begin(self, trial: Trial) -> None:
        again = trial.id in self.choices
        self.choices[trial.id] = trial.params
        if again:
            self.journal.write("resumed", trial=trial.id)
        else:
            extra = {"extra": True} if self.searcher.is_extra(trial.params) else {}
            self.journal.write("started", trial=trial.id, params=trial.params, parameter=trial.parameter, **extra)

    def tell(self, trial: Trial, stopped: str | None, failed: Failure | None) -> None:
        self.budget.end(trial.id)
        if failed is not None and self.retries.again(trial, failed):
            self.watcher.on_trial_retry(trial, failed)
            self.open.append(trial)
        elif failed is not None and failed.kind == STORAGE:  # it continues at the next start
            self.storage = failed.cause
        else:
            self.finish(trial, outcome_of(trial, self.metric, stopped, failed))

    def finish(self, trial: Trial, outcome: TrialResult) -> None:
        if outcome.cause == UNNEEDED:
            self.journal.write("finished", trial=trial.id, **asdict(outcome))
            self.watcher.on_trial_end(trial, outcome)
            self.let_go(trial.params)
            return
        self.known[trial.id] = outcome
        self.count(trial.id, outcome)
        self.journal.write("finished", trial=trial.id, **asdict(outcome))
        self.watcher.on_trial_end(trial, outcome)
        self.answer(trial, outcome)

    def answer(self, trial: Trial, outcome: TrialResult) -> None:
        """Give the searcher the score, and record what it has settled."""
        known = None if outcome.score is None else self.sign * outcome.score
        if outcome.state == "pruned" and known is not None:
            self.searcher.prune(trial.params, outcome.epoch, known)
        else:
            self.searcher.tell(trial.params, known if outcome.state == "complete" else None)
        for lowered in self.searcher.settled[self.written :]:
            self.written += 1
            settled = lowered.times(self.sign)
            self.watcher.on_parameter_settled(settled)
            self.write_settled(settled)
        self.conclude()

    def conclude(self) -> None:
        """Write the winner down, once there is nothing left to ask for."""
        if self.finished and self.won is None and self.winner is not None:
            self.won = self.winner.id
            runs = [self.known[self.trial(run).id].score for run in self.searcher.runs(self.winner.params)]
            score = fmean(score for score in runs if score is not None)
            self.journal.write("winner", trial=self.won, params=self.winner.params, score=score)

    def write_settled(self, settled: ParameterResult) -> None:
        tried = []
        for option in settled.options:
            trial = self.trial(option.params)
            known = self.known.get(trial.id)
            tried.append(
                {
                    "value": option.value,
                    "score": option.score,
                    "trial": trial.id,
                    "state": known.state if known else None,
                }
            )
        mark = key([settled.round, settled.parameter, settled.value, tried])
        if mark not in self.settled:
            self.settled.add(mark)
            found = {name: getattr(settled, name) for name in ("parameter", "value", "score", "round")}
            self.journal.write("settled", **found, options=tried)

    @property
    def finished(self) -> bool:
        return self.searcher.finished

    def unneeded(self, trial: Trial) -> str | None:
        stopped = self.steering.stop_reason(trial.id)
        return stopped or (None if self.searcher.is_needed(trial.params) else UNNEEDED)

    @property
    def max_trials(self) -> int:
        return self.searcher.max_trials

    @property
    def winner(self) -> Trial | None:
        """The best complete trial; None where none is."""
        trial = self.trial(self.searcher.incumbent)
        known = self.known.get(trial.id)
        return trial if known is not None and known.state == "complete" else None

    def note_slots(self, count: int) -> None:
        self.journal.write("slots", slots=count)

    def reference(self, trial: Trial) -> Curve:
        run = compared_with(self.searcher.incumbent, trial.params)
        if run is None:
            return {}
        best = self.trial(run)
        if best.id in self.known:  # and changes no more
            return self.curve_of(best.id)
        return curve(best.folder, self.metric)

    @lru_cache(maxsize=8)  # noqa: B019
    def curve_of(self, name: str) -> Curve:
        return curve(SweepFolder(self.folder).trial(name).path, self.metric)

    def past(self) -> dict[str, Curve]:
        over = (name for name, outcome in self.known.items() if outcome.state != "failed")
        return {name: curve(SweepFolder(self.folder).trial(name).path, self.metric) for name in over}
