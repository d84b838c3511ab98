"""Submitit's executor for Slurm, with retries, and without the flags that a site forbids."""

import re
import shlex
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any, final

import submitit
from submitit.core import utils

from vmsbench.launch.slurm.allocation import for_another_job
from vmsbench.launch.slurm.commands import call, submitted_number
from vmsbench.versions import PUBLIC

PATIENCE = 60.0


@final
class Executor(submitit.SlurmExecutor):
    """forbidden  long names of flags that are never written
    sent       the batch script of the last submission
    heard      the number of the job that Slurm made of it without an answer: the next submission is that job
    """

    def __init__(self, folder: Path, forbidden: Collection[str] = ()) -> None:
        super().__init__(folder)
        self.forbidden = {"wckey", *forbidden}  # some sites refuse submitit's own key
        self.sent: Path | None = None
        self.heard: str | None = None

    @property
    def _submitit_command_str(self) -> str:
        """As submitit's, which prints a traceback around every reason."""
        return f"{self.python} -u -m {PUBLIC['Slurm job']} {shlex.quote(str(self.folder))}"

    def text(self, command: str | None = None) -> str:
        """The batch script; its command runs the pickled function."""
        return self._make_submission_file_text(command or self._submitit_command_str, "")

    def _make_submission_file_text(self, command: str, uid: str) -> str:
        """The command replaces the shell, which would die of the signal of --signal=B:USR1."""
        lines = super()._make_submission_file_text(f"exec {command}", uid).splitlines(keepends=True)
        return "".join(line for line in lines if flag(line) not in self.forbidden)

    def _submit_command(self, command: str) -> Any:
        """As submitit's, but temporary errors are retried, calls time out, and the step's environment is not read as
        options."""
        uid = uuid.uuid4().hex
        script = Path(self.folder) / f".submission_file_{uid}.sh"
        script.write_text(self._make_submission_file_text(command, uid))
        if (job_id := self.heard) is None:
            self.sent = script
            said = call("sbatch", "--parsable", str(script), patience=PATIENCE, environment=for_another_job())
            job_id = submitted_number(said)
        job: Any = submitit.SlurmJob(folder=self.folder, job_id=job_id, tasks=list(range(self._num_tasks())))
        job.paths.move_temporary_file(script, "submission_file", keep_as_symlink=True)
        self._write_job_id(job.job_id, uid)
        self._set_job_permissions(job.paths.folder)
        return job

    def clean(self) -> None:
        """Remove the files of a refused submission."""
        folder = utils.JobPaths.get_first_id_independent_folder(self.folder)
        for file in (*folder.glob(".submission_file_*.sh"), *folder.glob("*.pkl")):
            if re.fullmatch(r"(\.submission_file_)?[0-9a-f]{32}\.(sh|pkl)", file.name) and not file.is_symlink():
                file.unlink(missing_ok=True)


def flag(line: str) -> str:
    found = re.match(r"#SBATCH --([a-z-]+)", line)
    return found[1] if found else ""
