"""The folder of a trial or a final, typed. Its files are read on access.

So a sweep of ten thousand trials is listed by its journal alone. What a kill leaves is tolerated: a last line that is
cut, a file that is not there yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vmsbench.store.documents import last_line, read_checked_document, read_scores
from vmsbench.store.experiment_folder import SCORES, ExperimentFolder
from vmsbench.store.values import Scores, mapping, milliseconds, number, numbers, whole

Event = Mapping[str, Any]
"""A line of the journal."""


@dataclass(frozen=True)
class EpochRecord:
    """A line of history.jsonl; `scores` are on the tuning validation set and empty where nothing was sampled.

    seconds     of training since its start; None where the line does not say
    time        when the epoch ended, in milliseconds since 1970; None where the line does not say
    """

    number: int
    train: Scores
    validation: Scores
    scores: Scores
    seconds: float | None = None
    time: int | None = None


@dataclass(frozen=True)
class ExperimentRecord:
    """One training in a folder, and the journal's events about it.

    begun       when its sweep started, in milliseconds since 1970: for a training that does not record its own start
    """

    id: str
    folder: Path
    events: tuple[Event, ...]
    begun: int

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Its settings; empty where they cannot be read."""
        found = read_checked_document(ExperimentFolder(self.folder).config_file)
        return {name: value for name, value in found.items() if name != "schema"}

    @cached_property
    def results(self) -> Mapping[str, Any]:
        return read_checked_document(ExperimentFolder(self.folder).results_file)

    @cached_property
    def history(self) -> tuple[EpochRecord, ...]:
        return read_history(ExperimentFolder(self.folder))

    @property
    def clock(self) -> list[int]:
        """Milliseconds since 1970 of each epoch: its own time, else the start and the seconds since."""
        return [epoch.time or self.started + round(1000 * (epoch.seconds or 0.0)) for epoch in self.history]

    @cached_property
    def started(self) -> int:
        """Milliseconds since 1970; never changes once set."""
        starts = (event for event in self.events if event["event"] in ("started", "final_started"))
        times = [milliseconds(event.get("time")) for event in starts]
        first = self.history[0] if self.history else None
        if first and first.time is not None:
            times.append(first.time - round(1000 * (first.seconds or 0.0)))
        return next((time for time in times if time is not None), self.begun)

    @property
    def ended(self) -> int:
        """Milliseconds since 1970 of its last record."""
        times = [milliseconds(event.get("time")) for event in self.events]
        return max([self.started, *self.clock, *(time for time in times if time is not None)])

    @property
    def slides(self) -> list[tuple[int, Path]]:
        """The saved pictures of samples, by epoch."""
        files = sorted((self.folder / "samples").glob("*.png"))
        return [(int(file.stem), file) for file in files if file.stem.isdigit()]


@dataclass(frozen=True)
class TrialRecord(ExperimentRecord):
    """One configuration of the search.

    params      its options, by name where they have one
    end         the journal's event about its end; empty while it has none
    """

    params: Mapping[str, Any]
    parameter: str
    end: Event

    @property
    def state(self) -> str:
        """complete, pruned, failed or unfinished (running or killed)."""
        if "state" in self.end:
            return str(self.end["state"])
        return "complete" if ExperimentFolder(self.folder).finished else "unfinished"

    @property
    def score(self) -> float | None:
        return number(self.end.get("score"))

    @property
    def epoch(self) -> int:
        """The last epoch that was trained."""
        return whole(self.end.get("epoch")) or int(
            last_line(ExperimentFolder(self.folder).history_file).get("epoch", 0)
        )

    @property
    def seconds(self) -> float | None:
        return number(self.end.get("seconds"))

    @property
    def cause(self) -> str:
        """Why it was pruned or failed."""
        return str(self.end.get("cause") or "")


@dataclass(frozen=True)
class FinalRecord(ExperimentRecord):
    """A good configuration trained again with a seed of its own and scored on the test set.

    end         the journal's event about its end; empty while it has none
    """

    end: Event

    @property
    def state(self) -> str:
        """complete or unfinished (running, failed or killed)."""
        return "complete" if self.end or self.results else "unfinished"

    @property
    def of(self) -> str:
        """The trial that it comes from; empty where the journal does not say."""
        return str(self.end.get("of") or "")

    @property
    def rank(self) -> int | None:
        """The rank of its trial by tuning score; None where the journal does not say."""
        return whole(self.end.get("rank"))

    @property
    def seed(self) -> int | None:
        return whole(self.end.get("seed", self.config.get("seed")))

    @property
    def scores(self) -> Scores:
        """On the test set; empty where the training is not done."""
        return numbers(self.results.get("test_scores")) or numbers(self.end.get("scores"))

    @property
    def tuning(self) -> Scores:
        """On the tuning validation set."""
        return numbers(self.results.get("validation_scores"))

    @property
    def training(self) -> Scores:
        """On training images."""
        return numbers(self.results.get("train_scores"))

    @cached_property
    def per_image(self) -> Mapping[str, Scores]:
        """{image name: {score: value}} of the test set, from scores.csv; empty where there is none."""
        return read_scores(self.folder / SCORES)

    @property
    def fid(self) -> Mapping[str, Any]:
        return mapping(self.results.get("fid"))

    @property
    def samples(self) -> int:
        """How many maps were drawn for each test image; 1 of a model that gives a single answer."""
        return whole(self.results.get("samples")) or 1

    @property
    def trainings(self) -> int:
        """How many trainings it is: those of an ensemble's members, else one."""
        return len(self.results.get("members") or "1")

    @property
    def encoder(self) -> str:
        """The encoder through which it has seen other pictures than the data's; empty without one."""
        return str(mapping(self.results.get("info")).get("encoder") or "")

    @property
    def calibration(self) -> Mapping[str, Any]:
        """Of its samples, or of its one answer as it was dressed; empty where that was not measured."""
        return mapping(self.results.get("calibration"))

    @property
    def dressing(self) -> Mapping[str, Any]:
        return mapping(self.results.get("dressing"))


def read_history(folder: ExperimentFolder) -> tuple[EpochRecord, ...]:
    """One entry per epoch in order; where an epoch was run again the later line counts."""
    epochs: dict[int, EpochRecord] = {}
    for line in folder.history():
        at = whole(line.get("epoch"))
        if at is not None:
            epochs[at] = EpochRecord(
                number=at,
                train=numbers(line.get("train_loss")),
                validation=numbers(line.get("validation_loss")),
                scores=numbers(line.get("scores")),
                seconds=number(line.get("seconds")),
                time=milliseconds(line.get("time")),
            )
    return tuple(epochs[at] for at in sorted(epochs))
