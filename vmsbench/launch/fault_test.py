"""A fire drill: a toy sweep that is signalled, queued again and killed, and must come to what it would have come to.

On a cluster its jobs are the site's own; elsewhere the same command runs in a process of this machine, where nothing
can be queued again.
"""

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.errors import UNFINISHED, UserError
from vmsbench.files import read_lines
from vmsbench.launch.slurm.allocation import python, scrubbed
from vmsbench.launch.slurm.commands import Refused, call
from vmsbench.launch.slurm.jobs import cancel, job_status, jobs_of, note, notes
from vmsbench.launch.slurm.launcher import Slurm
from vmsbench.launch.supervisor import finish
from vmsbench.processes import descendants, end, living
from vmsbench.store.journal import Journal
from vmsbench.versions import PUBLIC

TOY = (
    *("tune", "--exp", "unet", "--quiet", "data=standin", "data.size=32", "data.count=120", "preset=quick"),
    *("device=cpu", "tracker=none", "pruner=none"),
    "space.parameters=[{param:model.network.width,options:[8,16,24]}]",
)
WHOLE = 900.0  # seconds for a sweep
MORE = 3  # epochs that show that it goes on
LOOK = 0.5
EQUAL = 0.02  # scores may differ by this share between kinds of processors

SIGNAL, REQUEUE, TRIAL, DRIVER, RESULT = "signal", "requeue", "trial", "driver", "result"
STRIKES = {
    SIGNAL: "asked to leave, as before the end of its time",
    REQUEUE: "queued again",
    TRIAL: "a trial killed with -9",
    DRIVER: "the driver killed with -9",
}


@dataclass(frozen=True)
class FaultResult:
    """passed   None where it could not be tried; `told` says why, or what was seen"""

    name: str
    passed: bool | None
    told: str


@dataclass(frozen=True)
class Seen:
    """What can be read of a sweep from its folder."""

    began: int
    died: int
    starts: int
    epochs: int

    @classmethod
    def of(cls, folder: Path) -> "Seen":
        events = [line["event"] for line in notes(folder)]
        logs = "".join(log.read_text(errors="replace") for log in folder.glob("*/*/log.txt"))
        epochs = sum(len(list(read_lines(history))) for history in folder.glob("*/*/history.jsonl"))
        return cls(events.count("began"), events.count("died"), len(re.findall(r": epoch \d+ to \d+", logs)), epochs)

    def after(self, strike: str, before: "Seen") -> bool:
        """Whether this shows that the sweep took notice of a strike, and went on after it."""
        noticed = {
            SIGNAL: self.began > before.began,
            REQUEUE: self.began > before.began,
            DRIVER: self.died > before.died,
            TRIAL: self.starts > before.starts and (self.began, self.died) == (before.began, before.died),
        }
        return noticed[strike] and self.epochs >= before.epochs + MORE


class FaultTarget(ABC):
    """A sweep under a supervisor, somewhere. `folder` is that of the sweep."""

    folder: Path

    @abstractmethod
    def strike(self, how: str) -> None:
        """Raises UserError where that cannot be done."""

    @abstractmethod
    def over(self) -> bool:
        """Whether it has ended for good; begins it again where only a person would."""

    @abstractmethod
    def left(self) -> list[str]:
        """What of it is still there."""

    @abstractmethod
    def stop(self) -> None:
        """End it, whatever it does."""

    @property
    @abstractmethod
    def strikes(self) -> Sequence[str]:
        """What can be done to it."""


