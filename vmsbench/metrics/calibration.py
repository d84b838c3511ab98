"""Whether the spread of a distribution is right: ranks, coverage, spread against error, and a verdict in words.

Everything rests on the rank of a true pixel among the K samples of it. Where truth and samples are draws of one law,
all K + 1 places are equally likely, so the rank, spread evenly over its place, is uniform in [0, 1]:

    u in [low, high] = [b / (K + 1), (b + t + 1) / (K + 1)],   b samples below the truth, t tied with it

A tie stands for all its places in equal parts, which is what breaking ties at random gives on average, without a draw.
The central interval of level p holds the truth to the part of [low, high] within [(1 - p) / 2, (1 + p) / 2]: over
exchangeable samples that is p exactly, for every K. For a step function F, low and high are F below and at the truth.

Red and green alone are ranked (or the one channel), for blue holds nothing but the ripple of the JPEG files. Pixels are
ranked in classes of 17 bytes, so that ripple is no rank either. Pixels where the truth and all samples fall in
one class are left out: they say nothing, and leaving them out favours no rank, for the rule treats all K + 1 alike.
Classes draw a wrong coverage a little nearer to its level where the spread is no wider than a class or two.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from vmsbench.errors import UserError
from vmsbench.metrics.significance import Interval, mean_interval, skill

LEVELS = (50, 90)  # per cent
CLASS = 17  # bytes; the first class, 0..16, is what counts as an empty map elsewhere
FEWEST = 20  # images, for a verdict
TOLERANCE = 0.02  # a coverage this near to its level is called calibrated, whatever the number of images
EQUAL = 1e-9  # a spread, in [-1, 1] squared, that rounding gives to samples that are equal
CHUNK = 64


def least_samples(level: int) -> int:
    """The fewest samples of an interval of `level` per cent: 2 for 50, 10 for 90.

    With fewer, a truth outside of all samples would count as inside by half or more, and the interval show nothing.
    """
    return level // (100 - level) + 1


def too_few(number: int) -> list[str]:
    """Which intervals `number` samples are too few for, in words."""
    return [
        f"{number} samples of each image are too few for a {level} % interval, which needs {least_samples(level)}: "
        "its coverage is left out"
        for level in LEVELS
        if number < least_samples(level)
    ]


def ranked(maps: Tensor) -> Tensor:
    """Of maps ... x M x H x W those channels that hold something: red and green, or the one there is."""
    return maps[..., :2, :, :] if maps.shape[-3] == 3 else maps


def classes(maps: Tensor) -> Tensor:
    """Maps in [0, 1], ... x M x H x W, as classes 0..15 of the channels that are ranked."""
    return (ranked(maps) * 255).round().to(torch.uint8) // CLASS


def ranks(samples: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Where the truth, B x ..., lies among samples B x K x ...: low and high, B x ... in [0, 1]; NaN where all tie."""
    number = samples.shape[1]
    below = (samples < truth[:, None]).sum(dim=1, dtype=torch.int16)  # which is much faster than torch's int64
    tied = (samples == truth[:, None]).sum(dim=1, dtype=torch.int16)
    low = torch.where(tied == number, torch.nan, below / (number + 1))
    return low, low + (tied + 1) / (number + 1)


def share_within(low: Tensor, high: Tensor, start: float, end: float) -> Tensor:
    """The part of each [low, high] that lies in [start, end]; 0 or 1 where it is a point; NaN where it is NaN."""
    width = high - low
    overlap = (high.clamp(max=end) - low.clamp(min=start)).clamp(min=0)
    point = ((low >= start) & (low <= end)).to(low.dtype)
    return torch.where(width > 0, overlap / width.clamp(min=1e-12), torch.where(low.isnan(), low, point))


def coverage(low: Tensor, high: Tensor, level: int) -> Tensor:
    """The share of each image's pixels that its central intervals hold: B; NaN where no pixel says anything."""
    tail = (100 - level) / 200
    return share_within(low, high, tail, 1 - tail).flatten(1).nanmean(dim=1)


def histogram(low: Tensor, high: Tensor, bins: int) -> Tensor:
    """The share of each image's pixels whose rank falls in each of `bins` equal parts of [0, 1]: B x bins, sums 1."""
    edges = [number / bins for number in range(bins + 1)]
    parts = [share_within(low, high, a, b).flatten(1).nanmean(dim=1) for a, b in itertools.pairwise(edges)]
    return torch.stack(parts, dim=1)


