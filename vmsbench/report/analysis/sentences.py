"""Verdicts in words, by rule from the rankings: what a reader may take away, track by track.

No sentence holds a figure of one track against one of the other. A family that leads in one track and is not
shown to be better than a blind predictor in the other is described so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmsbench.metrics.significance import Comparison, Interval
from vmsbench.metrics.verdicts import NO_SKILL
from vmsbench.report import labels
from vmsbench.report.analysis.calibration import measured
from vmsbench.report.analysis.ranking import EntryScore, Ranking, Rankings
from vmsbench.report.analysis.tracks import ANSWER, tuning_words
from vmsbench.store.records import SweepGroup

BLIND = {
    "pixel_median": "a constant map",
    "category_median": "the constant map of the category",
    "climatology": "climatology",
    "category_climatology": "climatology of the category",
}
"""What a blind reference is called in a verdict."""

ABOUT = {
    "pixel_median": "the pixel median, a constant map that ignores the image,",
    "category_median": "the category median, which knows the kind of scene and ignores the image,",
    "climatology": "climatology, which draws training maps and never looks at the image,",
    "category_climatology": "the category's climatology, which draws training maps of the kind of scene and never "
    "looks "
    "at the image,",
}


MOST = 5
"""So many names a sentence lists; of more it has the first three, and how many others there are."""

FEW = 4
"""Of so many families a sentence compares every pair; of more, the best with the others."""


@dataclass(frozen=True)
class Verdicts:
    """What can be said of a group, for the top of the page.

    sentences   by the title of the track
    families    of each family in both tracks
    tuned       which track the tuning score of each sweep serves
    """

    sentences: Mapping[str, tuple[str, ...]]
    families: Mapping[str, str]
    tuned: tuple[str, ...]


def judge(group: SweepGroup, rankings: Rankings) -> Verdicts:
    sentences = {one.track.title: track_sentences(group, one) for one in rankings.both}
    families = {label: family_sentence(label, rankings) for label in group.models}
    untested = {group.label(sweep): "no test score yet." for sweep in group.sweeps if not sweep.scored}
    return Verdicts(sentences, families | untested, tuned_sentences(group))


def tuned_sentences(group: SweepGroup) -> tuple[str, ...]:
    """Which track the tuning scores serve: a sentence for the sweeps of which the same is to be said."""
    alike: dict[str, list[str]] = {}
    for sweep in group.sweeps:
        alike.setdefault(tuning_words(sweep), []).append(group.label(sweep))
    return tuple(
        f"{labels.listing(names)} {words if len(names) == 1 else of_several(words)}." for words, names in alike.items()
    )


def of_several(words: str) -> str:
    return (
        words.replace("was tuned", "were tuned")
        .replace("of its samples", "of their samples")
        .replace(": it serves", ": they serve")
    )


def track_sentences(group: SweepGroup, ranking: Ranking) -> tuple[str, ...]:
    if not ranking.standings:
        return (nothing_yet(group, ranking),)
    said = (
        first_sentence(group, ranking),
        apart_sentence(group, ranking),
        skill_sentence(ranking),
        lead_sentence(group, ranking),
        *own_sentences(ranking),
        *([seeds_sentence(group, ranking)] if ranking.track is ANSWER else []),
    )
    return tuple(sentence for sentence in said if sentence)


def nothing_yet(group: SweepGroup, ranking: Ranking) -> str:
    if group.models and ranking.track is not ANSWER:
        return (
            "No model is a distribution here: each gave a single answer, and none has been dressed with the errors "
            "that "
            "it made on the tuning validation pairs."
        )
    return (
        "No final has been scored on the test set yet; the tuning scores below select configurations and are not "
        "results."
    )


def first_sentence(group: SweepGroup, ranking: Ranking) -> str:
    images = f"{group.data.test} test images" if group.data.test else "the test images"
    best = next(iter(ranking.standings.values()))
    name = labels.metric(ranking.track.score)
    blind = group.baselines("test").get(ranking.reference, {}).get(ranking.track.score)
    against = (
        f"; {ABOUT[ranking.reference]} has {both(blind)}."
        if blind is not None
        else f"; {labels.listing(labels.predictor(one).lower() for one in ranking.track.references)} are missing, so "
        "this cannot be put in relation."
    )
    where = f"on {images} of {group.data.title}"
    title, level = ranking.track.title, both(best.mean)
    if len({one.entry.family for one in ranking.standings.values()}) == 1:
        return f"{title}, the {name} of {called(best)} {where} is {level}{against}"
    return f"{title}, {called(best)} has the lowest {name} of the models {where}, {level}{against}"


def apart_sentence(group: SweepGroup, ranking: Ranking) -> str:
    """The best of the models that have seen these pictures alone, where others have seen more."""
    alone = [one for one in ranking.standings.values() if one.entry.family not in group.encoded]
    families = {one.entry.family: None for one in ranking.standings.values()}
    seen = [family for family in families if family in group.encoded]
    if not seen:
        return ""
    more = f"{joined(seen)} {'has' if len(seen) == 1 else 'have'} seen other pictures too, through an encoder"
    if not alone:
        return capital(more) + "."
    name = labels.metric(ranking.track.score)
    return capital(f"{more}; of the other models {called(alone[0])} has the lowest {name}, {both(alone[0].mean)}.")


def called(standing: EntryScore) -> str:
    """The entry in a sentence: UNet; UNet's answer, dressed; the ensemble of UNet."""
    family = inside(standing.entry.family)
    if standing.entry.kind != "dressed":
        return inside(standing.entry.label)
    return f"the answer of {family}, dressed," if family.startswith(ENSEMBLE) else f"{family}'s answer, dressed,"


