"""The fault test: a toy sweep that is signalled, requeued and killed has the same result as an undisturbed one.

On a cluster its jobs are the cluster's own; elsewhere the same command runs in a process of this machine, where
nothing can be requeued.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.errors import UserError
from vmsbench.launch.drill.faults import DRIVER, FAULTS, REQUEUE, SIGNAL, TRIAL, FaultTarget, ProcessTarget
from vmsbench.launch.launcher import Unsupported
from vmsbench.store.job_events import notes
from vmsbench.store.journal import Journal
from vmsbench.store.sweep_folder import SweepFolder

TOY = (
    *("tune", "--exp", "unet", "--quiet", "data=standin", "data.size=32", "data.count=120", "preset=quick"),
    *("device=cpu", "tracker=none", "pruner=none", "searcher.fill=false"),
    "space.parameters=[{param:model.network.width,values:[8,16,24]}]",
)
WHOLE = 900.0  # seconds for a sweep
MORE = 3  # epochs that show that it continues
PAUSE = 0.5
EQUAL = 0.02  # scores may differ by this share between kinds of processors
RESULT = "result"


@dataclass(frozen=True)
class FaultResult:
    """passed   None where it could not be tested; `message` says why, or what happened"""

    name: str
    passed: bool | None
    message: str


@dataclass(frozen=True)
class SweepTraces:
    """How often a sweep started, died and trained, from its folder.

    resumed   starts of trainings that had started before: a first one is not the return of another that was killed
    """

    began: int
    died: int
    resumed: int
    epochs: int

    @classmethod
    def of(cls, folder: Path) -> "SweepTraces":
        events = [line["event"] for line in notes(folder)]
        trained = list(SweepFolder(folder).experiments())
        resumed = sum(max(0, len(one.starts()) - 1) for one in trained)
        epochs = sum(len(list(one.history())) for one in trained)
        return cls(events.count("began"), events.count("died"), resumed, epochs)

    def recovered(self, fault: str, before: "SweepTraces") -> bool:
        """Whether the sweep was hit by a fault, and continued after it."""
        noticed = {
            SIGNAL: self.began > before.began,
            REQUEUE: self.began > before.began,
            DRIVER: self.died > before.died,
            TRIAL: self.resumed > before.resumed and (self.began, self.died) == (before.began, before.died),
        }
        return noticed[fault] and self.epochs >= before.epochs + MORE


class FaultTest:
    """Two toy sweeps, one of them undisturbed.

    folder    for both; must not be there yet
    begin     starts a sweep in a folder by a command of vmsbench
    epochs    of each training: long enough that four faults hit it while it trains
    patience  seconds for a recovery, the waiting in the queue included
    tell      is called with progress messages
    """

    def __init__(
        self,
        folder: Path,
        begin: Callable[[Path, Sequence[str]], FaultTarget],
        epochs: int,
        patience: float,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder, self.begin, self.epochs, self.patience, self.tell = folder, begin, epochs, patience, tell

    def run(self) -> Iterator[FaultResult]:
        """A result for each fault, then one for the results of both sweeps."""
        with contextlib.ExitStack() as stack:
            quiet = self.sweep("quiet", stack)
            if isinstance(quiet, ProcessTarget):
                self.wait(quiet.over, WHOLE)
            disturbed = self.sweep("disturbed", stack)
            self.tell(f"the sweep that gets the faults is in {disturbed.folder}")
            for fault in FAULTS:
                yield self.survives(disturbed, fault)
            self.tell("waiting for the end of both sweeps")
            yield self.compared(quiet, disturbed)

    def sweep(self, name: str, stack: contextlib.ExitStack) -> FaultTarget:
        runs = self.folder.resolve() / name
        target = self.begin(runs / "unet", [*TOY, "--epochs", str(self.epochs), "--runs", str(runs)])
        stack.callback(target.stop)
        return target

    def wait(self, happened: Callable[[], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not (done := happened()) and time.monotonic() < until:
            time.sleep(PAUSE)
        return done

    def survives(self, target: FaultTarget, fault: str) -> FaultResult:
        """Inject a fault once the sweep is training, and check that it continues."""
        if not self.at_work(target):
            return FaultResult(fault, False, "the sweep was not training")
        before, begun = SweepTraces.of(target.folder), time.monotonic()
        self.tell(f"{fault}: {FAULTS[fault]}")
        try:
            target.inject(fault)
        except Unsupported as error:
            return FaultResult(fault, None, str(error))
        except UserError as error:
            return FaultResult(fault, False, f"could not be injected: {error}")
        self.wait(lambda: SweepTraces.of(target.folder).recovered(fault, before) or target.over(), self.patience)
        seconds = time.monotonic() - begun
        if SweepTraces.of(target.folder).recovered(fault, before):
            return FaultResult(fault, True, f"{FAULTS[fault]}; training again after {seconds:.0f} s")
        ended = "the sweep ended" if target.over() else "the sweep did not continue"
        return FaultResult(fault, False, f"{FAULTS[fault]}; {ended} ({seconds:.0f} s)")

    def at_work(self, target: FaultTarget) -> bool:
        start = SweepTraces.of(target.folder).epochs
        return (
            self.wait(lambda: SweepTraces.of(target.folder).epochs > start or target.over(), WHOLE)
            and not target.over()
        )

    def compared(self, quiet: FaultTarget, disturbed: FaultTarget) -> FaultResult:
        ended = [self.wait(target.over, WHOLE) for target in (quiet, disturbed)]
        expected, found = (outcome(target.folder) for target in (quiet, disturbed))
        wrong = differences(expected, found)
        wrong += [] if all(ended) else [f"not over after {WHOLE:.0f} s"]
        wrong += [f"{one} is still running" for one in disturbed.remains()]
        same = f"{len(found['scores'])} trainings, each to its end once, scores and winner as of the undisturbed sweep"
        return FaultResult(RESULT, not wrong, "; ".join(wrong) or same)


def outcome(folder: Path) -> dict[str, Any]:
    """Scores of all trainings, how often each was finished, and the winner, from the journal."""
    events = list(Journal(folder).events())
    over = [event for event in events if event["event"] == "finished" and event["state"] == "complete"]
    finals = {event["trial"]: event["scores"]["l1"] for event in events if event["event"] == "final"}
    names = [event["trial"] for event in over]
    return {
        "scores": {event["trial"]: event["score"] for event in over} | finals,
        "twice": sorted({name for name in names if names.count(name) > 1}),
        "winner": next((event["params"] for event in reversed(events) if event["event"] == "winner"), None),
    }


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """How a sweep differs from the expected result, as text; empty where it does not."""
    wrong = [f"{name} was completed twice" for name in found["twice"]]
    if expected["winner"] is None:
        return [*wrong, "the undisturbed sweep found no winner"]
    if found["winner"] != expected["winner"]:
        wrong.append(f"the winner is {found['winner']}, not {expected['winner']}")
    if found["scores"].keys() != expected["scores"].keys():
        wrong.append(f"{len(found['scores'])} trainings were completed, not {len(expected['scores'])}")
    both = found["scores"].keys() & expected["scores"].keys()
    others = [one for one in both if not math.isclose(found["scores"][one], expected["scores"][one], rel_tol=EQUAL)]
    return wrong + [f"{name} scored {found['scores'][name]}, not {expected['scores'][name]}" for name in others]
