"""Verdicts in words, by the rules of vmsbench.metrics.significance, from what the finals left.

Models are ranked by L1 on the test images, each as one answer: a model that samples answers with the pixelwise
median of its samples, the best answer under L1. The blind reference is the pixel median, the best map under L1 that
ignores the image. As distributions (CRPS) models are not ranked: there the blind reference is climatology, and a
single answer has to be dressed with its errors first (vmsbench.metrics.dressing). Intervals are bootstrapped over
images crossed with seeds. Which configuration stands for a family was decided by tuning scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from vmsbench.metrics.catalog import metrics, scales
from vmsbench.metrics.significance import (
    Comparison,
    Interval,
    compare,
    mean_interval,
    skill,
    verdict,
)
from vmsbench.report import labels
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.records import SweepGroup

ONE_SAMPLE, ANSWER = "l1", "l1_median"
BLIND = f"pixel_median_{ONE_SAMPLE}"
MEANING = {
    "no skill": "no better than a constant map",
    "underfit": "hardly better than a constant map even on training images",
    "overfit": "much better on training images than on others",
    "ok": "better than a constant map, on new images too",
}
Errors = NDArray[np.float64]


def answer_key(final: FinalRecord) -> str:
    """The name of a final's L1 as one answer: that of its samples' median, or of its one sample."""
    return ANSWER if int(final.results.get("samples") or 1) > 1 else ONE_SAMPLE


def images_of(finals: Sequence[FinalRecord], keys: Sequence[str]) -> list[str]:
    """The images for which every final has every one of the scores."""
    first = finals[0].per_image if finals else {}
    return [n for n in first if all(key in final.per_image.get(n, {}) for final in finals for key in keys)]


def answered_images(finals: Sequence[FinalRecord], *others: str) -> list[str]:
    """The images for which every final has its L1 as one answer, and the other scores."""
    found = [images_of([final], [answer_key(final), *others]) for final in finals]
    return [name for name in (found[0] if found else ()) if all(name in one for one in map(set, found))]


def answers(finals: Sequence[FinalRecord], images: Sequence[str]) -> Errors:
    """The L1 of each seed's one answer and image, S x N."""
    return np.concatenate([matrix([final], answer_key(final), images) for final in finals])


def matrix(finals: Sequence[FinalRecord], key: str, images: Sequence[str]) -> Errors:
    """A score of each seed and image, S x N."""
    return np.array([[final.per_image[name][key] for name in images] for final in finals], dtype=np.float64)


@dataclass(frozen=True)
class FamilyScore:
    """Where a family stands: its mean L1 as one answer, and what the finals' scores per image say of it.

    train, validation   the mean L1 on images it learned from, and on the tuning validation images
    word                no skill, underfit, overfit or ok; empty where that cannot be judged
    """

    label: str
    seeds: int
    mean: float
    error: Interval | None
    skill: Interval | None
    train: float | None
    validation: float | None
    word: str


def stand(label: str, finals: Sequence[FinalRecord], blind_validation: float | None) -> FamilyScore | None:
    """None where no final has a score. `blind_validation`: the pixel median's L1 on the tuning validation images."""
    values = [final.scores[key] for final in finals if (key := answer_key(final)) in final.scores]
    if not values:
        return None
    images = answered_images(finals, BLIND)
    error = gained = None
    if len(images) > 1:
        errors, blind = answers(finals, images), matrix(finals[:1], BLIND, images)
        error = mean_interval(errors)
        gained = skill(errors, blind) if blind.mean() > 0 else None
    train, validation = (mean_of(finals, split) for split in ("learnt", "tuning"))
    known = train if blind_validation else None
    word = verdict(gained, blind_validation or 0.0, validation, known) if gained else ""
    return FamilyScore(label, len(values), fmean(values), error, gained, train, validation, word)


def mean_of(finals: Sequence[FinalRecord], split: str) -> float | None:
    pairs = ((getattr(final, split), answer_key(final)) for final in finals)
    values = [scores[key] for scores, key in pairs if key in scores]
    return fmean(values) if values else None


@dataclass(frozen=True)
class Verdicts:
    """What can be said of a group.

    sentences    for the top of the page
    standings    of the families that have test scores, the lowest L1 first
    comparisons  of each two families on the images that both were scored on, with Holm's correction
    bold         (label, score) where a family is better than every other by more than chance, and than a constant map
    """

    sentences: tuple[str, ...]
    families: Mapping[str, str]
    standings: Mapping[str, FamilyScore]
    comparisons: tuple[Comparison, ...]
    bold: frozenset[tuple[str, str]]


def judge(group: SweepGroup) -> Verdicts:
    blind = group.baselines("test").get("pixel_median", {}).get(ONE_SAMPLE)
    blind_validation = group.baselines("validation").get("pixel_median", {}).get(ONE_SAMPLE)
    untested = {group.label(s): None for s in group.sweeps if not s.scored}
    found = untested | {label: stand(label, finals, blind_validation) for label, finals in group.models.items()}
    families = {label: family_sentence(standing) for label, standing in found.items()}
    standings = dict(sorted(((k, s) for k, s in found.items() if s), key=lambda item: item[1].mean))
    if not standings:
        nothing = (
            "No final has been scored on the test set yet; the tuning scores below select "
            "configurations and are not results."
        )
        return Verdicts((nothing,), families, standings, (), frozenset())
    comparisons = compared({label: finals for label, finals in group.models.items() if label in standings})
    sentences = (
        first_sentence(group, next(iter(standings.values())), blind),
        skill_sentence(standings),
        lead_sentence(list(standings), comparisons),
    )
    return Verdicts(sentences, families, standings, comparisons, bold(group.models, standings))