def skill_sentence(ranking: Ranking) -> str:
    judged = [standing for standing in ranking.standings.values() if standing.word]
    if not judged:
        return f"Whether any model beats {blind_words(ranking)} cannot be said without scores per image."
    better = [standing.entry.label for standing in judged if standing.word != NO_SKILL]
    others = [standing.entry.label for standing in judged if standing.word == NO_SKILL]
    parts = [f"better than {blind_words(ranking)}: {joined(better)}"] if better else []
    parts += [f"not shown to be better than {blind_words(ranking)}: {joined(others)}"] if others else []
    parts += [f"{word}: {joined([s.entry.label for s in judged if s.word == word])}"
              for word in ("underfit", "overfit") if any(s.word == word for s in judged)]  # fmt: skip
    return capital("; ".join(parts)) + "."


def blind_words(ranking: Ranking) -> str:
    return BLIND.get(ranking.reference, "what never looks at the image")


def joined(names: Sequence[str]) -> str:
    """a, b and c; of more than MOST names a, b, c and how many others."""
    told = [inside(name) for name in names]
    return labels.listing(told if len(told) <= MOST else [*told[:3], f"{len(told) - 3} others"])


ENSEMBLE = "the ensemble of "


def inside(name: str) -> str:
    """A name without commas, for the middle of a sentence: UNet (dressed), the ensemble of UNet."""
    bare = name.removesuffix(", dressed")
    family = bare.removesuffix(", ensemble")
    return (ENSEMBLE if family != bare else "") + family + (" (dressed)" if bare != name else "")


def lead_sentence(group: SweepGroup, ranking: Ranking) -> str:
    """What the paired tests say of the entries of different families."""
    families = {one.entry.family for one in ranking.standings.values()}
    if len(families) == 1:
        what = "with test scores" if ranking.track is ANSWER else "that is a distribution here"
        return f"{next(iter(families))} is the only family {what}, so there is nothing to rank it against."
    if not ranking.comparisons:
        return "The families cannot be compared image by image: their scores per image are missing."
    family = {label: one.entry.family for label, one in ranking.standings.items()}
    across = [one for one in ranking.comparisons if family[one.first] != family[one.second]]
    if len(families) > FEW:
        return lead_of_many(next(iter(ranking.standings)), across)
    shown = [one for one in across if one.shown]
    beaten = {one.better: [other(two) for two in shown if two.better == one.better] for one in shown}
    parts = [f"{joined([better])} is better than {joined(worse)}" for better, worse in beaten.items()]
    open_ = [f"between {joined([one.first])} and {joined([one.second])}" for one in across if not one.shown]
    parts += [f"no difference shown {', nor '.join(open_)}"] if open_ else []
    text = capital("; ".join(parts))
    if any(one.seeds == 1 for one in shown):
        text += (
            " (of single trainings: the variation over seeds is not known; `vmsbench final NAME --seeds 5"
            f"{group.place}` measures it)"
        )
    return f"{text}."


def lead_of_many(best: str, across: Sequence[Comparison]) -> str:
    """What the paired tests say of the best entry, where all pairs are too many for a sentence."""
    own = [one for one in across if best in (one.first, one.second)]
    behind = [two for one in own if one.shown for two in (one.first, one.second) if two != best]
    level = [two for one in own if not one.shown for two in (one.first, one.second) if two != best]
    parts = [f"{inside(best)} is better than {joined(behind)}"] if behind else []
    parts += [f"no difference is shown between {inside(best)} and {joined(level)}"] if level else []
    return capital("; ".join([*parts, "the table of differences has all pairs"])) + "."


def own_sentences(ranking: Ranking) -> list[str]:
    """Whether a sampler's spread says more about an image than its own answer dressed does."""
    better: list[str] = []
    worse: list[str] = []
    level: list[str] = []
    for label, standing in ranking.standings.items():
        comparison = ranking.between(label, f"{label}, dressed")
        if standing.entry.kind == "samples" and comparison is not None:
            (level if not comparison.shown else better if comparison.better == label else worse).append(label)
    said = {
        "{} are better than {} own one answer{}, dressed: their spread says something about each image": better,
        "{} are worse than {} own one answer{}, dressed: their spread says less than the errors {they} on other "
        "images": worse,
        "no difference is shown between {} and {} own one answer{}, dressed": level,
    }
    return [capital(about_samples(words, names)) + "." for words, names in said.items() if names]