class Process(FaultTarget):
    """On this machine."""

    strikes = (SIGNAL, TRIAL, DRIVER)

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self.folder, self.command = folder, command
        self.seen: set[int] = set()
        self.begin()

    def begin(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*python("vmsbench", "job"), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def strike(self, how: str) -> None:
        self.seen |= {self.process.pid, *descendants(self.process.pid)}
        if how == SIGNAL:
            self.process.send_signal(signal.SIGUSR1)
        else:
            strike_here(how, self.folder.parent)

    def over(self) -> bool:
        if self.process.poll() == UNFINISHED:
            self.begin()
        return self.process.poll() is not None

    def left(self) -> list[str]:
        return [f"process {pid}" for pid in self.seen if living(pid)]

    def stop(self) -> None:
        end([*descendants(self.process.pid), self.process.pid], patience=5)


class InSlurm(FaultTarget):
    """In a job of the site's."""

    strikes = (SIGNAL, REQUEUE, TRIAL, DRIVER)

    def __init__(self, folder: Path, command: Sequence[str], launcher: Slurm) -> None:
        self.folder = folder
        job = launcher.submit(finish, list(command), str(folder))
        note(folder, "submitted", job=job.number, log=str(job.log), command=list(command))

    @property
    def job(self) -> str:
        return jobs_of(self.folder)[-1]

    def strike(self, how: str) -> None:
        if how == SIGNAL:
            call("scancel", "--batch", "--signal=USR1", self.job)
        elif how == REQUEUE:
            call("scontrol", "requeue", self.job)
        else:
            nodes = next(line["nodes"] for line in reversed(notes(self.folder)) if line["event"] == "began")
            inside = ["srun", f"--jobid={self.job}", "--overlap", "--nodes=1", "--ntasks=1", f"--nodelist={nodes[0]}"]
            strike = python(PUBLIC["fault test"], how, str(self.folder.parent))
            call(*inside, "--mem=0", "--quiet", *strike, environment=scrubbed())

    def over(self) -> bool:
        return job_status(self.job, self.folder).over

    def left(self) -> list[str]:
        return [f"job {job}" for job in jobs_of(self.folder) if not job_status(job, self.folder).over]

    def stop(self) -> None:
        with contextlib.suppress(Refused):
            cancel(self.folder)


def strike_here(how: str, runs: Path) -> None:
    """Kill the driver of the sweep in `runs` that works on this machine, or one of its trials. Raises UserError."""
    drivers = [pid for pid in own_processes() if is_driver(words_of(pid), runs)]
    found = (
        drivers
        if how == DRIVER
        else [pid for one in drivers for pid in descendants(one) if words_of(pid)[:1] == ["ray::ImplicitFunc.train"]]
    )
    if not found:
        raise UserError(f"no {how} of the sweep in {runs} is at work on this node")
    os.kill(found[0], signal.SIGKILL)


def is_driver(words: Sequence[str], runs: Path) -> bool:
    return "tune" in words and str(runs) in words and "job" not in words


def own_processes() -> Iterator[int]:
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if place.stat().st_uid == os.getuid():
                yield int(place.name)


def words_of(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0 ").split("\0")
    return []


class FaultTest:
    """Two toy sweeps, one of which is left in peace.

    folder    for both; must not be there yet
    begin     begins a sweep in a folder by a command of vmsbench
    epochs    of each training: long enough that four strikes find it at work
    patience  seconds for a recovery, the waiting in the queue included
    tell      hears what is going on
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
        """A verdict on each strike, then one on what came out in the end."""
        with contextlib.ExitStack() as stack:
            quiet = self.sweep("quiet", stack)
            if isinstance(quiet, Process):
                self.wait(quiet.over, WHOLE)
            struck = self.sweep("struck", stack)
            self.tell(f"the sweep that gets the faults is in {struck.folder}")
            for strike in STRIKES:
                yield self.struck(struck, strike)
            self.tell("waiting for the end of both sweeps")
            yield self.compared(quiet, struck)

    def sweep(self, name: str, stack: contextlib.ExitStack) -> FaultTarget:
        runs = self.folder.resolve() / name
        run = self.begin(runs / "unet", [*TOY, "--epochs", str(self.epochs), "--runs", str(runs)])
        stack.callback(run.stop)
        return run

    def wait(self, happened: Callable[[], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not (done := happened()) and time.monotonic() < until:
            time.sleep(LOOK)
        return done

    def struck(self, run: FaultTarget, strike: str) -> FaultResult:
        """Strike once the sweep is at work, and see it go on."""
        if strike not in run.strikes:
            return FaultResult(strike, None, "needs Slurm: launcher=slurm")
        if not self.at_work(run):
            return FaultResult(strike, False, "the sweep was not at work")
        before, begun = Seen.of(run.folder), time.monotonic()
        self.tell(f"{strike}: {STRIKES[strike]}")
        try:
            run.strike(strike)
        except UserError as error:
            return FaultResult(strike, False, f"could not be done: {error}")
        self.wait(lambda: Seen.of(run.folder).after(strike, before) or run.over(), self.patience)
        seconds = time.monotonic() - begun
        if Seen.of(run.folder).after(strike, before):
            return FaultResult(strike, True, f"{STRIKES[strike]}; at work again after {seconds:.0f} s")
        ended = "the sweep ended" if run.over() else "the sweep did not go on"
        return FaultResult(strike, False, f"{STRIKES[strike]}; {ended} ({seconds:.0f} s)")

    def at_work(self, run: FaultTarget) -> bool:
        start = Seen.of(run.folder).epochs
        return self.wait(lambda: Seen.of(run.folder).epochs > start or run.over(), WHOLE) and not run.over()

    def compared(self, quiet: FaultTarget, struck: FaultTarget) -> FaultResult:
        ended = [self.wait(run.over, WHOLE) for run in (quiet, struck)]
        expected, found = (outcome(run.folder) for run in (quiet, struck))
        wrong = differences(expected, found)
        wrong += [] if all(ended) else [f"not over after {WHOLE:.0f} s"]
        wrong += [f"{left} is left" for left in struck.left()]
        told = (
            f"{len(found['scores'])} trainings, each to its end once, scores and winner as of the sweep left in peace"
        )
        return FaultResult(RESULT, not wrong, "; ".join(wrong) or told)


def outcome(folder: Path) -> dict[str, Any]:
    """Scores of all trainings, how often each was finished, and the winner, from the journal."""
    events = list(Journal(folder / "journal.jsonl").events())
    over = [event for event in events if event["event"] == "finished" and event["state"] == "complete"]
    finals = {event["trial"]: event["scores"]["l1"] for event in events if event["event"] == "final"}
    names = [event["trial"] for event in over]
    return {
        "scores": {event["trial"]: event["score"] for event in over} | finals,
        "twice": sorted({name for name in names if names.count(name) > 1}),
        "winner": next((event["choice"] for event in reversed(events) if event["event"] == "winner"), None),
    }


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """In words, how a sweep differs from what was expected; nothing where it does not."""
    wrong = [f"{name} was trained twice to its end" for name in found["twice"]]
    if expected["winner"] is None:
        return [*wrong, "the sweep left in peace found no winner"]
    if found["winner"] != expected["winner"]:
        wrong.append(f"the winner is {found['winner']}, not {expected['winner']}")
    if found["scores"].keys() != expected["scores"].keys():
        wrong.append(f"{len(found['scores'])} trainings came to their end, not {len(expected['scores'])}")
    both = found["scores"].keys() & expected["scores"].keys()
    others = [one for one in both if not math.isclose(found["scores"][one], expected["scores"][one], rel_tol=EQUAL)]
    return wrong + [f"{name} scored {found['scores'][name]}, not {expected['scores'][name]}" for name in others]


if __name__ == "__main__":
    strike_here(sys.argv[1], Path(sys.argv[2]))
