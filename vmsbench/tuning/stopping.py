"""When to stop a trial early: the rules, without the machinery that applies them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from vmsbench.errors import ConfigurationError

Curve = Mapping[int, float]
"""A score for each epoch at which one was taken; lower is better."""


@dataclass(frozen=True)
class Halving:
    """Successive halving (ASHA, Li et al. 2020) over `epochs`: looks at grace, grace x reduction, ... epochs.

    Raises ConfigurationError where nothing would be halved.
    """

    epochs: int
    grace: int
    reduction: float

    def __post_init__(self) -> None:
        if self.reduction <= 1:
            raise ConfigurationError(f"scheduler.reduction={self.reduction:g}: above 1; 2 keeps every second trial")


class Stopping(ABC):
    """A rule for early stopping. A stopped trial can never win."""

    @abstractmethod
    def halving(self, epochs: int) -> Halving | None:
        """How trials are halved; None for never."""

    @abstractmethod
    def spares(self, curve: Curve, incumbent: Curve) -> bool:
        """Whether a trial that halving would stop goes on, seen against the incumbent's curve, which may be shorter."""


class Never(Stopping):
    """Every trial is trained to its end."""

    def halving(self, epochs: int) -> Halving | None:
        return None

    def spares(self, curve: Curve, incumbent: Curve) -> bool:
        return True


class Asha(Stopping):
    """ASHA, but it stops only what is also worse than the incumbent's curve.

    In a coordinate search nearly all options are close, and halving alone changes two winners in five where curves are
    slow but better. So a trial is stopped only where its median score of the last three looks is worse than the
    incumbent's at the same epochs by `margin`, a share of the score; the incumbent itself never is.

    grace      the share of the epochs that every trial gets
    reduction  the share of trials kept at each look is 1 / reduction
    """

    def __init__(self, grace: float = 0.25, reduction: float = 2.0, margin: float = 0.02) -> None:
        if not 0 < grace <= 1:
            raise ConfigurationError(f"scheduler.grace={grace:g} is a share of the epochs: above 0, up to 1")
        if margin < 0:
            raise ConfigurationError(f"scheduler.margin={margin:g}: at least 0; 0.02 spares what is within 2%")
        self.grace, self.reduction, self.margin = grace, reduction, margin

    def halving(self, epochs: int) -> Halving | None:
        grace = max(1, round(self.grace * epochs))
        return Halving(epochs, grace, self.reduction) if grace < epochs else None

    def spares(self, curve: Curve, incumbent: Curve) -> bool:
        looks = sorted(curve)[-3:]
        if any(epoch not in incumbent for epoch in looks):
            return True
        own, best = median(curve[epoch] for epoch in looks), median(incumbent[epoch] for epoch in looks)
        return own <= best * (1 + self.margin)


class PlainAsha(Asha):
    """ASHA as it is: it stops whatever is in the worse part at a look."""

    def spares(self, curve: Curve, incumbent: Curve) -> bool:
        return False
