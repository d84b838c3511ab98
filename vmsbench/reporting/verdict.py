"""The verdict, by rule from the numbers.

A family is better than a constant map where its mean test L1 lies below the pixel median's by more than two standard
errors. The error is of the paired difference over the test images, with the spread over seeds added in square; where
no score per image is there it is of the seeds alone, and with one seed there is none and the sign decides.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

from vmsbench.reporting import labels
from vmsbench.reporting.collect import Group, Sweep
from vmsbench.reporting.samples import per_image


@dataclass(frozen=True)
class Difference:
    """A mean difference of L1 in [-1, 1], its standard error, and what that error is made of."""

    mean: float
    error: float | None
    basis: str

    @property
    def below(self) -> bool:
        """Whether the first is lower than the second beyond the uncertainty."""
        return self.mean < -2 * (self.error or 0.0)

    @property
    def text(self) -> str:
        around = "" if self.error is None else f" ± {2 * self.error:.4f}"
        return f"{signed(self.mean)}{around}"


def signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def difference(ours: "Side", theirs: "Side") -> Difference | None:
    """Ours minus theirs, by the rule above; None where either has no mean."""
    if ours.mean is None or theirs.mean is None:
        return None
    mean = ours.mean - theirs.mean
    seeds = sum(stdev(side.seeds) ** 2 / len(side.seeds) for side in (ours, theirs) if len(side.seeds) > 1)
    common = [name for name in ours.images if name in theirs.images]
    if len(common) > 1:
        apart = [ours.images[name] - theirs.images[name] for name in common]
        error = math.sqrt(stdev(apart) ** 2 / len(apart) + seeds)
        return Difference(mean, error, f"paired over {len(common)} test images")
    if seeds > 0:
        return Difference(mean, math.sqrt(seeds), "over seeds only")
    return Difference(mean, None, "without an estimate of its uncertainty")


@dataclass(frozen=True)
class Side:
    """What a comparison needs of a predictor: its mean L1 over seeds, each seed's, and each image's."""

    mean: float | None
    seeds: tuple[float, ...]
    images: Mapping[str, float]


def side(sweep: Sweep) -> Side:
    seeds = tuple(final.scores["l1"] for final in sweep.scored if "l1" in final.scores)
    return Side(fmean(seeds) if seeds else None, seeds, per_image(sweep))


@dataclass(frozen=True)
class Verdicts:
    """sentences: three for the top of the page; families: one each, {label: sentence}; best: lowest test L1."""

    sentences: tuple[str, ...]
    families: Mapping[str, str]
    against_blind: Mapping[str, Difference]
    best: Sweep | None


def judge(group: Group, blind_images: Mapping[str, float] | None) -> Verdicts:
    """Sentences about the group's test scores; `blind_images` is the pixel median's L1 per test image, where known."""
    blind = Side(group.baselines("test").get("pixel_median", {}).get("l1"), (), blind_images or {})
    sides = {group.label(sweep): side(sweep) for sweep in group.sweeps}
    ranked = sorted((s.mean, label) for label, s in sides.items() if s.mean is not None)
    against = {label: apart for _, label in ranked if (apart := difference(sides[label], blind))}
    families = {label: family_sentence(s, against.get(label), blind.mean) for label, s in sides.items()}
    if not ranked:
        nothing = "No winner has been scored on the test set yet: the tuning scores below choose, they do not report."
        return Verdicts((nothing,), families, against, None)
    best = ranked[0][1]
    return Verdicts(
        (
            first_sentence(group, ranked[0], blind.mean),
            constant_sentence(against),
            lead_sentence(group, ranked, sides),
        ),
        families,
        against,
        next(sweep for sweep in group.sweeps if group.label(sweep) == best),
    )


def both(value: float) -> str:
    return f"{value:.4f} in [−1, 1] ({value / 2:.4f} in [0, 1])"


def first_sentence(group: Group, best: tuple[float, str], blind: float | None) -> str:
    images = f"{group.data.test} test images" if group.data.test else "the test images"
    against = (
        f"; the pixel median, one constant map that never looks at an image, has {both(blind)}."
        if blind is not None
        else "; the blind baselines are missing, so nothing says whether that is good."
    )
    return f"On {images} of {group.data.title}, {best[1]} has the lowest L1, {both(best[0])}{against}"


def constant_sentence(against: Mapping[str, Difference]) -> str:
    if not against:
        return "Whether any model beats a constant map cannot be said without the pixel median's score."
    better = [label for label, apart in against.items() if apart.below]
    others = [label for label in against if label not in better]
    parts = []
    if better:
        parts.append(f"better than a constant map: {labels.listing(better)}")
    if others:
        parts.append(f"no better than a constant map: {labels.listing(others)}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def lead_sentence(group: Group, ranked: list[tuple[float, str]], sides: Mapping[str, Side]) -> str:
    if len(ranked) == 1:
        return f"{ranked[0][1]} is the only family with test scores, so there is nothing to rank it against."
    best, second = ranked[0][1], ranked[1][1]
    apart = difference(sides[best], sides[second])
    assert apart is not None
    told = f"{best} leads {second} by {abs(apart.mean):.4f}"
    if apart.error is None:
        text = f"{told}, {apart.basis}"
    else:
        relation = "beyond" if apart.below else "within"
        text = f"{told} ± {2 * apart.error:.4f} in [−1, 1] ({apart.basis}), {relation} the uncertainty"
    means = {
        group.label(sweep): [f.scores["crps"] for f in sweep.scored if "crps" in f.scores] for sweep in group.sweeps
    }
    crps = sorted((fmean(values), label) for label, values in means.items() if values)
    if len(crps) > 1:
        order = ", ".join(f"{label} {value:.4f}" for value, label in crps)
        text += f"; by CRPS, which is fair to models that sample, the order is {order}"
    return f"{text}."


def family_sentence(ours: Side, apart: Difference | None, blind: float | None) -> str:
    if ours.mean is None:
        return "no test score yet."
    seeds = f"{len(ours.seeds)} seed{'s' if len(ours.seeds) > 1 else ''}"
    text = f"test L1 {both(ours.mean)} over {seeds}"
    if apart is None or not blind:
        return f"{text}; not compared with a constant map, whose score is missing."
    word = "better than a constant map" if apart.below else "no better than a constant map"
    return f"{text}; {apart.text} against the pixel median ({apart.basis}): {word}."
