"""A submitted function: how a job runs it, its restarts, and how its result is read.

python -m vmsbench.launch.slurm.submitted FOLDER      the command of the batch script
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from vmsbench.errors import UserError
from vmsbench.files import restrict_umask
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


def run_submitted(folder: str) -> int:
    """Run the function of this job, as submitit does; returns the exit code.

    What the user can fix is one line, and the reason of a command that did not complete stands in the log already:
    neither has a traceback around it.
    """
    os.environ.setdefault("SUBMITIT_LOG_LEVEL", "CRITICAL")
    from submitit.core.submission import process_job

    try:
        process_job(folder)
    except JobError:
        return 1
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    restrict_umask()
    sys.exit(run_submitted(sys.argv[1]))
