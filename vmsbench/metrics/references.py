"""The references of a score: the best predictor that ignores the image under that score, and agreement between people.

Scores speak in two tracks that are never mixed in one ranking. As one answer (l1, mse, cc, sim, kld, ssim, and at
fixations nss, auc, ig): a sampler answers with the median of its samples under L1 and SSIM and else with their mean.
The references are the pixel median under L1, it or black under SSIM, the pixel mean under MSE, CC, SIM and KLD, the
centre bias or that mean at fixations. (The best constant map under CC is the mean of the standardised maps; on
VISCHEMA PLUS it has the pixel mean's CC within 0.002.) As a distribution (crps, energy): a single answer is dressed
first (`vmsbench.metrics.dressing`), and the reference is climatology. A sampler that draws random training maps has a
CRPS a quarter below the pixel median's: skill against that one would say nothing.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vmsbench.errors import UserError, did_you_mean
from vmsbench.metrics.catalog import known, metric, metrics, of_sample, sign, undressed
from vmsbench.metrics.scores import COARSE, measure, resize_by_area
from vmsbench.metrics.significance import Interval, difference_interval, skill

SPLITS = 20
Track = Literal["answer", "distribution"]
Row = Mapping[str, float | int | None]
Scored = NDArray[np.float64]

# Pearson's r between the maps of two halves of the people, on maps of 20 x 20, for VISCHEMA: Akagunduz, Bors and Evans,
# "Defining Image Memorability using the Visual Memory Schema", IEEE TPAMI 42(9), 2020 (arXiv 1903.02056).
VISCHEMA = "VISCHEMA PLUS"
PUBLISHED = {"combined": 0.70, "true": 0.67, "false": 0.44}
SOURCE = "Akagunduz, Bors and Evans 2020 (IEEE TPAMI 42(9), arXiv 1903.02056): split-half correlation at 20 x 20"


def track(name: str) -> Track:
    """The track of the score called `name`. Raises UserError for a score without a reference."""
    blind_references(name)
    return metric(name).track


def perfect(name: str) -> float:
    """The value of a perfect prediction: 0 for errors, 1 for cc and sim."""
    return metric(name).perfect


def of_one_answer(name: str) -> str:
    """The name of the same score of the one answer that samples give: l1 -> l1_median, cc_true -> cc_true_mean.

    Names of distributions' scores, and of one answer's already, are themselves.
    """
    one = known(name)
    if one is None or not one.answer or of_sample(name) != name:
        return name
    return f"{name.removesuffix('_unit')}_{one.answer}{'_unit' * name.endswith('_unit')}"


def value(scores: Mapping[str, object], name: str) -> object:
    """`scores[name]`; where there is one sample, and so no scores of a median or mean, the score of that sample.

    Raises KeyError where neither is there.
    """
    return scores[name if name in scores else of_sample(name)]


def reference(name: str, table: Mapping[str, Row]) -> str:
    """The blind predictor of `table` (predictor to scores) that is the reference for `name`: the best of those that
    ignore the image, or know no more of it than its category.

    Raises UserError where `table` has that score of neither, or the score no reference.
    """
    score, having = undressed(name), {}
    for one in blind_references(name):
        row = table.get(one, {})
        if isinstance(found := row.get(score, row.get(of_sample(score))), int | float):
            having[one] = metric(score).loss(float(found))
    if not having:
        raise UserError(
            f"{name} needs the reference {' or '.join(blind_references(name))}, and none with its {score} is among "
            f"{', '.join(table)}"
        )
    return min(having, key=having.__getitem__)


def blind_references(name: str) -> tuple[str, ...]:
    """The blind predictors that a score is held against. Raises UserError for a score without one."""
    one = known(name)
    if one is None or not one.references:
        having = [other for other, its in metrics().items() if its.references]
        raise UserError(f"{name} has no blind reference{did_you_mean(name, having)}; {', '.join(having)} have one")
    return one.references


def blind_columns(name: str) -> tuple[str, ...]:
    """The columns of scores.csv with the blind references of a score: l1_median -> pixel_median_l1, category_median_l1.

    Raises UserError for a score without a reference.
    """
    base = undressed(of_sample(name.removesuffix("_unit")))
    return tuple(f"{predictor}_{base}" for predictor in blind_references(name))


def skill_under(name: str, model: Mapping[str, ArrayLike], blind: Mapping[str, ArrayLike]) -> Interval | None:
    """(score - reference) / (perfect - reference): 1 is perfect, 0 is blind, with its 95 % interval.

    model, blind    scores per image (N each, or seeds x N) of the model and of the reference; images without a defined
                    score are left out for both

    None where the reference is perfect already, no image has the score, or nothing is perfect under it (NSS, the
    information gain). Raises as `skill`.
    """
    missed, blindly = (np.abs(perfect(name) - scores) for scores in _paired(name, model, blind))
    known = blindly.size and 0 < blindly.mean() < math.inf
    return skill(missed, blindly) if known else None


def gain_under(name: str, model: Mapping[str, ArrayLike], blind: Mapping[str, ArrayLike]) -> Interval | None:
    """By how much the score is better than the reference's, in its own unit, with its 95 % interval; above 0
    is better, also under errors. Arguments as of `skill_under`; None where no image has the score.
    """
    mine, theirs = (sign(name) * scores for scores in _paired(name, model, blind))
    return difference_interval(theirs, mine) if theirs.size else None


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


def _paired(name: str, model: Mapping[str, ArrayLike], blind: Mapping[str, ArrayLike]) -> tuple[Scored, Scored]:
    """The score of model and reference, seeds x N each, on the images for which both have it."""
    scores = value(model, name), value(blind, undressed(name))
    mine, theirs = (np.atleast_2d(np.asarray(one, dtype=np.float64)) for one in scores)
    defined = ~(np.isnan(mine).any(axis=0) | np.isnan(theirs).any(axis=0))
    return mine[:, defined], theirs[:, defined]
