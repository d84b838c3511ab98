"""When to stop a trial early: the rules, without Ray."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from vmsbench.errors import ConfigurationError

Curve = Mapping[int, float]
"""Tuning scores by epoch; lower is better: the negatives of scores of which higher is."""


@dataclass(frozen=True)
class Halving:
    """Successive halving (ASHA, Li et al. 2020) over `epochs`, with rungs at grace_period, grace_period x
    reduction_factor, ... epochs.

    Raises ConfigurationError where nothing would be halved.
    """

    epochs: int
    grace_period: int
    reduction_factor: float

    def __post_init__(self) -> None:
        if self.reduction_factor <= 1:
            raise ConfigurationError(
                f"pruner.reduction_factor={self.reduction_factor:g}: above 1; 2 keeps every second trial"
            )


class Pruner(ABC):
    """A rule for early stopping. A stopped trial can never win.

    label   what people call it: ASHA; a class without one of its own is called by its name
    """

    label: ClassVar[str]

    @abstractmethod
    def halving(self, epochs: int) -> Halving | None:
        """The rungs of successive halving; None for none."""

    @abstractmethod
    def stop_reason(self, curve: Curve, incumbent: Curve, epochs: int, halved: bool) -> str | None:
        """Why a trial is stopped at the last score of its curve, as text; None where it continues.

        incumbent   the curve of the best configuration so far from the same seed and fold, which may be shorter
        epochs      of a full training
        halved      whether halving has it in the worse part at this epoch
        """


class NoPruner(Pruner):
    """Every trial is trained to its end."""

    label: ClassVar[str] = "no pruner"

    def halving(self, epochs: int) -> Halving | None:
        return None

    def stop_reason(self, curve: Curve, incumbent: Curve, epochs: int, halved: bool) -> str | None:
        return None


class AshaPruner(Pruner):
    """ASHA as published: it stops whatever is in the worse part at a rung.

    grace_period      the share of the epochs that every trial gets
    reduction_factor  the share of trials kept at each rung is 1 / reduction_factor
    """

    label: ClassVar[str] = "plain ASHA"

    def __init__(self, grace_period: float = 0.25, reduction_factor: float = 2.0) -> None:
        check_grace(grace_period)
        self.grace_period, self.reduction_factor = grace_period, reduction_factor

    def halving(self, epochs: int) -> Halving | None:
        grace_period = max(1, round(self.grace_period * epochs))
        return Halving(epochs, grace_period, self.reduction_factor) if grace_period < epochs else None

    def stop_reason(self, curve: Curve, incumbent: Curve, epochs: int, halved: bool) -> str | None:
        return f"ASHA at epoch {max(curve)}: {curve[max(curve)]:.4f}, in the worse part" if halved else None


class GuardedAshaPruner(AshaPruner):
    """ASHA, but it stops only what is also worse than the incumbent's curve.

    In a coordinate search nearly all options are close, and halving alone changes two winners in five where curves are
    slow but better. So a trial is stopped only where the median of its last three scores is worse than the
    incumbent's at the same epochs by `margin`, a share of the score; the incumbent itself never is.
    """

    label: ClassVar[str] = "ASHA"

    def __init__(self, grace_period: float = 0.25, reduction_factor: float = 2.0, margin: float = 0.02) -> None:
        super().__init__(grace_period, reduction_factor)
        check_margin(margin)
        self.margin = margin

    def stop_reason(self, curve: Curve, incumbent: Curve, epochs: int, halved: bool) -> str | None:
        recent = sorted(curve)[-3:]
        if not halved or any(epoch not in incumbent for epoch in recent):
            return None
        own, best = median(curve[epoch] for epoch in recent), median(incumbent[epoch] for epoch in recent)
        if own <= best + self.margin * abs(best):
            return None
        return f"ASHA at epoch {recent[-1]}: {own:.4f}, the incumbent had {best:.4f} there"


class IncumbentPruner(Pruner):
    """The incumbent rule: stop what could not catch up even if it improved `speed` times as much as the incumbent did.

    With c the trial's curve and i the incumbent's, both as running medians of three scores, a trial is stopped at an
    epoch e after `grace_period` where c[e] - speed max(i[e] - i[end], 0) > i[end] + margin |i[end]|: the remaining
    epochs lowered the incumbent by i[e] - i[end], and even `speed` times that is too little. Trials are compared with
    the incumbent alone, so their number does not matter.

    margin   a share of the score, one or two standard deviations over seeds
    """

    label: ClassVar[str] = "the incumbent rule"

    def __init__(self, grace_period: float = 0.25, speed: float = 2.0, margin: float = 0.02) -> None:
        check_grace(grace_period)
        check_margin(margin)
        if speed <= 0:
            raise ConfigurationError(f"pruner.speed={speed:g}: above 0; 2 allows for twice the incumbent's progress")
        self.grace_period, self.speed, self.margin = grace_period, speed, margin

    def halving(self, epochs: int) -> Halving | None:
        return None

    def stop_reason(self, curve: Curve, incumbent: Curve, epochs: int, halved: bool) -> str | None:
        epoch = max(curve)
        if (
            epoch < self.grace_period * epochs
            or epoch >= epochs
            or max(incumbent, default=0) < epochs
            or epoch not in incumbent
        ):
            return None
        own, then, end = smooth(curve, epoch), smooth(incumbent, epoch), smooth(incumbent, max(incumbent))
        if own - self.speed * max(then - end, 0.0) <= end + self.margin * abs(end):
            return None
        return (
            f"incumbent rule at epoch {epoch}: {own:.4f}, the incumbent had {then:.4f} there and {end:.4f} at its end"
        )


def smooth(curve: Curve, epoch: int) -> float:
    """The median of the last three scores up to an epoch."""
    return median(curve[at] for at in sorted(at for at in curve if at <= epoch)[-3:])


def check_grace(grace_period: float) -> None:
    if not 0 < grace_period <= 1:
        raise ConfigurationError(f"pruner.grace_period={grace_period:g} is a share of the epochs: above 0, up to 1")


def check_margin(margin: float) -> None:
    if margin < 0:
        raise ConfigurationError(f"pruner.margin={margin:g}: at least 0; 0.02 keeps what is within 2%")
