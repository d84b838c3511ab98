"""Slot-hours of a sweep by use, from its journal."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.store.sweep_folder import SweepFolder

HOUR = 3600.0
DIGITS = 6  # of hours: what is left between two equal sums of times is rounding, and nothing was lost

LastSign = Callable[[str, float], float]
"""When a trial last wrote an epoch before a point of time."""


@dataclass
class SlotUse:
    """A trial in a slot: start and end, in seconds since 1970; `end` is None while it runs."""

    trial: str
    begin: float
    end: float | None = None


@dataclass(frozen=True)
class SlotHours:
    """Hours of slots: `busy` of them had a trial in them, `idle` none, while the sweep ran.

    useful     epochs of trials that were trained to their end, the first seed of each
    pruned     epochs of trials that were stopped early
    repeated   epochs of further seeds
    finals     the best configurations, trained again to be scored on the test pairs
    overhead   start-up and evaluation of trials that ended in their first stay in a slot
    lost       failed trials, and what an interruption made necessary again: epochs, start-up
    """

    useful: float = 0.0
    pruned: float = 0.0
    repeated: float = 0.0
    finals: float = 0.0
    overhead: float = 0.0
    lost: float = 0.0
    idle: float = 0.0

    @property
    def busy(self) -> float:
        return self.useful + self.pruned + self.repeated + self.finals + self.overhead + self.lost

    @property
    def billed(self) -> float:
        """Of all slots, busy or idle, as a cluster bills them."""
        return self.busy + self.idle

    @property
    def share(self) -> float | None:
        """Of the slots' time, that in which they are busy; None where there was none."""
        return self.busy / self.billed if self.billed else None


def runs_of(
    events: Iterable[Mapping[str, Any]], last_sign: LastSign, now: float | None = None
) -> tuple[list[SlotUse], float]:
    """Every stay of a trial in a slot, and the slot-seconds of all sessions.

    last_sign   where a session was killed, its trials' stays end there
    now         of a sweep that still runs
    """
    over: list[SlotUse] = []
    open_: dict[str, SlotUse] = {}
    session: Mapping[str, Any] | None = None
    available, last = 0.0, 0.0

    def close(before: float) -> None:
        nonlocal available, session
        end = last
        for run in open_.values():
            run.end = max(run.begin, last_sign(run.trial, before))
            end = max(end, run.end)
        over.extend(open_.values())
        open_.clear()
        if session is not None:
            available += session["slots"] * (end - session["time"])
        session = None

    for event in events:
        kind = event["event"]
        if kind == "session":
            close(event["time"])
            session = event
        elif kind == "slots" and session is not None:
            available += session["slots"] * (event["time"] - session["time"])
            session = event
        elif kind in ("started", "resumed", "final_started"):
            open_[event["trial"]] = SlotUse(event["trial"], event["time"])
        elif kind in ("finished", "retried", "final") and event["trial"] in open_:
            run = open_.pop(event["trial"])
            run.end = max(run.begin, event["time"])  # a clock may be set back
            over.append(run)
        last = max(last, event["time"])
        if kind == "interrupted":
            close(event["time"])
    if now is None:
        close(math.inf)
    elif session is not None:
        available += session["slots"] * (now - session["time"])
    return over + list(open_.values()), available


def slot_hours(events: Sequence[Mapping[str, Any]], last_sign: LastSign, now: float | None = None) -> SlotHours:
    """The usage of a sweep, in slot-hours."""
    runs, available = runs_of(events, last_sign, now)
    stays = sum((now if run.end is None and now else run.end or run.begin) - run.begin for run in runs)
    seeded = {event["trial"] for event in events if event["event"] == "started" and "seed" in event["params"]}
    last = {event["trial"]: number for number, event in enumerate(events) if event["event"] == "finished"}
    sums = {"useful": 0.0, "pruned": 0.0, "repeated": 0.0, "finals": 0.0}
    for number, event in enumerate(events):
        if event["event"] == "finished" and not event.get("reused") and last[event["trial"]] == number:
            kind = {"complete": "repeated" if event["trial"] in seeded else "useful", "pruned": "pruned"}
            if event["state"] in kind:
                sums[kind[event["state"]]] += event["seconds"] / HOUR
        elif event["event"] == "final":
            sums["finals"] += event.get("seconds", 0.0) / HOUR
    sums["overhead"] = undisturbed_overhead(runs, events)
    lost = round(max(0.0, stays / HOUR - sum(sums.values())), DIGITS)
    return SlotHours(**sums, lost=lost, idle=max(0.0, (available - stays) / HOUR))


def undisturbed_overhead(runs: Sequence[SlotUse], events: Iterable[Mapping[str, Any]]) -> float:
    """Hours of slots in which trials that ran once, and did not fail, did not train."""
    stays: dict[str, list[float]] = {}
    for run in runs:
        stays.setdefault(run.trial, []).append((run.end or run.begin) - run.begin)
    trained = {
        event["trial"]: event.get("seconds", 0.0)
        for event in events
        if event["event"] == "final" or (event["event"] == "finished" and event["state"] != "failed")
    }
    once = (max(0.0, stays[trial][0] - seconds) for trial, seconds in trained.items() if len(stays.get(trial, ())) == 1)
    return sum(once) / HOUR


def last_sign(folder: Path, trial: str, before: float) -> float:
    """When a trial of the sweep in `folder` last started an epoch before a point of time; 0 where it never did."""
    sweep = SweepFolder(folder)
    both = (sweep.trial(trial), sweep.final(trial))
    times = (record.get("time", 0.0) for one in both for record in one.history())
    return max((at for at in times if at < before), default=0.0)
