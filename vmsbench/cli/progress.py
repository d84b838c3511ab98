"""What a sweep shows of itself while it works: a live table in a terminal, plain lines with the time elsewhere."""

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vmsbench.config.instantiate import describe, short
from vmsbench.search.searcher import ParameterResult
from vmsbench.sweep.failures import Failure
from vmsbench.sweep.status import status
from vmsbench.sweep.trial import Callback, Trial, TrialResult

HEARTBEAT = 60.0
LOOK = 5.0  # seconds between two looks into the sweep's folder


def described(trial: Trial) -> str:
    """What tells a trial from the others: the parameter it was made for, or its seed."""
    if trial.parameter in trial.choice:
        seed = f", seed={trial.choice['seed']}" if "seed" in trial.choice else ""
        return f"{short(trial.parameter)}={describe(trial.choice[trial.parameter])}{seed}"
    return ", ".join(f"{short(param)}={describe(value)}" for param, value in trial.choice.items())


def last_score(trial: Trial, record: dict[str, Any]) -> float | None:
    return (record.get("scores") or {}).get(trial.config["metric"])


def number(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"


@dataclass
class TrialProgress:
    """How a trial that is running stands."""

    trial: Trial
    epoch: int = 0
    score: float | None = None
    since: float = field(default_factory=time.monotonic)


class Counting(Callback):
    """Keeps count of what is going on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.running: dict[str, TrialProgress] = {}
        self.over = {"complete": 0, "pruned": 0, "failed": 0}
        self.best: float | None = None
        self.walk: list[ParameterResult] = []
        self.began = time.monotonic()

    def started(self, trial: Trial) -> None:
        self.running[trial.id] = TrialProgress(trial)

    def epoch(self, trial: Trial, record: dict[str, Any]) -> None:
        standing = self.running.setdefault(trial.id, TrialProgress(trial))
        standing.epoch = record["epoch"]
        standing.score = last_score(trial, record) or standing.score

    def finished(self, trial: Trial, outcome: TrialResult) -> None:
        self.running.pop(trial.id, None)
        self.over[outcome.state] += 1
        if outcome.state == "complete" and outcome.score is not None:
            self.best = outcome.score if self.best is None else min(self.best, outcome.score)

    def recalled(self, trial: Trial, outcome: TrialResult) -> None:
        Counting.finished(self, trial, outcome)

    def retried(self, trial: Trial, failure: Failure) -> None:
        self.running.pop(trial.id, None)

    def settled(self, settled: ParameterResult) -> None:
        self.walk.append(settled)

    def counts(self) -> str:
        return ", ".join(f"{count} {kind}" for kind, count in self.over.items() if count or kind == "complete")


class Lines(Counting):
    """A line per event, and one a minute where nothing happens: for job logs."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.spoke = time.monotonic()
        self.recalls = 0

    def say(self, text: str) -> None:
        self.spoke = time.monotonic()
        print(f"{time.strftime('%H:%M:%S')} {self.name}: {text}", flush=True)

    def recalled(self, trial: Trial, outcome: TrialResult) -> None:
        super().recalled(trial, outcome)
        self.recalls += 1

    def retried(self, trial: Trial, failure: Failure) -> None:
        super().retried(trial, failure)
        self.say(f"{trial.id} again     {described(trial)}  ({failure.kind}: {failure.cause})")

    def started(self, trial: Trial) -> None:
        super().started(trial)
        if self.recalls:
            self.say(f"known from before: {self.counts()}; best {number(self.best)}")
            self.recalls = 0
        self.say(f"{trial.id} started   {described(trial)}")

    def finished(self, trial: Trial, outcome: TrialResult) -> None:
        super().finished(trial, outcome)
        score = f"tuning {trial.config['metric']} {number(outcome.score)}  " if outcome.score is not None else ""
        cause = f"  ({outcome.cause})" if outcome.cause else ""
        end = f"{score}epoch {outcome.epoch}, {outcome.seconds:.0f} s{cause}"
        self.say(f"{trial.id} {outcome.state:<9} {described(trial)}  {end}")

    def settled(self, settled: ParameterResult) -> None:
        super().settled(settled)
        others = ", ".join(f"{describe(t.value)}: {number(t.score)}" for t in settled.tried)
        self.say(f"settled {short(settled.parameter)} = {describe(settled.value)}  (tuning scores {others})")

    def tick(self) -> None:
        if time.monotonic() - self.spoke > HEARTBEAT:
            at = ", ".join(f"{s.trial.id} epoch {s.epoch}" for s in self.running.values())
            self.say(f"running {at or 'nothing yet'}; {self.counts()}; best tuning score {number(self.best)}")


class LiveTable(Counting):
    """A table that stays in its place: running trials, how far the walk is, the best so far, the time left."""

    def __init__(self, folder: Path) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(folder.name)
        self.folder, self.looked, self.caption = folder, -math.inf, ""
        self.live = Live(console=Console(), auto_refresh=False, transient=True)
        self.live.start()

    def epoch(self, trial: Trial, record: dict[str, Any]) -> None:
        super().epoch(trial, record)
        self.tick()

    def settled(self, settled: ParameterResult) -> None:
        super().settled(settled)
        score = number(settled.score)
        self.live.console.print(
            f"{self.name}: settled {short(settled.parameter)} = {describe(settled.value)}  {score}", highlight=False
        )

    def finished(self, trial: Trial, outcome: TrialResult) -> None:
        super().finished(trial, outcome)
        if outcome.state == "failed":
            self.live.console.print(f"{self.name}: {trial.id} failed: {outcome.cause}", highlight=False)

    def tick(self) -> None:
        from rich.table import Table

        self.look()
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        table = Table(
            title=f"{self.name}  {minutes}:{seconds:02d}",
            caption=f"{self.counts()}{self.caption}",
            title_justify="left",
            caption_justify="left",
            expand=False,
        )
        table.add_column("trial", no_wrap=True)
        table.add_column("tries", overflow="ellipsis", max_width=34, no_wrap=True)
        table.add_column("epoch", justify="right", no_wrap=True)
        table.add_column("tuning score", justify="right", no_wrap=True)
        for standing in self.running.values():
            epochs = standing.trial.config["trainer"]["epochs"]
            place = (standing.trial.id, described(standing.trial), f"{standing.epoch}/{epochs}", number(standing.score))
            table.add_row(*place)
        self.live.update(table, refresh=True)

    def look(self) -> None:
        """What only the folder knows, now and then: parameters settled, the best configuration, the time left."""
        if time.monotonic() - self.looked < LOOK or not (self.folder / "sweep.json").exists():
            return
        now = status(self.folder)
        self.caption = f"; {sum(step.settled for step in now.walk)} of {len(now.walk)} parameters settled"
        if now.eta:
            self.caption += f"; at most {duration(now.eta)} to go"
        if now.incumbent:
            choice = now.incumbent["parameters"].items()
            told = ", ".join(f"{short(param)}={describe(value)}" for param, value in choice)
            self.caption += f"\nbest: tuning {now.metric} {number(now.incumbent['score'])}  {told}"
        self.looked = time.monotonic()

    def close(self) -> None:
        self.live.stop()


def duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {int(seconds % 60)} s"


def terminal() -> bool:
    """Whether standard output is a terminal that can redraw what it shows."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def watching(folder: Path, quiet: bool = False) -> Iterator[Callback]:
    """Who watches a sweep: a live table in a terminal, lines elsewhere, nobody where quiet is wanted."""
    if quiet:
        yield Callback()
    elif terminal():
        table = LiveTable(folder)
        try:
            yield table
        finally:
            table.close()
    else:
        yield Lines(folder.name)