def rank_histogram(samples: Tensor, truth: Tensor) -> Tensor:
    """The rank of the truth among K samples, image by image: N x (K + 1), flat where the samples are right.

    samples     N x K x C x H x W in [0, 1], or bytes
    truth       N x M x H x W, likewise; of a file in colour red and green are ranked

    Rows sum to 1, and are NaN where an image is empty in its truth and in all its samples. Raises UserError for one
    sample an image, for K that differs between images, and where all samples of every image are equal.
    """
    if samples.ndim != 5 or samples.shape[1] < 2:
        raise UserError("a rank histogram needs 2 samples of each image at least: one answer has no ranks")
    if len(samples) != len(truth):
        raise UserError(f"predictions: {len(samples)} of them for {len(truth)} true maps")
    if bool((samples == samples[:, :1]).all()):
        raise UserError(collapsed(samples.shape[1]))
    parts = []
    for start in range(0, len(truth), CHUNK):
        chosen = slice(start, start + CHUNK)
        mine, true = classes(_in_unit(samples[chosen])), classes(_in_unit(truth[chosen]))
        parts.append(histogram(*ranks(mine, true[:, : mine.shape[2]]), samples.shape[1] + 1))
    return torch.cat(parts)


def collapsed(number: int | None = None) -> str:
    return f"all {number or ''} samples of an image are equal".replace("  ", " ") + ": one answer, not a distribution"


def _in_unit(maps: Tensor) -> Tensor:
    return maps.float() if maps.is_floating_point() else maps.float() / 255


@dataclass(frozen=True)
class Calibration:
    """How well the spread of one predictor fits its errors.

    coverage        {50: share of the pixels that central 50 % intervals hold, with its interval over images, 90: ...};
                    without a level that the samples are too few for
    spread_skill    spread over error of the mean, 1 where right; None where the mean makes no error
    verdict         "too sure: 50 % intervals hold 31 % of the pixels", "too wide: ...", "calibrated: ..."
    """

    coverage: Mapping[int, Interval]
    spread_skill: Interval | None
    verdict: str


def calibration(per_image: Mapping[str, ArrayLike]) -> Calibration:
    """The calibration of a predictor from its scores per image (N each, or seeds x N), as `Scores.per_image` has them.

    A coverage is off where its 95 % interval, over images, leaves out the level and the level is
    missed by more than 0.02; that of the 50 % intervals speaks first, for it has the most pixels on both sides. Fewer
    than 20 images with something in them have no verdict.

    Raises UserError where there is one sample of each image, or where all are equal.
    """
    if "spread" not in per_image:
        raise UserError("one answer for each image has no spread: dress it, or draw samples")
    spread = np.asarray(per_image["spread"], dtype=np.float64)
    if not (spread > EQUAL).any():
        raise UserError(collapsed())
    known = {level: _known(per_image.get(f"coverage_{level}")) for level in LEVELS}
    covered = {level: mean_interval(values) for level, values in known.items() if values.size}
    word = worded(covered, known[LEVELS[0]].shape[1])
    return Calibration(covered, _ratio(spread, per_image["mse_mean"]), word)


def record(per_image: Mapping[str, ArrayLike], ranks: Tensor) -> dict[str, Any]:
    """A predictor's calibration as results.json has it: coverage, ranks, images, spread_skill, verdict; or the reason
    why there is none.

    per_image   as for `calibration`
    ranks       the rank histogram of every image, N x bins
    """
    try:
        found = calibration(per_image)
    except UserError as error:
        return {"reason": str(error)}
    defined = ranks[~ranks.isnan().any(dim=1)]
    return {
        "coverage": {str(level): asdict(interval) for level, interval in found.coverage.items()},
        "ranks": defined.double().mean(dim=0).tolist() if len(defined) else [],
        "images": len(defined),
        "spread_skill": asdict(found.spread_skill) if found.spread_skill else None,
        "verdict": found.verdict,
    }


def _known(values: ArrayLike | None) -> np.ndarray:
    """Seeds x N without the images of which some seed knows nothing."""
    matrix = np.atleast_2d(np.asarray([] if values is None else values, dtype=np.float64))
    return matrix[:, ~np.isnan(matrix).any(axis=0)]


def _ratio(spread: ArrayLike, error: ArrayLike) -> Interval | None:
    if not np.asarray(error).any():
        return None
    lost = skill(spread, error)
    return Interval(*(math.sqrt(max(0.0, 1 - part)) for part in (lost.value, lost.high, lost.low)))


def worded(covered: Mapping[int, Interval], images: int) -> str:
    """The verdict on coverages, with their intervals over that many images, by the rule of `calibration`."""
    shares = [_holds(level, found) for level, found in covered.items()]
    if not shares:
        return "undefined: every image is empty, in its truth and its samples"
    if images < FEWEST:
        return f"undefined for so few images ({images}): {shares[0]}"
    for level, found in covered.items():
        if found.excludes(level / 100) and abs(found.value - level / 100) > TOLERANCE:
            return f"{'too sure' if found.value < level / 100 else 'too wide'}: {_holds(level, found)}"
    return f"calibrated: {shares[0]}"


def _holds(level: int, found: Interval) -> str:
    return f"{level} % intervals hold {100 * found.value:.0f} % of the pixels"