def compared(finals: Mapping[str, Sequence[FinalRecord]]) -> tuple[Comparison, ...]:
    """Each two of the given, as one answer, on the images that all were scored on; none where there are none."""
    images = answered_images([final for one in finals.values() for final in one])
    if len(finals) < 2 or len(images) < 2:
        return ()
    return tuple(compare({label: answers(one, images) for label, one in finals.items()}))


def bold(
    models: Mapping[str, Sequence[FinalRecord]], standings: Mapping[str, FamilyScore]
) -> frozenset[tuple[str, str]]:
    """Where the best family is shown to be better than each other, over seeds; never for a family without skill."""
    finals = {label: one for label, one in models.items() if label in standings}
    marked = set()
    for key, metric in metrics().items():
        if metric.shown == "files" or not metric.per_image or metric.better == "neither":
            continue
        images = images_of([final for one in finals.values() for final in one], [key])
        if len(finals) < 2 or len(images) < 2:
            continue
        errors = {name: np.vectorize(metric.loss)(matrix(one, key, images)) for name, one in finals.items()}
        best = min(errors, key=lambda name: errors[name].mean())
        against = [one for one in compare(errors) if best in (one.first, one.second)]
        shown = all(one.shown and one.seeds > 1 for one in against)
        if shown and standings[best].word not in ("", "no skill"):
            marked |= {(best, name) for name in scales(key)}
    return frozenset(marked)


def both(value: float) -> str:
    return f"{value:.4f} in [−1, 1] ({value / 2:.4f} in [0, 1])"


def percent(interval: Interval) -> str:
    """4.1 % [1.2, 7.0]"""
    value, low, high = (f"{100 * part:.1f}".replace("-", "−") for part in (interval.value, interval.low, interval.high))
    return f"{value} % [{low}, {high}]"


def signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def first_sentence(group: SweepGroup, best: FamilyScore, blind: float | None) -> str:
    images = f"{group.data.test} test images" if group.data.test else "the test images"
    against = (
        f"; the pixel median, a constant map that ignores the image, has {both(blind)}."
        if blind is not None
        else "; the blind baselines are missing, so this cannot be put in relation."
    )
    where = f"on {images} of {group.data.title}"
    return f"Of the models, {best.label} has the lowest L1 as one answer {where}, {both(best.mean)}{against}"


def skill_sentence(standings: Mapping[str, FamilyScore]) -> str:
    judged = [standing for standing in standings.values() if standing.word]
    if not judged:
        return "Whether any model beats a constant map cannot be said without scores per image."
    better = [standing.label for standing in judged if standing.word != "no skill"]
    others = [standing.label for standing in judged if standing.word == "no skill"]
    parts = [f"better than a constant map: {labels.listing(better)}"] if better else []
    parts += [f"no better than a constant map: {labels.listing(others)}"] if others else []
    parts += [f"{word}: {labels.listing(s.label for s in judged if s.word == word)}"
              for word in ("underfit", "overfit") if any(s.word == word for s in judged)]  # fmt: skip
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def lead_sentence(ranked: Sequence[str], comparisons: Sequence[Comparison]) -> str:
    """What the paired tests say of the families."""
    if len(ranked) == 1:
        return f"{ranked[0]} is the only family with test scores, so there is nothing to rank it against."
    if not comparisons:
        return "The families cannot be compared image by image: their scores per image are missing."
    shown = [f"{one.better} is better than {other(one)}" for one in comparisons if one.shown]
    open_ = [f"between {one.first} and {one.second}" for one in comparisons if not one.shown]
    parts = [labels.listing(shown)] if shown else []
    parts += [f"no difference shown {', nor '.join(open_)}"] if open_ else []
    text = "; ".join(parts)
    if any(one.seeds == 1 for one in comparisons if one.shown):
        text += (
            " (of single trainings: the variation over seeds is not known; vmsbench final NAME --seeds 5 measures it)"
        )
    return f"{text[0].upper()}{text[1:]}."


def other(comparison: Comparison) -> str:
    return comparison.second if comparison.better == comparison.first else comparison.first


def family_sentence(standing: FamilyScore | None) -> str:
    if standing is None:
        return "no test score yet."
    seeds = f"{standing.seeds} seed{'s' if standing.seeds > 1 else ''}"
    around = f", 95 % interval [{standing.error.low:.4f}, {standing.error.high:.4f}]" if standing.error else ""
    text = f"test L1 as one answer {both(standing.mean)} over {seeds}{around}"
    if standing.skill is None or not standing.word:
        return f"{text}; not compared with a constant map: scores per image are missing."
    text = f"{standing.word}: {MEANING[standing.word]}; {text}, skill {percent(standing.skill)}"
    if standing.train is not None and standing.validation is not None:
        text += f"; L1 {standing.train:.4f} on training images, {standing.validation:.4f} on tuning validation images"
    return f"{text}."
