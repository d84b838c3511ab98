"""Early stopping at work: Ray's ASHA sees every curve, and the rule has the last word."""

from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from vmsbench.tuning.stopping import Curve, Halving, Stopping

SCORE = "score"


def made_by_ray(halving: Halving) -> ASHAScheduler:
    return ASHAScheduler(
        time_attr="epoch",
        metric=SCORE,
        mode="min",
        max_t=halving.epochs,
        grace_period=halving.grace,
        reduction_factor=halving.reduction,
        stop_last_trials=False,
    )


class Looks:
    """What has been seen of the trials of one sweep, by whatever names they have.

    epochs   of a whole training
    """

    def __init__(self, stopping: Stopping, epochs: int) -> None:
        self.stopping, self.epochs = stopping, epochs
        self.curves: dict[str, dict[int, float]] = {}
        halving = stopping.halving(epochs)
        self.asha = None if halving is None else made_by_ray(halving)

    def verdict(self, trial: str, epoch: int, score: float, incumbent: Curve) -> str | None:
        """Why a trial is stopped at this look, in words; None where it goes on."""
        halved = self.halves(trial, epoch, score)
        curve = self.curves.setdefault(trial, {})
        curve[epoch] = score
        return None if epoch >= self.epochs else self.stopping.verdict(curve, incumbent, self.epochs, halved)

    def halves(self, trial: str, epoch: int, score: float) -> bool:
        """Whether ASHA would stop a trial that it is shown."""
        if self.asha is None:
            return False
        shown: Any = SimpleNamespace(trial_id=trial)
        controller: Any = None
        if trial not in self.curves:
            self.asha.on_trial_add(controller, shown)
        result = {"epoch": epoch, SCORE: score}
        return self.asha.on_trial_result(controller, shown, result) == TrialScheduler.STOP

    def replay(self, trial: str, curve: Curve) -> None:
        """A trial that was over before this start."""
        for epoch, score in sorted(curve.items()):
            self.halves(trial, epoch, score)
            self.curves.setdefault(trial, {})[epoch] = score
