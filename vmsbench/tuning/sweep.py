"""A sweep: a searcher's choices made into experiments, each in its folder, and a journal from which all is rebuilt.

    runs/NAME/sweep.json          what is searched, and how
    runs/NAME/journal.jsonl       a line per event: started, finished, settled, winner, final
    runs/NAME/trials/ID/          an experiment each (vmsbench.experiment)
    runs/NAME/final/ID/           the best again, from fresh seeds, scored on the test set (vmsbench.tuning.finals)

After a kill the same sweep is made again: its new searcher asks the same questions and is told, from the journal, what
is known. So nothing is trained twice to its end, and the winner is the one an uninterrupted sweep finds.
"""

import time
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from vmsbench.experiment import identity
from vmsbench.files import append_line, read_json, read_lines
from vmsbench.tuning.searcher import Choice, Searcher, Settled, key
from vmsbench.tuning.space import Space
from vmsbench.tuning.stopping import Curve
from vmsbench.tuning.work import Outcome, Trial, Watcher, Work


def curve(folder: Path, metric: str) -> dict[int, float]:
    """The scores that an experiment took while training, by epoch."""
    records = read_lines(folder / "history.jsonl")
    scored = ((record["epoch"], (record.get("scores") or {}).get(metric)) for record in records)
    return {epoch: score for epoch, score in scored if score is not None}


def outcome_of(trial: Trial, metric: str, stopped: str | None, failed: str | None) -> Outcome:
    """How a trial ended, from its folder: results.json is there only when the work is done."""
    last: dict[str, Any] = {"epoch": 0, "seconds": 0.0}
    for record in read_lines(trial.folder / "history.jsonl"):
        last = record
    epoch, seconds = last["epoch"], last["seconds"]
    if (trial.folder / "results.json").exists():
        score = read_json(trial.folder / "results.json")["validation"].get(metric)
        cause = None if score is not None else f"no {metric} among its scores"
        return Outcome("complete" if cause is None else "failed", score, epoch, seconds, cause)
    if failed is not None:
        return Outcome("failed", None, epoch, seconds, failed)
    return Outcome("stopped", curve(trial.folder, metric).get(epoch), epoch, seconds, stopped)


class Sweep(Work):
    """The search proper.

    space     the configuration, and what of it is varied
    searcher  a new one; what the journal knows is told to it as it asks
    retry     whether trials that failed before are tried again
    """

    def __init__(self, folder: Path, space: Space, searcher: Searcher, watcher: Watcher, retry: bool = False) -> None:
        self.folder, self.space, self.searcher, self.watcher = folder, space, searcher, watcher
        self.metric: str = space.base["metric"]
        self.journal = folder / "journal.jsonl"
        self.known: dict[str, Outcome] = {}
        self.started: set[str] = set()
        self.settled: set[str] = set()
        self.won: str | None = None
        for event in read_lines(self.journal):
            self.remember(event, retry)
        self.written = 0

    def remember(self, event: dict[str, Any], retry: bool) -> None:
        kind = event["event"]
        if kind == "started":
            self.started.add(event["trial"])
        elif kind == "finished" and not (retry and event["outcome"] == "failed"):
            fields = ("outcome", "score", "epoch", "seconds", "cause")
            self.known[event["trial"]] = Outcome(**{field: event[field] for field in fields})
        elif kind == "settled":
            self.settled.add(key([event["coordinate"], event["value"], event["tried"]]))
        elif kind == "winner":
            self.won = event["trial"]

    def trial(self, choice: Choice) -> Trial:
        config = self.space.config(choice)
        name = identity(config)
        return Trial(name, self.folder / "trials" / name, config, choice, self.searcher.coordinate(choice))

    def ask(self) -> Trial | None:
        while (choice := self.searcher.ask()) is not None:
            trial = self.trial(choice)
            if trial.id not in self.known and (trial.folder / "results.json").exists():
                self.finish(trial, outcome_of(trial, self.metric, None, None))
            elif trial.id in self.known:
                self.answer(trial, self.known[trial.id])
            else:
                if trial.id not in self.started:
                    self.started.add(trial.id)
                    self.write("started", trial=trial.id, choice=choice, coordinate=trial.coordinate)
                self.watcher.started(trial)
                return trial
        return None

    def tell(self, trial: Trial, stopped: str | None, failed: str | None) -> None:
        self.finish(trial, outcome_of(trial, self.metric, stopped, failed))

    def finish(self, trial: Trial, outcome: Outcome) -> None:
        self.known[trial.id] = outcome
        self.write("finished", trial=trial.id, **asdict(outcome))
        self.answer(trial, outcome)

    def answer(self, trial: Trial, outcome: Outcome) -> None:
        """Tell the searcher, and write down what it has settled by that."""
        self.watcher.finished(trial, outcome)
        self.searcher.tell(trial.choice, outcome.score if outcome.outcome == "complete" else None)
        for settled in self.searcher.settled[self.written :]:
            self.written += 1
            self.watcher.settled(settled)
            self.write_settled(settled)
        if self.finished and self.won is None and self.winner is not None:
            self.won = self.winner.id
            runs = [self.known[self.trial(run).id].score for run in self.searcher.runs(self.winner.choice)]
            score = fmean(score for score in runs if score is not None)
            self.write("winner", trial=self.won, choice=self.winner.choice, score=score)

    def write_settled(self, settled: Settled) -> None:
        tried = []
        for option in settled.tried:
            trial = self.trial(option.choice)
            known = self.known.get(trial.id)
            tried.append(
                {
                    "value": option.value,
                    "score": option.score,
                    "trial": trial.id,
                    "outcome": known.outcome if known else None,
                }
            )
        mark = key([settled.coordinate, settled.value, tried])
        if mark not in self.settled:
            self.settled.add(mark)
            self.write("settled", coordinate=settled.coordinate, value=settled.value, score=settled.score, tried=tried)

    def write(self, event: str, **fields: Any) -> None:
        append_line(self.journal, {"event": event, "time": time.time(), **fields})

    @property
    def finished(self) -> bool:
        return self.searcher.finished

    @property
    def budget(self) -> int:
        return self.searcher.budget

    @property
    def winner(self) -> Trial | None:
        """The best complete trial; None where none is."""
        trial = self.trial(self.searcher.incumbent)
        known = self.known.get(trial.id)
        return trial if known is not None and known.outcome == "complete" else None

    def reference(self) -> Curve:
        return curve(self.trial(self.searcher.incumbent).folder, self.metric)

    def past(self) -> dict[str, Curve]:
        over = (name for name, outcome in self.known.items() if outcome.outcome != "failed")
        return {name: curve(self.folder / "trials" / name, self.metric) for name in over}
