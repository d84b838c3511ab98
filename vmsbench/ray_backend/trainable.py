"""What Ray runs for a trial: the experiment in its folder, until it is done or must leave."""

import gc
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from ray import get_runtime_context, tune
from ray.experimental.internal_kv import _internal_kv_exists

from vmsbench import accelerators, experiment
from vmsbench.errors import OwnershipLost
from vmsbench.launch.environment import threads
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.lock import check_owned
from vmsbench.sweep.failures import Failure
from vmsbench.training.trainer import TrainingInterrupted

LEAVE, PAUSE = b"vmsbench:leave", 0.5


def run_trial(config: dict[str, Any]) -> None:
    """What a worker runs: the experiment in its folder. A failure is written into failure.json for the driver.

    It is not raised: Ray restarts what died, and what failed would fail again.
    """
    folder = Path(config["folder"])
    try:
        attempt(config, folder)
    except (TrainingInterrupted, OwnershipLost):
        return
    except Exception as error:  # whatever ended the trial is kept with it
        ExperimentFolder(folder).write_failure(asdict(Failure.of(error)))


def attempt(config: dict[str, Any], folder: Path) -> None:
    """Raises what the experiment raises; TrainingInterrupted where the driver wants the trial to leave."""
    gc.collect()
    accelerators.keep_to(get_runtime_context().get_accelerator_ids().get("GPU", ()))
    for backend in accelerators.backends():
        backend.empty_cache()
    torch.set_num_threads(threads() or 1)
    should_stop = StopFlag(folder.parent.parent, config["owner"])
    if should_stop():
        return
    ExperimentFolder(folder).remove_failure()

    def report(record: dict[str, Any]) -> None:
        score = (record.get("scores") or {}).get(config["metric"])
        seen = {"epoch": record["epoch"], "seconds": record["seconds"], "record": record}
        tune.report(seen if score is None else seen | {config["metric"]: score})

    experiment.run(config["experiment"], folder, report, should_stop)


class StopFlag:
    """In a trial: whether the driver asks it to stop, asked every PAUSE seconds.

    sweep, owner   the sweep's folder, and the token of its lock that the driver holds
    """

    def __init__(self, sweep: Path, owner: str | None) -> None:
        self.sweep, self.owner = sweep, owner
        self.at, self.known = -math.inf, False

    def __call__(self) -> bool:
        """Raises OwnershipLost where another driver has taken over the sweep."""
        if time.monotonic() - self.at > PAUSE:
            self.at = time.monotonic()
            check_owned(self.sweep, self.owner)
            self.known = self.known or bool(_internal_kv_exists(LEAVE))
        return self.known
