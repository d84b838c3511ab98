"""A sweep as an object: what is in its folder, and the job that it was submitted as."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmsbench.launch.submit import SweepJob

if TYPE_CHECKING:
    from vmsbench.inference.predictor import TrainedModel
    from vmsbench.store.records import SweepRecord
    from vmsbench.sweep.status import Status


@dataclass(frozen=True)
class SweepResult:
    """A sweep, read from its folder.

    finished   False where it was interrupted; the same call, or `vmsbench.resume`, continues it. Where it was
               submitted, True once its job was waited for and completed
    command    the command that continues it
    job        where it was submitted: its `number`, `log`, `status`, `wait()` and `cancel()`; else None
    """

    folder: Path
    finished: bool
    command: str
    job: SweepJob | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def record(self) -> "SweepRecord":
        """Everything in the folder, typed."""
        from vmsbench.store.reader import read_sweep

        return read_sweep(self.folder)

    @property
    def best(self) -> dict[str, Any]:
        """The winner: its trial, its parameters and its tuning score; empty while there is none."""
        winner = self.record.winner
        return {"trial": winner["trial"], "params": winner["params"], "score": winner["score"]} if winner else {}

    @property
    def finals(self) -> list[dict[str, Any]]:
        """The finals: the best configurations trained from fresh seeds, with their scores on the test pairs."""
        now = {final.id: dict(final.scores) for final in self.record.finals}
        events = [dict(event) for event in self.record.events if event["event"] == "final"]
        return [event | {"scores": now.get(event["trial"]) or event["scores"]} for event in events]

    @property
    def baselines(self) -> Mapping[str, Mapping[str, Any]]:
        """The test scores of the predictors that ignore the image."""
        return self.record.baselines["test"]

    @property
    def trials(self) -> Any:
        """A row for each trial (its id, state, score, epoch, seconds and parameters): a data frame where pandas is
        installed, else a list of dictionaries."""
        rows = [
            {"trial": one.id, "state": one.state, "score": one.score, "epoch": one.epoch, "seconds": one.seconds}
            | dict(one.params)
            for one in self.record.trials
        ]
        try:
            import pandas
        except ImportError:
            return rows
        return pandas.DataFrame(rows)

    def status(self) -> "Status":
        """The sweep's status now."""
        from vmsbench.sweep.status import status

        return status(self.folder)

    def model(self, device: str = "auto") -> "TrainedModel":
        """The best final, ready to predict."""
        from vmsbench.api.models import best_of_sweep
        from vmsbench.inference.predictor import load as load_folder

        return load_folder(best_of_sweep(self.folder), device)

    def summary(self) -> dict[str, Any]:
        """The results as a dictionary, for other programs."""
        head = {"name": self.name, "command": self.command}
        if self.job is not None and not self.finished:
            return head | {"state": "submitted" if self.job.number else "not submitted", "job": self.job.number}
        if not self.finished:
            return head | {"state": "interrupted"}
        metric = self.record.metric
        found = {"metric": metric, "winner": self.best, "finals": self.finals, "baselines": self.baselines}
        return head | {"state": "finished"} | found
