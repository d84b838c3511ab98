"""Ray Tune runs the trials that a trial source asks for; what to run and when to stop is decided elsewhere.

Measured reasons for the choices here: a function trainable with reused actors starts in 0.2 s instead of 4; without
`max_concurrent_trials` only one trial is ever pending; `Tuner.restore` loses state, so every start is a new Tuner
over work that is rebuilt from its own journal.
"""

import math
import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from vmsbench.ray_backend import ENVIRONMENT

os.environ.update(ENVIRONMENT)

import ray
from ray import tune
from ray.experimental.internal_kv import _internal_kv_put
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher as RaySearcher

from vmsbench.errors import StorageError
from vmsbench.files import log
from vmsbench.launch.elastic.demand import Demand
from vmsbench.launch.environment import until, workers
from vmsbench.metrics.catalog import sign
from vmsbench.ray_backend.private_dir import private_folder
from vmsbench.ray_backend.session import joined_shares
from vmsbench.ray_backend.slots import Joined, Slots
from vmsbench.ray_backend.trainable import LEAVE, run_trial
from vmsbench.search.asha import PrunerState
from vmsbench.search.pruners import Pruner
from vmsbench.signals import Interruption
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.lock import check_all_owned, held
from vmsbench.sweep.failures import HOST_MEMORY, LOST, TIMED_OUT, Failure
from vmsbench.sweep.trial import Callback, Trial, TrialSource

DEATHS = 100 if workers() else 2
"""How often a trial whose process died (killed, out of memory, its node gone) continues before it counts as failed.
Elastic workers end in this way."""

EXTRA = 1000  # trials that Ray may get on top of those of the search: to Ray a retry is a new trial


def run_trials(
    work: TrialSource,
    stopping: Pruner,
    slots: Slots,
    watcher: Callback,
    metric: str,
    epochs: int,
    seconds: float = math.inf,
    demand: Demand | None = None,
) -> bool:
    """Run `work` to its end; False where it halted, or SIGINT, SIGTERM or SIGUSR1 came first.

    A trial that trains for more than `seconds` fails. `demand` hears where trials of an elastic sweep wait.
    To be called within `local_cluster` or `joined`. Interrupted trials keep their folders and continue at the next
    start, from the step at which they stopped; those that did not stop in time, from their last epoch.
    """
    if work.finished or work.halted:
        return work.finished
    bridge = RaySearchAlgorithm(work, Joined(slots, joined_shares) if workers() else None, demand)
    interruption = Interruption(bridge.leave)
    lasting = slots.nodes == 1 and not workers()  # other nodes may leave, and what waits there with them
    waiting = slots.count if lasting else 0
    scheduler = RayPruningScheduler(bridge, PrunerState(stopping, epochs), metric, seconds, waiting)
    storage = private_folder()
    with interruption.handling():
        try:
            tuner = tune.Tuner(
                tune.with_resources(run_trial, {"cpu": slots.cpus_per_trial, "gpu": slots.gpus_per_trial}),
                tune_config=tune.TuneConfig(
                    search_alg=bridge,
                    scheduler=scheduler,
                    num_samples=work.max_trials + EXTRA,
                    max_concurrent_trials=EXTRA if workers() else slots.count,
                    reuse_actors=True,
                    metric=metric,
                    mode="min",
                ),
                run_config=tune.RunConfig(
                    name="sweep",
                    storage_path=str(storage),
                    callbacks=[RayProgressCallback(bridge, watcher, interruption)],
                    failure_config=tune.FailureConfig(max_failures=DEATHS),
                    verbose=0,
                ),
            )
            tuner.fit()
        except tune.TuneError:  # it wraps what the journal raised
            check_all_owned()
            raise
        finally:
            shutil.rmtree(storage, ignore_errors=True)
    return work.finished and not bridge.leaving


def kept(failure: Failure, folder: Path) -> Failure:
    """The failure of a trial that wrote none itself; the log in its folder says why. Raises OwnershipLost."""
    check_all_owned()
    with suppress(StorageError):
        folder.mkdir(parents=True, exist_ok=True)
        log(folder, failure.trace or failure.cause)
    return failure


def is_of_epoch(result: dict[str, Any]) -> bool:
    """Whether a result is what a trial reports of an epoch: not Ray's own message, nor the last one again at the end.

    Ray hands schedulers and searchers flat results: of a dictionary in one there are its items alone.
    """
    return "epoch" in result and "seconds" in result and not result.get("done")


