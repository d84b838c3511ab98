"""A submitted function: its restarts, and how its result is read."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from vmsbench.launch.launcher import Job, JobError

if TYPE_CHECKING:
    import submitit


@final
class SubmittedJob(Job):
    """`cancel`: the command that cancels it."""

    def __init__(self, job: "submitit.Job[Any]", cancel: str) -> None:
        self._job, self._cancel = job, cancel

    @property
    def description(self) -> str:
        return f"job {self._job.job_id}, log {self.log}, cancel with: `{self._cancel} {self._job.job_id}`"

    @property
    def number(self) -> str:
        return str(self._job.job_id)

    @property
    def log(self) -> Path:
        return Path(self._job.paths.stdout)

    def wait(self) -> None:
        self._job.wait()

    def result(self) -> Any:
        from submitit.core.utils import UncompletedJobError

        first = self._job.task(0)
        try:
            error = first.exception()
        except UncompletedJobError as vanished:
            error = vanished
        if error is not None:
            raise JobError(f"job {self._job.job_id} failed (log {self.log}): {last_words(error)}") from error
        return first.result()


def last_words(error: Exception) -> str:
    """The last line of the function's traceback, which precedes submitit's own advice."""
    traceback = str(error).partition("You can check full logs")[0]
    words = [line.strip() for line in traceback.splitlines() if line.strip("- \t")] or [repr(error)]
    return words[-1]


@final
class Resumable:
    """A function that submitit may restart with the same arguments when its time is up."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def checkpoint(self, *arguments: Any) -> "submitit.helpers.DelayedSubmission":
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)
