"""The calibration of finals, as `vmsbench.metrics.calibration` measured it: ranks, coverage, spread over error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from vmsbench.metrics.calibration import worded
from vmsbench.metrics.significance import Interval
from vmsbench.report.analysis.tracks import Kind
from vmsbench.store.experiments import FinalRecord
from vmsbench.store.values import mapping, number


@dataclass(frozen=True)
class MeasuredCalibration:
    """Of one entry: the means over its finals.

    ranks       the share of the pixels whose true value has each rank among the samples; flat where the spread is right
    coverage    {50: the share of the pixels that central 50 % intervals hold, ...}, with intervals over images
    verdict     on the mean coverage: "too sure: 50 % intervals hold 31 % of the pixels"
    reason      why there is nothing to draw; empty where there is
    """

    ranks: tuple[float, ...] = ()
    coverage: Mapping[int, Interval] = field(default_factory=dict)
    spread_skill: Interval | None = None
    verdict: str = ""
    reason: str = ""


def measured(finals: Sequence[FinalRecord], kind: Kind) -> MeasuredCalibration | None:
    """What the finals left about their samples, or about their dressed answer; None where they left nothing."""
    found = [one for final in finals if (one := mapping(final.calibration.get(kind)))]
    drawn = [one for one in found if one.get("verdict")]
    if not drawn:
        return MeasuredCalibration(reason=str(found[0].get("reason") or "")) if found else None
    covered = [mapping(one.get("coverage")) for one in drawn]
    coverage = {int(at): mean for at in covered[0] if (mean := mean_of([one.get(at) for one in covered]))}
    return MeasuredCalibration(
        ranks=mean_ranks(drawn),
        coverage=coverage,
        spread_skill=mean_of([one.get("spread_skill") for one in drawn]),
        verdict=worded(coverage, min(int(number(one.get("images")) or 0) for one in drawn)),
    )


def mean_ranks(found: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """Of the finals that have as many ranks as the first."""
    ranks = [[number(share) or 0.0 for share in one.get("ranks") or ()] for one in found]
    alike = [one for one in ranks if len(one) == len(ranks[0])]
    return tuple(fmean(shares) for shares in zip(*alike, strict=True))


def mean_of(found: Sequence[Any]) -> Interval | None:
    """The mean of the intervals, end by end; None where there is none."""
    ends = [[number(mapping(one).get(end)) for end in ("value", "low", "high")] for one in found]
    known = [[end for end in one if end is not None] for one in ends if None not in one]
    return Interval(*(fmean(values) for values in zip(*known, strict=True))) if known else None
