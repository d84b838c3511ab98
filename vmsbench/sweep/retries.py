"""Which failed trials are retried."""

import math
from dataclasses import replace

from vmsbench.config.settings import with_settings
from vmsbench.store.journal import Journal
from vmsbench.sweep.failures import MEMORY, Failure
from vmsbench.sweep.trial import Trial


class Retries:
    """Decides which failed trials are retried, and how; rebuilt from the journal.

    Out of memory: once, with a micro-batch of half the size (the batch stays what it was, by accumulated gradients).
    What was interrupted, or lost its process or node, continues from its checkpoint without this.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.micro: dict[str, int] = {
            event["trial"]: event["micro_batch"] for event in journal.events() if event["event"] == "retried"
        }

    def again(self, trial: Trial, failure: Failure) -> bool:
        """Whether to run a failed trial again; the journal then says so."""
        trainer = trial.config["trainer"]
        size = trainer.get("micro_batch") or trainer["batch_size"]
        if failure.kind not in MEMORY or trial.id in self.micro or size == 1:
            return False
        self.micro[trial.id] = math.ceil(size / 2)
        event = {"kind": failure.kind, "cause": failure.cause, "micro_batch": self.micro[trial.id]}
        self.journal.write("retried", trial=trial.id, **event)
        return True

    def fitted(self, trial: Trial) -> Trial:
        """The trial, with the micro-batch of its retry."""
        micro = self.micro.get(trial.id)
        if micro is None:
            return trial
        return replace(trial, config=with_settings(trial.config, {"trainer.micro_batch": micro}))
