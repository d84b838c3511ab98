"""Trials, and their source: a driver takes them one by one and reports how they end."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.data.sources.provenance import Provenance
from vmsbench.search.pruners import Curve
from vmsbench.search.searcher import ParameterResult, Params
from vmsbench.sweep.failures import Failure


@dataclass(frozen=True)
class Trial:
    """An experiment to run in its folder: with its choice, and the parameter it was made for."""

    id: str
    folder: Path
    config: dict[str, Any]
    params: Params
    parameter: str | None


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended: complete, pruned (stopped early) or failed, with the cause of the latter two.

    kind, mark   of a failure (vmsbench.sweep.failures)
    reused       the trial of another sweep that this one was taken from
    """

    state: str
    score: float | None
    epoch: int
    seconds: float
    cause: str | None
    kind: str | None = None
    mark: str | None = None
    reused: str | None = None


UNNEEDED = "stopped: the search needs its slot"
"""The cause of a trial that made way; it continues where it is needed later."""


class TrialSource(ABC):
    """Trials for a driver such as Ray's, which does not know what they are for."""

    @abstractmethod
    def ask(self) -> Trial | None:
        """The next trial to run; None where others must end first, or none is left."""

    @abstractmethod
    def tell(self, trial: Trial, stopped: str | None, failed: Failure | None) -> None:
        """A trial is over; `stopped` and `failed` say why, where it is not complete."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether nothing is left to run or wait for."""

    @property
    def halted(self) -> str | None:
        """Why nothing more is run although work is left; None otherwise."""
        return None

    def unneeded(self, trial: Trial) -> str | None:
        """Why a running trial is not worth its slot any more; None where it is."""
        return None

    @property
    @abstractmethod
    def max_trials(self) -> int:
        """The most trials that there can be."""

    def note_slots(self, count: int) -> None:  # noqa: B027
        """So many trials run at once from now on: nodes have joined or left."""

    @abstractmethod
    def reference(self, trial: Trial) -> Curve:
        """The learning curve that pruners compare a trial with: the incumbent's of the same seed and fold, none for its
        own."""

    @abstractmethod
    def past(self) -> dict[str, Curve]:
        """The learning curves of trials that ended before this start, by trial."""


class Callback:
    """Called with the events of a sweep; this one does nothing."""

    def on_data_read(self, provenance: Provenance) -> None:
        """The data are read: what they are, and what is odd about them."""

    def on_sweep_start(self, at_once: int, where: str) -> None:
        """Trials are about to run, `at_once` of them in parallel, on the machines that `where` describes."""

    def on_trial_start(self, trial: Trial) -> None:
        """A trial starts."""

    def on_epoch_end(self, trial: Trial, record: dict[str, Any]) -> None:
        """A trial has finished an epoch: the line of its history."""

    def on_trial_end(self, trial: Trial, outcome: TrialResult) -> None:
        """A trial is over."""

    def on_trial_restore(self, trial: Trial, outcome: TrialResult) -> None:
        """A trial that ended before this start is taken from the journal, and not run."""

    def on_trial_retry(self, trial: Trial, failure: Failure) -> None:
        """A failed trial is retried."""

    def on_parameter_settled(self, settled: ParameterResult) -> None:
        """The best value of a parameter is known, given the others."""

    def on_poll(self) -> None:
        """Called a few times a second while trials run."""


class Callbacks(Callback):
    """Several callbacks, called in order."""

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self.callbacks = list(callbacks)

    def on_data_read(self, provenance: Provenance) -> None:
        for one in self.callbacks:
            one.on_data_read(provenance)

    def on_sweep_start(self, at_once: int, where: str) -> None:
        for one in self.callbacks:
            one.on_sweep_start(at_once, where)

    def on_trial_start(self, trial: Trial) -> None:
        for one in self.callbacks:
            one.on_trial_start(trial)

    def on_epoch_end(self, trial: Trial, record: dict[str, Any]) -> None:
        for one in self.callbacks:
            one.on_epoch_end(trial, record)

    def on_trial_end(self, trial: Trial, outcome: TrialResult) -> None:
        for one in self.callbacks:
            one.on_trial_end(trial, outcome)

    def on_trial_restore(self, trial: Trial, outcome: TrialResult) -> None:
        for one in self.callbacks:
            one.on_trial_restore(trial, outcome)

    def on_trial_retry(self, trial: Trial, failure: Failure) -> None:
        for one in self.callbacks:
            one.on_trial_retry(trial, failure)

    def on_parameter_settled(self, settled: ParameterResult) -> None:
        for one in self.callbacks:
            one.on_parameter_settled(settled)

    def on_poll(self) -> None:
        for one in self.callbacks:
            one.on_poll()
