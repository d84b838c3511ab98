"""Asynchronous successive halving (ASHA, Li et al. 2020) over one sweep's trials, with the pruner's rule on top."""

import math

import numpy as np

from vmsbench.search.pruners import Curve, Halving, Pruner


class Rungs:
    """Which trials are in the worse part at a rung, each decided once, when its score there is known.

    A rung is at each of grace_period x reduction_factor^k epochs, below or at `epochs`. A trial is in the worse part
    where its score is above the 1 / reduction_factor quantile (linearly interpolated) of those that came before it.
    """

    def __init__(self, halving: Halving) -> None:
        self.quantile = 1 / halving.reduction_factor
        count = int(math.log(halving.epochs / halving.grace_period) / math.log(halving.reduction_factor) + 1)
        milestones = [halving.grace_period * halving.reduction_factor**k for k in range(count)]
        self.scores: dict[float, dict[str, float]] = {milestone: {} for milestone in reversed(milestones)}

    def in_worse_part(self, trial: str, epoch: int, score: float) -> bool:
        """Whether the trial's score at this epoch, the highest rung it has reached, is in the worse part."""
        reached = next((scores for milestone, scores in self.scores.items() if epoch >= milestone), None)
        if reached is None or trial in reached:
            return False
        worse = bool(reached) and score > np.quantile(list(reached.values()), self.quantile)
        reached[trial] = score
        return bool(worse)


class PrunerState:
    """The learning curves of the trials of one sweep so far, and the pruner that decides on them.

    epochs   of a full training
    """

    def __init__(self, pruner: Pruner, epochs: int) -> None:
        self.pruner, self.epochs = pruner, epochs
        self.curves: dict[str, dict[int, float]] = {}
        halving = pruner.halving(epochs)
        self.rungs = None if halving is None else Rungs(halving)

    def stop_reason(self, trial: str, epoch: int, score: float, incumbent: Curve) -> str | None:
        """Why a trial is stopped at this epoch, as text; None where it continues."""
        halved = self.rungs is not None and self.rungs.in_worse_part(trial, epoch, score)
        curve = self.curves.setdefault(trial, {})
        curve[epoch] = score
        return None if epoch >= self.epochs else self.pruner.stop_reason(curve, incumbent, self.epochs, halved)

    def replay(self, trial: str, curve: Curve) -> None:
        """Add a trial that ended before this start."""
        for epoch, score in sorted(curve.items()):
            if self.rungs is not None:
                self.rungs.in_worse_part(trial, epoch, score)
            self.curves.setdefault(trial, {})[epoch] = score
