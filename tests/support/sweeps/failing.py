"""Trials that fail, and how."""

from vmsbench.sweep import failures
from vmsbench.sweep.failures import Failure
from vmsbench.sweep.trial import Trial

OUT_OF_MEMORY = Failure(failures.GPU_MEMORY, "OutOfMemoryError: CUDA out of memory")


def broken(trial: Trial) -> Failure:
    try:
        return {}[trial.id]
    except KeyError as error:
        return Failure.of(error)