class RaySearchAlgorithm(RaySearcher):
    """Hands trials to Ray, and maps Ray's ids back to them."""

    def __init__(self, work: TrialSource, joined: Joined | None = None, demand: Demand | None = None) -> None:
        """`joined`: the slots of an elastic sweep, whose nodes come and go; `demand` hears when trials wait."""
        super().__init__()
        self.work, self.joined, self.demand = work, joined, demand
        self.open, self.ended = 0, 0
        self.trials: dict[str, Trial] = {}
        self.pruned: dict[str, str] = {}
        self.failed: dict[str, Failure] = {}
        self.raised: dict[str, Failure] = {}
        self.leaving = False
        self.until = until()
        self.longest = 0.0

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if is_of_epoch(result):
            self.longest = max(self.longest, result["seconds"] / result["epoch"])

    def leave(self) -> None:
        """Start no more trials and tell the running ones: in a thread, as a signal may have interrupted a call to
        Ray."""
        self.leaving = True
        threading.Thread(target=_internal_kv_put, args=(LEAVE, b"1"), daemon=True).start()

    def suggest(self, trial_id: str) -> Any:
        if self.leaving or self.work.finished or self.work.halted:
            return RaySearcher.FINISHED
        if time.time() + self.longest > self.until:
            return None  # it could not save its first epoch before the job's time is up
        if self.joined is not None and self.open >= self.slots_now(self.joined):
            return None
        trial = self.work.ask()
        if trial is not None:
            self.open += 1
            self.trials[trial_id] = trial
            here = {"folder": str(trial.folder), "owner": held.get(trial.folder.parent.parent.resolve())}
            return {"experiment": trial.config, "metric": trial.config["metric"], **here}
        return RaySearcher.FINISHED if self.work.finished or self.work.halted else None

    def slots_now(self, joined: Joined) -> int:
        """The slots of the nodes that are there, at least one; the journal has each change."""
        if joined.recount():
            self.work.note_slots(joined.count)
        return joined.count

    def ask_for_workers(self) -> None:
        """Tell `demand` where a trial may wait for a slot, or waits for a node that has left."""
        if self.demand and self.joined and not self.leaving and self.open >= self.slots_now(self.joined):
            self.demand.wait(self.ended)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self.trials[trial_id]
        self.open, self.ended = self.open - 1, self.ended + 1
        failure = ExperimentFolder(trial.folder).failure()
        if failure is not None:
            self.work.tell(trial, None, Failure(**failure))
        elif error or trial_id in self.failed:
            died = self.raised.get(trial_id) or Failure(LOST, f"its process died {DEATHS + 1} times")
            self.work.tell(trial, None, kept(self.failed.get(trial_id, died), trial.folder))
        elif trial_id in self.pruned or ExperimentFolder(trial.folder).finished:
            self.work.tell(trial, self.pruned.get(trial_id), None)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the journal is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a new driver is built from the journal."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class RayPruningScheduler(FIFOScheduler):
    """Stops trials for Ray: by the pruner, when their time is up, and when the sweep is halted.

    waiting  processes that are kept for the next trial. Ray by itself keeps one, so that after each parameter of a
             coordinate search the other slots would import torch anew. The cache is private to Ray; without it all
             else works.
    """

    def __init__(
        self, bridge: RaySearchAlgorithm, pruning: PrunerState, metric: str, seconds: float, waiting: int = 0
    ) -> None:
        super().__init__()
        self.bridge, self.pruning, self.score, self.seconds = bridge, pruning, metric, seconds
        self.waiting = waiting
        self.sign = sign(metric)
        for trial_id, curve in bridge.work.past().items():
            pruning.replay(trial_id, curve)

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        return True

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        with suppress(AttributeError):
            tune_controller._actor_cache.increase_max(trial.placement_group_factory, self.waiting)
            self.waiting = 0

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Record an end by lack of memory; the search algorithm is called after this."""
        error = trial.get_pickled_error()
        if isinstance(error, ray.exceptions.OutOfMemoryError):
            self.bridge.failed[trial.trial_id] = Failure(HOST_MEMORY, str(error).splitlines()[0])
        elif isinstance(error, ray.exceptions.RayTaskError):
            self.bridge.raised[trial.trial_id] = Failure.of(error.cause)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not is_of_epoch(result):
            return TrialScheduler.CONTINUE
        if self.bridge.work.halted and not ExperimentFolder(self.bridge.trials[trial.trial_id].folder).finished:
            return TrialScheduler.STOP
        if unneeded := self.bridge.work.unneeded(self.bridge.trials[trial.trial_id]):
            self.bridge.pruned[trial.trial_id] = unneeded
            return TrialScheduler.STOP
        if result["seconds"] > self.seconds:
            hours = self.seconds / 3600
            self.bridge.failed[trial.trial_id] = Failure(TIMED_OUT, f"longer than hours_per_trial={hours:g}")
            return TrialScheduler.STOP
        if self.score not in result:
            return TrialScheduler.CONTINUE
        reference = self.bridge.work.reference(self.bridge.trials[trial.trial_id])
        verdict = self.pruning.stop_reason(trial.trial_id, result["epoch"], self.sign * result[self.score], reference)
        if verdict is None:
            return TrialScheduler.CONTINUE
        self.bridge.pruned[trial.trial_id] = verdict
        return TrialScheduler.STOP

    def __getstate__(self) -> dict[str, Any]:
        return {}


class RayProgressCallback(TrialProgressCallback):
    """Calls the sweep's callback: after each epoch of a trial, and a few times a second.

    It replaces Ray's own callback, which prints the end of trials that reported nothing.
    """

    def __init__(self, bridge: RaySearchAlgorithm, watcher: Callback, interruption: Interruption) -> None:
        self.bridge, self.watcher, self.interruption = bridge, watcher, interruption
        self.last = 0.0

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        if "record" in result:
            self.watcher.on_epoch_end(self.bridge.trials[trial.trial_id], result["record"])

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        pass

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        pass

    def on_step_begin(self, iteration: int, trials: Any, **info: Any) -> None:
        self.interruption.arm()

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        if time.monotonic() - self.last > 0.25:
            self.last = time.monotonic()
            check_all_owned()
            self.bridge.ask_for_workers()
            self.watcher.on_poll()

    def __getstate__(self) -> dict[str, Any]:
        return {}
