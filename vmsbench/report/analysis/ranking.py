"""Where the families stand in each of the two tracks, by the rules of vmsbench.metrics.significance.

As one answer they are ranked by L1, as a distribution by CRPS, and no figure of one track is held against one of the
other. Skill is against the best predictor that ignores the image under that score. Intervals and tests are over images
and seeds. A difference is shown after Holm's correction, also the one from a blind reference, on which the word for a
model rests. Which configuration stands for a family was decided by tuning scores. The words are those of
`vmsbench.report.analysis.sentences`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vmsbench.metrics.catalog import Metric, metrics, scales
from vmsbench.metrics.significance import (
    Comparison,
    Interval,
    compare,
    compare_with_blind,
    mean_interval,
    skill,
)
from vmsbench.metrics.verdicts import NO_SKILL, verdict
from vmsbench.report.analysis.tracks import (
    ANSWER,
    DISTRIBUTION,
    Entry,
    Track,
    blind_errors,
    blind_predictor,
    entries,
    track_of,
)
from vmsbench.store.records import SweepGroup


@dataclass(frozen=True)
class EntryScore:
    """Where an entry stands in its track: its mean score, and what the finals' scores per image say of it.

    train, validation   the mean score on images it learned from, and on the tuning validation images
    word                no skill shown, underfit, overfit or ok; empty where that cannot be judged
    """

    entry: Entry
    seeds: int
    mean: float
    error: Interval | None
    skill: Interval | None
    train: float | None
    validation: float | None
    word: str


@dataclass(frozen=True)
class Ranking:
    """One track of a group.

    reference    the blind predictor that skill is against; empty where none is known
    standings    by label, the best score first
    comparisons  of each two entries on the images that all were scored on, with Holm's correction
    blind        of each entry with its blind references, likewise
    bold         (label, score) where an entry is better than every other by more than chance, and has skill
    """

    track: Track
    reference: str
    standings: Mapping[str, EntryScore]
    comparisons: tuple[Comparison, ...] = ()
    blind: tuple[Comparison, ...] = ()
    bold: frozenset[tuple[str, str]] = frozenset()

    def best(self, family: str) -> EntryScore | None:
        """The family's entry with the best score."""
        return next((one for one in self.standings.values() if one.entry.family == family), None)

    def between(self, first: str, second: str) -> Comparison | None:
        return next((one for one in self.comparisons if {one.first, one.second} == {first, second}), None)


@dataclass(frozen=True)
class Rankings:
    answer: Ranking
    distribution: Ranking

    @property
    def both(self) -> tuple[Ranking, Ranking]:
        return self.answer, self.distribution


def rank(group: SweepGroup) -> Rankings:
    return Rankings(rank_in(ANSWER, group), rank_in(DISTRIBUTION, group))


def rank_in(track: Track, group: SweepGroup) -> Ranking:
    there = dict(sorted(entries(track, group.models).items(), key=lambda item: mean_of(item[1], track.score)))
    reference = blind_predictor(track.score, group)
    errors = blind_errors(group, reference, track.score)
    level = group.baselines("validation").get(reference, {}).get(track.score)
    blind = compared_blindly(there, group, track)
    against = {one.first: one for one in blind if one.second == reference}
    standings = {label: stand(track, one, errors, level, against.get(label)) for label, one in there.items()}
    return Ranking(
        track,
        reference,
        standings,
        compared(there, track.score),
        blind,
        bold(track, there, standings, group.encoded),
    )


def mean_of(entry: Entry, score: str) -> float:
    """The entry's mean score; `entries` leaves out those without one."""
    mean, _ = entry.mean(score)
    assert mean is not None
    return mean


