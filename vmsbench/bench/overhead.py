"""The overhead of a trial in Ray."""

import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from vmsbench.experiment import config_hash
from vmsbench.search.pruners import Curve, NoPruner
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.sweep.failures import Failure
from vmsbench.sweep.trial import Callback, Trial, TrialSource


class Nothing(TrialSource):
    """Trials with existing results, so that running one returns at once."""

    def __init__(self, folder: Path, trials: int) -> None:
        self.folder, self.trials = folder, trials
        self.asked = 0
        self.ends: list[float] = []

    def ask(self) -> Trial | None:
        if self.asked == self.trials:
            return None
        self.asked += 1
        config: dict[str, Any] = {"exp": "unet", "seed": self.asked, "metric": "l1"}
        trial = Trial(config_hash(config), self.folder / str(self.asked), config, {}, None)
        trial.folder.mkdir(parents=True)
        ExperimentFolder(trial.folder).write_config(config)
        ExperimentFolder(trial.folder).write_results({})
        return trial

    def tell(self, trial: Trial, stopped: str | None, failed: Failure | None) -> None:
        self.ends.append(time.perf_counter())

    @property
    def finished(self) -> bool:
        return len(self.ends) == self.trials

    @property
    def max_trials(self) -> int:
        return self.trials

    def reference(self, trial: Trial) -> Curve:
        return {}

    def past(self) -> dict[str, Curve]:
        return {}


@dataclass(frozen=True)
class Overhead:
    """Seconds: Ray's start, the first trial with its process, and each further trial of `slots` at a time."""

    slots: int
    start: float
    first: float
    each: float


def measure(folder: Path, trials: int, slots: int) -> Overhead:
    """Run `trials` empty trials, `slots` at a time, with reused processes."""
    from vmsbench.ray_backend.driver import run_trials
    from vmsbench.ray_backend.session import local_cluster
    from vmsbench.ray_backend.slots import Slots

    work = Nothing(folder, trials)
    begin = time.perf_counter()
    with redirect_stdout(StringIO()), local_cluster(slots, 0):  # Ray warns of trials that report nothing
        ready = time.perf_counter()
        run_trials(work, NoPruner(), Slots(slots, 0), Callback(), "l1", 1)
    warm = work.ends[slots:]
    return Overhead(slots, ready - begin, work.ends[0] - ready, (warm[-1] - work.ends[slots - 1]) / len(warm))
