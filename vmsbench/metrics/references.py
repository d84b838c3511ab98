"""The references of a score: the best predictor that ignores the image under that score, and agreement between people.

Scores speak in two tracks that are never mixed in one ranking. As one answer (l1, mse, cc, sim, kld, ssim): a sampler
answers with the median of its samples under L1 and else with their mean, and the references are the pixel median and
the pixel mean. As a distribution (crps, energy): a single answer is dressed first (`vmsbench.metrics.dressing`), and
the reference is climatology. A sampler that draws random training maps has a CRPS a quarter below the pixel median's:
skill against that one would say nothing.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from vmsbench.errors import UserError, did_you_mean
from vmsbench.metrics.catalog import BEST_ANSWER, metric, sign
from vmsbench.metrics.scores import COARSE, measure, resize_by_area
from vmsbench.metrics.significance import RESAMPLES, Interval, skill

SPLITS = 20
Track = Literal["answer", "distribution"]
Row = Mapping[str, float | int | None]

MEAN, LAW = ("pixel_mean", "category_mean"), ("climatology", "category_climatology")
BLIND = {"l1": ("pixel_median", "category_median"), "mse": MEAN, "cc": MEAN, "sim": MEAN, "kld": MEAN, "ssim": MEAN}
BLIND |= {"crps": LAW, "energy": LAW}

# Pearson's r between the maps of two halves of the people, on maps of 20 x 20, for VISCHEMA: Akagunduz, Bors and Evans,
# "Defining Image Memorability using the Visual Memory Schema", IEEE TPAMI 42(9), 2020 (arXiv 1903.02056).
VISCHEMA = "VISCHEMA PLUS"
PUBLISHED = {"combined": 0.70, "true": 0.67, "false": 0.44}
SOURCE = "Akagunduz, Bors and Evans 2020 (IEEE TPAMI 42(9), arXiv 1903.02056): split-half correlation at 20 x 20"


def track(name: str) -> Track:
    """The track of the score called `name`. Raises UserError for a score without a reference."""
    return "distribution" if _blind(name) is LAW else "answer"


def served(name: str, samples: int) -> str:
    """Which track a tuning metric serves for a model of so many samples, as a line: CRPS of one map is its L1."""
    if _family(name) not in BLIND:
        return f"tuned by {name}, a metric of a plugin: neither as one answer nor as a distribution"
    best = "the lowest" if sign(name) > 0 else "the highest"
    alone = samples == 1 and not name.startswith("crps_dressed")
    words = "as one answer" if track(name) == "answer" or alone else "as a distribution"
    return f"tuned {words}: {best} {name} on the tuning validation pairs wins"


def perfect(name: str) -> float:
    """The value of a perfect prediction: 0 for errors, 1 for cc and sim."""
    return metric(name).perfect


def of_one_answer(name: str) -> str:
    """The name of the same score of the one answer that samples give: l1 -> l1_median, cc_true -> cc_true_mean.

    Names of distributions' scores, and of one answer's already, are themselves.
    """
    family, unit = _family(name), "_unit" * name.endswith("_unit")
    base, answer = name.removesuffix("_unit"), BEST_ANSWER.get(_family(name), "")
    return name if not answer or base.endswith(("_median", "_mean")) else f"{base}{BEST_ANSWER[family]}{unit}"


def value(scores: Mapping[str, object], name: str) -> object:
    """`scores[name]`; where there is one sample, and so no scores of a median or mean, the score of that sample.

    Raises KeyError where neither is there.
    """
    single = name.replace("_median", "").replace("_mean", "")
    return scores[name if name in scores else single]


def reference(name: str, table: Mapping[str, Row]) -> str:
    """The blind predictor of `table` (predictor to scores) that is the reference for `name`: the better of the one that
    ignores the image and the one that knows its category, where there is one.

    Raises UserError where `table` has neither, or the score no reference.
    """
    there = [one for one in _blind(name) if one in table]
    if not there:
        raise UserError(
            f"{name} needs the reference {' or '.join(_blind(name))}, and neither is among {', '.join(table)}"
        )
    return min(there, key=lambda one: abs(perfect(name) - _number(table[one], _undressed(name))))


def blind_columns(name: str) -> tuple[str, ...]:
    """The columns of scores.csv with the blind references of a score: l1_median -> pixel_median_l1, category_median_l1.

    Raises UserError for a score without a reference.
    """
    base = name.removesuffix("_unit")
    for ending in ("_dressed", *BEST_ANSWER.values()):
        base = base.removesuffix(ending)
    return tuple(f"{predictor}_{base}" for predictor in _blind(name))


def skill_under(
    name: str, model: Mapping[str, ArrayLike], blind: Mapping[str, ArrayLike], resamples: int = RESAMPLES, seed: int = 0
) -> Interval | None:
    """(score - reference) / (perfect - reference): 1 is perfect, 0 is blind, with its 95 % bootstrap interval.

    model, blind    scores per image (N each, or seeds x N) of the model and of the reference; images without a defined
                    score are left out for both

    None where the reference is perfect already, or no image has the score. Raises as `skill`.
    """
    scores = value(model, name), value(blind, _undressed(name))
    mine, theirs = (np.atleast_2d(np.asarray(one, dtype=np.float64)) for one in scores)
    defined = ~(np.isnan(mine).any(axis=0) | np.isnan(theirs).any(axis=0))
    missed, blindly = (np.abs(perfect(name) - errors[:, defined]) for errors in (mine, theirs))
    return skill(missed, blindly, resamples, seed) if blindly.size and blindly.mean() > 0 else None


def split_half(first: Tensor, second: Tensor) -> dict[str, float | None]:
    """How well two halves of the people agree: Pearson's r at 20 x 20, averaged over the images to which both halves
    gave a shape; true, false and combined, or combined alone for grey maps. None where there is no such image.

    first, second   the halves' maps, float in [0, 1], N x M x S x S
    """
    halves = [resize_by_area(half, COARSE) for half in (first, second)]
    turns = [measure(a, b, light=True) for a, b in (halves, halves[::-1])]
    found: dict[str, float | None] = {}
    for which in ("true", "false", "combined") if first.shape[1] == 3 else ("combined",):
        r, other = (turn[f"cc_{which}"] for turn in turns)
        both = r[~(r.isnan() | other.isnan())]
        found[which] = both.mean().item() if len(both) else None
    return found


def agreement(maps: Tensor, splits: int = SPLITS, seed: int = 0) -> dict[str, float | None]:
    """The split-half correlations of several annotators' maps, bytes R x N x M x S x S, as `split_half` has them.

    Two are the halves themselves. More are drawn into two halves of one size, `splits` times, and r is the mean.
    """
    draws, half = np.random.default_rng(seed), len(maps) // 2
    orders = [draws.permutation(len(maps)) for _ in range(1 if len(maps) == 2 else splits)]
    found = [
        split_half(*((maps[order[part]].float() / 255).mean(dim=0) for part in (slice(0, half), slice(half, 2 * half))))
        for order in orders
    ]
    known = {which: [r for one in found if (r := one[which]) is not None] for which in found[0]}
    return {which: float(np.mean(rs)) if rs else None for which, rs in known.items()}


def ceiling(r: float) -> float:
    """The correlation with the whole group's map that a perfect predictor would have: sqrt(2 r / (1 + r)).

    By Spearman (1910) and Brown (1910) the whole group's map has reliability 2 r / (1 + r), where r is the split-half
    correlation; nothing correlates with it better than the root of that. Assumes halves of one size and
    independent errors. Raises UserError unless 0 <= r <= 1.
    """
    if not 0 <= r <= 1:
        raise UserError(f"a split-half correlation of {r:.3g} has no ceiling: it must lie in 0..1")
    return math.sqrt(2 * r / (1 + r))


def people(title: str, maps: Tensor | None) -> dict[str, Any]:
    """What people reach on the test images: {split_half, ceiling: {combined, true, false: r}, published, source}.

    Measured by several annotators' maps (as in `agreement`) where there are some; for VISCHEMA PLUS, whose release has
    none, as published; empty for other data.
    """
    if maps is None and not title.startswith(VISCHEMA):
        return {}
    halves: Mapping[str, float | None] = PUBLISHED if maps is None else agreement(maps)
    most = {which: None if r is None else ceiling(max(r, 0.0)) for which, r in halves.items()}
    source = SOURCE if maps is None else f"{len(maps)} maps of each test image, at 20 x 20"
    return {"split_half": dict(halves), "ceiling": most, "published": maps is None, "source": source}


def _undressed(name: str) -> str:
    """The score of a law that a dressed answer's is held against: crps_dressed -> crps."""
    return name.replace("_dressed", "")


def _family(name: str) -> str:
    return name.partition("_")[0]


def _blind(name: str) -> tuple[str, ...]:
    found = BLIND.get(_family(name))
    if found is None:
        raise UserError(f"{name} has no blind reference{did_you_mean(name, BLIND)}; {', '.join(BLIND)} have one")
    return found


def _number(row: Row, name: str) -> float:
    found = value(row, name)
    return float(found) if isinstance(found, int | float) else math.inf
