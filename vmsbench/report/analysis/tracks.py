"""The two tracks of `vmsbench.metrics.references`, what each family enters them with, and what it is held against.

As one answer a model that samples answers with the pixelwise median of its samples, any other with its one map. As a
distribution a sampler enters with its samples; so does each family's one answer, dressed with the errors that it made
on the tuning validation pairs (`vmsbench.metrics.dressing`). An answer that is not dressed is no distribution: its CRPS
is its L1, and it is not ranked by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vmsbench.errors import UserError
from vmsbench.metrics import references
from vmsbench.metrics.catalog import known, undressed
from vmsbench.metrics.tracks.served import of_one_map
from vmsbench.report import labels
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup, SweepRecord
from vmsbench.store.values import Scores, mapping, whole

Kind = Literal["answer", "samples", "dressed"]
Errors = NDArray[np.float64]
DRESSED = "_dressed"


@dataclass(frozen=True)
class Track:
    """score is what families are ranked by in it, and `words` stand in sentences."""

    name: references.Track
    score: str
    title: str
    words: str

    @property
    def references(self) -> tuple[str, ...]:
        """The blind predictors that the score may be held against."""
        return references.blind_references(self.score)


ANSWER = Track("answer", "l1", "As one answer", "as one answer")
DISTRIBUTION = Track("distribution", "crps", "As a distribution", "as a distribution")
TRACKS = {track.name: track for track in (ANSWER, DISTRIBUTION)}


@dataclass(frozen=True)
class Entry:
    """What a family enters a track with.

    label   of its row: the family's, or "UNet, dressed"
    """

    label: str
    family: str
    kind: Kind
    finals: tuple[FinalRecord, ...]

    def key(self, score: str, final: FinalRecord) -> str:
        """The name that a final's results have for `score` of this entry: l1 -> l1_median, crps -> crps_dressed."""
        if self.kind == "dressed":
            unit = "_unit" * score.endswith("_unit")
            return f"{score.removesuffix('_unit')}{DRESSED}{unit}"
        if self.kind == "answer" and final.samples > 1:
            return references.of_one_answer(score)
        return score

    def mean(self, score: str, split: str = "scores") -> tuple[float | None, float | None]:
        """Mean and sample standard deviation of `score` over the finals that have it; no deviation of one."""
        values = [found for final in self.finals if (found := self.score(score, final, split)) is not None]
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return (float(np.mean(values)) if values else None), deviation

    def score(self, score: str, final: FinalRecord, split: str = "scores") -> float | None:
        scores: Scores = getattr(final, split)
        return scores.get(self.key(score, final))

    def per_image(self, score: str, images: Sequence[str]) -> Errors:
        """`score` of each seed and image, S x N."""
        return np.array([[one.per_image[name][self.key(score, one)] for name in images] for one in self.finals])

    def images(self, score: str) -> list[str]:
        """The images for which every final has the score."""
        first = self.finals[0].per_image if self.finals else {}
        return [n for n in first if all(self.key(score, one) in one.per_image.get(n, {}) for one in self.finals)]

    @property
    def trainings(self) -> int:
        """Seeds, or the members of an ensemble."""
        return sum(final.trainings for final in self.finals)

    @property
    def samples(self) -> int:
        return max((final.samples for final in self.finals), default=1)


def entries(track: Track, models: Mapping[str, Sequence[FinalRecord]]) -> dict[str, Entry]:
    """What each family enters `track` with, by the labels of the rows; without the finals' scores, nothing."""
    found = []
    for label, finals in models.items():
        kept = tuple(finals)
        if track is ANSWER:
            found.append(Entry(label, label, "answer", kept))
            continue
        if any(final.samples > 1 for final in kept):
            found.append(Entry(label, label, "samples", kept))
        found.append(Entry(f"{label}, dressed", label, "dressed", kept))
    return {one.label: one for one in found if one.mean(track.score)[0] is not None}


def blind_predictor(score: str, group: SweepGroup) -> str:
    """The predictor that `score` is held against: the best of those that ignore the image under it, by the baselines.

    Where finals have scores per image, of those that they have there. Empty where none is known.
    """
    table = dict(group.baselines("test"))
    finals = [final for one in group.models.values() for final in one]
    known = {name: row for name, row in table.items() if all(has_blind(final, name, score) for final in finals)}
    for rows in (known, table):
        try:
            return references.reference(score, rows)
        except (UserError, KeyError):
            continue
    return ""


def has_blind(final: FinalRecord, name: str, score: str) -> bool:
    return any(f"{name}_{score}" in row for row in final.per_image.values())


def blind_errors(group: SweepGroup, name: str, score: str) -> dict[str, float]:
    """The score of a blind predictor on each test image, from the first final that has it."""
    for finals in group.models.values():
        for final in finals:
            key = f"{name}_{score}"
            found = {image: row[key] for image, row in final.per_image.items() if key in row}
            if found:
                return found
    return {}


def track_of(score: str) -> Track:
    """Which track a score speaks in; one that no metric has here is of one answer."""
    one = known(score)
    return TRACKS[one.track] if one else ANSWER


def tuning_words(sweep: SweepRecord) -> str:
    """Which track the tuning score of a sweep serves, and why where that is not plain."""
    drawn = whole(mapping(sweep.config.get("evaluation")).get("final_samples")) or 1
    name, track = labels.metric(sweep.metric), track_of(sweep.metric)
    if drawn == 1 and of_one_map(sweep.metric):
        single = "its L1" if of_one_map(sweep.metric) == "l1" else "its distance from the truth"
        return f"was tuned by {name}, which of a single answer is {single}: it serves the track {ANSWER.words}"
    if track is ANSWER and drawn > 1 and references.of_one_answer(sweep.metric) != sweep.metric:
        return (
            f"was tuned by {name} of one of its samples, which punishes spread: it serves the track {ANSWER.words}, "
            f"and `metric={references.of_one_answer(sweep.metric)}` would serve it better"
        )
    return f"was tuned by {name}, which serves the track {track.words}"


@dataclass(frozen=True)
class BlindLine:
    """A blind predictor in a figure of tuning scores, and its score there."""

    name: str
    level: float

    @property
    def label(self) -> str:
        return f"{labels.predictor(self.name).lower()} (blind)"


def blind_line(score: str, drawn: int, table: Mapping[str, Scores]) -> BlindLine | None:
    """The line that belongs to `score` of `drawn` samples of an image, by the baselines of the same images in `table`.

    CRPS of one map is its L1, and is held against the same maps. None where the baselines are missing.
    """
    held = (of_one_map(score) if drawn == 1 else "") or undressed(score)
    try:
        name = references.reference(held, table)
        found = references.value(table[name], held if held == "l1" else undressed(score))
    except (UserError, KeyError):
        return None
    return BlindLine(name, float(found)) if isinstance(found, int | float) else None


def tuning_line(sweep: SweepRecord, group: SweepGroup) -> BlindLine | None:
    """The line that belongs to the tuning scores of a sweep."""
    drawn = whole(mapping(sweep.config.get("evaluation")).get("final_samples")) or 1
    return blind_line(sweep.metric, drawn, group.baselines("validation"))