def stand(
    track: Track,
    entry: Entry,
    blind: Mapping[str, float],
    blind_validation: float | None,
    against: Comparison | None = None,
) -> EntryScore:
    """Where the entry stands.

    blind             the reference's score on each test image
    blind_validation  its mean on the tuning validation images
    against           the comparison with it, corrected for all such comparisons of the track
    """
    images = [name for name in entry.images(track.score) if name in blind]
    error = gained = None
    if len(images) > 1:
        errors, theirs = entry.per_image(track.score, images), np.array([blind[name] for name in images])
        error = mean_interval(errors)
        gained = skill(errors, theirs) if theirs.mean() > 0 else None
    train, validation = (entry.mean(track.score, split)[0] for split in ("training", "tuning"))
    known = train if blind_validation else None
    shown = against is None or against.shown
    word = verdict(gained, blind_validation or 0.0, validation, known, shown) if gained else ""
    seeds = sum(final.trainings for final in entry.finals if entry.score(track.score, final) is not None)
    return EntryScore(entry, seeds, mean_of(entry, track.score), error, gained, train, validation, word)


def shared_images(found: Sequence[Entry], score: str) -> list[str]:
    """The images for which all of these have the score, in the order of the first."""
    images = [one.images(score) for one in found]
    return [name for name in (images[0] if images else ()) if all(name in one for one in map(set, images))]


def compared(found: Mapping[str, Entry], score: str) -> tuple[Comparison, ...]:
    """Each two of the given on the images that all were scored on; none where there are none."""
    images = shared_images(list(found.values()), score)
    if len(found) < 2 or len(images) < 2:
        return ()
    errors = {label: entry.per_image(score, images) for label, entry in found.items()}
    return tuple(
        replace(one, seeds=min(found[one.first].trainings, found[one.second].trainings)) for one in compare(errors)
    )


def compared_blindly(found: Mapping[str, Entry], group: SweepGroup, track: Track) -> tuple[Comparison, ...]:
    """Each of the given with each blind reference of the track that has scores per image."""
    blind = {name: blind_errors(group, name, track.score) for name in track.references}
    blind = {name: errors for name, errors in blind.items() if errors}
    images = [name for name in shared_images(list(found.values()), track.score)
              if all(name in errors for errors in blind.values())]  # fmt: skip
    if not blind or len(images) < 2:
        return ()
    mine = {label: entry.per_image(track.score, images) for label, entry in found.items()}
    theirs = {name: np.array([errors[image] for image in images]) for name, errors in blind.items()}
    return tuple(compare_with_blind(mine, theirs))


def bold(
    track: Track, found: Mapping[str, Entry], standings: Mapping[str, EntryScore], encoded: Collection[str] = ()
) -> frozenset[tuple[str, str]]:
    """Where the best entry is shown to be better than each other, over seeds; never for one without skill.

    Those in `encoded`, which have seen other pictures through an encoder, and the others are ranked apart.
    """
    apart = [{name: one for name, one in found.items() if (one.family in encoded) is kind} for kind in (True, False)]
    return frozenset().union(*(bold_of(track, kind, standings) for kind in apart))


def bold_of(
    track: Track, found: Mapping[str, Entry], standings: Mapping[str, EntryScore]
) -> frozenset[tuple[str, str]]:
    marked = set()
    for key, one in metrics().items():
        best = shown_best(key, one, found) if track_of(key) is track else None
        if best and standings[best].word not in ("", NO_SKILL):
            marked |= {(best, name) for name in scales(key)}
    return frozenset(marked)


def shown_best(key: str, one: Metric, found: Mapping[str, Entry]) -> str | None:
    """The entry that is better under the metric than every other by more than chance and seeds."""
    images = shared_images(list(found.values()), key)
    if one.shown == "files" or not one.per_image or one.better == "neither" or len(found) < 2 or len(images) < 2:
        return None
    errors = {name: np.vectorize(one.loss)(entry.per_image(key, images)) for name, entry in found.items()}
    best = min(errors, key=lambda name: errors[name].mean())
    against = [one for one in compare(errors) if best in (one.first, one.second)]
    return best if all(one.shown and one.seeds > 1 for one in against) else None