def about_samples(words: str, names: Sequence[str]) -> str:
    if len(names) == 1 and not inside(names[0]).startswith(ENSEMBLE):
        return words.format(f"{names[0]}'s samples", "its", "", they="it makes")
    one = len(names) == 1
    whose, they = ("its", "it makes") if one else ("their", "they make")
    return words.format(f"the samples of {joined(names)}", whose, "" if one else "s", they=they)


def seeds_sentence(group: SweepGroup, ranking: Ranking) -> str:
    """What two trainings of a family are worth, where there are no more."""
    few = dict.fromkeys(one.entry.family for one in ranking.standings.values() if one.seeds == 2)
    if not few:
        return ""
    more = next((sweep for sweep in group.sweeps if group.label(sweep) in few), group.all[0])
    return (
        f"Only two seeds each of {joined(list(few))}: intervals and tests allow for that, so they are wide where the "
        "two differ; where two came out alike by chance they are too sure (a nominal 95 % interval then holds the "
        f"truth 87 times in 100 at worst). `{more.on('final', '--seeds 5')}` trains more."
    )


def family_sentence(label: str, rankings: Rankings) -> str:
    """A family in both tracks, each on its own; where they disagree, that first."""
    parts = [contrast(label, rankings), entry_sentence(rankings.answer, rankings.answer.best(label))]
    laws = [one for one in rankings.distribution.standings.values() if one.entry.family == label]
    parts += [
        entry_sentence(rankings.distribution, one) for one in sorted(laws, key=lambda s: s.entry.kind != "samples")
    ]
    if not laws:
        parts.append(unknown_law(label, rankings))
    return " ".join(part for part in parts if part)


def unknown_law(label: str, rankings: Rankings) -> str:
    standing = rankings.answer.best(label)
    if standing is None:
        return "No test score yet."
    return "As a distribution: not judged, for its one answer has not been dressed."


def contrast(label: str, rankings: Rankings) -> str:
    """Where a family leads in one track and is not shown to be better than blind in the other."""
    for leading, lacking in (rankings.both, rankings.both[::-1]):
        first, there = next(iter(leading.standings.values()), None), lacking.best(label)
        families = {one.entry.family for one in leading.standings.values()}
        leads = first is not None and first.entry.family == label and len(families) > 1 and first.word != NO_SKILL
        if leads and there is not None and there.word == NO_SKILL:
            blind = blind_words(lacking)
            return f"Best {leading.track.words}, and not shown to be better than {blind} {lacking.track.words}."
    return ""


def entry_sentence(ranking: Ranking, standing: EntryScore | None) -> str:
    if standing is None:
        return ""
    entry, name = standing.entry, labels.metric(ranking.track.score)
    who = {"answer": "", "samples": f", by its {entry.samples} samples", "dressed": ", by its answer dressed"}[
        entry.kind
    ]
    seeds = f"{standing.seeds} seed{'s' if standing.seeds > 1 else ''}"
    around = f", 95 % interval [{standing.error.low:.4f}, {standing.error.high:.4f}]" if standing.error else ""
    text = f"test {name} {both(standing.mean)} over {seeds}{around}"
    head = f"{ranking.track.title}{who}"
    if standing.skill is None or not standing.word:
        return f"{head}: {text}; not compared with {blind_words(ranking)}: scores per image are missing."
    text = f"{head}, {standing.word}: {meaning(ranking, standing.word)}; {text}, skill {percent(standing.skill)}"
    if standing.word == NO_SKILL and standing.skill.low > 0:
        text += f" by itself, not shown after Holm's correction for {len(ranking.blind)} comparisons"
    if standing.train is not None and standing.validation is not None:
        text += (
            f"; {name} {standing.train:.4f} on training images, {standing.validation:.4f} on tuning validation images"
        )
    return f"{text}{spread_words(standing)}."


def meaning(ranking: Ranking, word: str) -> str:
    blind = blind_words(ranking)
    return {
        NO_SKILL: f"not shown to be better than {blind}",
        "underfit": f"hardly better than {blind} even on training images",
        "overfit": "much better on training images than on others",
        "ok": f"better than {blind}, on new images too",
    }[word]


def spread_words(standing: EntryScore) -> str:
    """The verdict on the calibration of what is judged."""
    found = None if standing.entry.kind == "answer" else measured(standing.entry.finals, standing.entry.kind)
    return f"; {found.verdict}" if found and found.verdict else ""


def both(value: float) -> str:
    return f"{value:.4f} in [−1, 1] ({value / 2:.4f} in [0, 1])"


def percent(interval: Interval) -> str:
    """4.1 % [1.2, 7.0]"""
    value, low, high = (f"{100 * part:.1f}".replace("-", "−") for part in (interval.value, interval.low, interval.high))
    return f"{value} % [{low}, {high}]"


def signed(value: float, digits: int = 4) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def other(comparison: Comparison) -> str:
    return comparison.second if comparison.better == comparison.first else comparison.first
