"""What a sweep's folder says, read without writing: its journal, its experiments' histories and results.

Whatever a kill can leave behind is tolerated: a last line that was cut, a file that is not there yet.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from vmsbench.files import read_json, read_lines

Line = dict[str, Any]


def document(path: Path) -> Line:
    """A JSON object in a file; empty where it does not exist."""
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def milliseconds(when: Any) -> int | None:
    """Seconds since 1970 or an ISO time, as whole milliseconds since 1970; None for anything else."""
    if isinstance(when, int | float) and not isinstance(when, bool):
        return round(when * 1000)
    try:
        return round(datetime.fromisoformat(when).timestamp() * 1000)
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True)
class ExperimentFolder:
    """One trial or final: its folder, and the journal's lines about it.

    started     milliseconds since 1970, never changing once there
    """

    path: Path
    events: tuple[Line, ...]
    started: int
    config: Line = field(default_factory=dict)
    history: tuple[Line, ...] = ()
    results: Line = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.path.parent.name.removesuffix("s")

    @property
    def state(self) -> str:
        """complete, pruned (stopped early), failed, or running: begun and not known to have ended."""
        last = next((e for e in reversed(self.events) if e.get("event") in ("started", "finished", "final")), {})
        if last.get("event") == "finished":
            return str(last.get("state", "complete"))
        return "complete" if self.results or last.get("event") == "final" else "running"

    @property
    def cause(self) -> str:
        """Why it stopped or failed, in the journal's words."""
        return next((str(e["cause"]) for e in reversed(self.events) if e.get("cause")), "")

    @property
    def slides(self) -> list[tuple[int, Path]]:
        """Pictures of samples that were kept, by epoch."""
        return [(int(file.stem), file) for file in sorted((self.path / "samples").glob("*.png")) if file.stem.isdigit()]

    @property
    def clock(self) -> list[int]:
        """Milliseconds since 1970 of each line of the history: its own time, else the start and the seconds since."""
        spent = [float(line.get("seconds") or 0) for line in self.history]
        told = [milliseconds(line.get("time")) for line in self.history]
        return [time or self.started + round(1000 * since) for time, since in zip(told, spent, strict=True)]

    @property
    def ended(self) -> int:
        """Milliseconds since 1970 of the last thing known of it."""
        told = [milliseconds(e.get("time")) for e in self.events]
        return max([self.started, *self.clock, *(t for t in told if t is not None)])


@dataclass(frozen=True)
class SweepFolder:
    """A sweep's folder, as it was when read.

    alive   whether somebody is known or believed to work on it; what is not over in a sweep nobody works on, is stopped
    """

    path: Path
    about: Line
    journal: tuple[Line, ...]
    baselines: Line
    experiments: tuple[ExperimentFolder, ...]
    alive: bool = True

    @property
    def started(self) -> int:
        """Milliseconds since 1970, never changing once there."""
        return started(self.about, self.journal)

    @property
    def ended(self) -> int:
        told = [milliseconds(e.get("time")) for e in self.journal]
        return max([self.started, *(t for t in told if t is not None)])

    @property
    def winner(self) -> Line:
        """The journal's line about the winner; empty while there is none."""
        return next((e for e in reversed(self.journal) if e.get("event") == "winner"), {})

    @property
    def interrupted(self) -> bool:
        """The driver said that it stops here, unfinished, and nothing has happened since; or it is gone unfinished."""
        said = bool(self.journal) and self.journal[-1].get("event") == "interrupted"
        return said or not (self.alive or self.finished)

    @property
    def finished(self) -> bool:
        """There is a winner, and every final that was begun is done."""
        return bool(self.winner) and all(e.state != "running" for e in self.experiments if e.kind == "final")


def started(about: Line, journal: tuple[Line, ...]) -> int:
    times = [milliseconds(about.get("created")), *(milliseconds(e.get("time")) for e in journal)]
    return next((t for t in times if t is not None), 0)


def read(path: Path, alive: bool = True) -> SweepFolder:
    """Read the sweep in this folder; its experiments in the order in which they were begun."""
    about, journal = document(path / "sweep.json"), tuple(read_lines(path / "journal.jsonl"))
    begun = started(about, journal)
    experiments = []
    for kind in ("trials", "final"):
        present = sorted(p.name for p in (path / kind).glob("*") if (p / "config.json").is_file())
        journaled = [str(e["trial"]) for e in journal if "trial" in e]
        order = {name: len(journaled) for name in present} | {n: i for i, n in reversed([*enumerate(journaled)])}
        experiments += [experiment(path / kind / n, journal, begun) for n in sorted(present, key=order.__getitem__)]
    return SweepFolder(path, about, journal, document(path / "baselines.json"), tuple(experiments), alive)


def experiment(path: Path, journal: tuple[Line, ...], sweep_started: int) -> ExperimentFolder:
    events = tuple(e for e in journal if e.get("trial") == path.name and e.get("event") != "winner")
    history = tuple(line for line in read_lines(path / "history.jsonl") if isinstance(line.get("epoch"), int))
    first = history[0] if history else {}
    candidates = [milliseconds(e.get("time")) for e in events if e.get("event") in ("started", "final_started")]
    if (time := milliseconds(first.get("time"))) is not None:
        candidates.append(time - round(float(first.get("seconds") or 0) * 1000))
    begun = next((t for t in candidates if t is not None), sweep_started)
    return ExperimentFolder(
        path, events, begun, document(path / "config.json"), history, document(path / "results.json")
    )
