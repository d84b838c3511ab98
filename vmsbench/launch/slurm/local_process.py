"""launcher.cluster=local: submitit's jobs as processes of this machine, to try settings where there is no Slurm."""

import contextlib
import pickle
from pathlib import Path

from vmsbench.files import read_bytes
from vmsbench.launch.launcher import JobPhase, JobStatus, unknown
from vmsbench.processes import descendants, end, living

SAVING = 10.0
"""Seconds in which a cancelled job saves before it is killed."""


def process_status(folder: Path, job: str) -> JobStatus:
    """The status of a job whose number is that of its process."""
    if is_job(folder, job):
        return JobStatus(job, JobPhase.RUNNING, "RUNNING", source="/proc")
    result = folder / f"{job}_0_result.pkl"
    if not result.exists():
        begun = any(folder.glob(f"{job}_*"))
        died = JobStatus(job, JobPhase.FAILED, "FAILED", "it ended without a result", source="/proc")
        return died if begun else unknown(job)
    outcome, value = pickle.loads(read_bytes(result))
    if outcome == "error":
        return JobStatus(job, JobPhase.FAILED, "FAILED", str(value).strip().splitlines()[-1], source=result.name)
    return JobStatus(job, JobPhase.COMPLETED, "COMPLETED", source=result.name)


def cancel_process(folder: Path, job: str) -> None:
    if is_job(folder, job):
        end([*descendants(int(job)), int(job)], patience=SAVING)


def is_job(folder: Path, job: str) -> bool:
    """Whether the process of this number exists and is submitit's, for this folder."""
    if not job.isdigit() or not living(int(job)):
        return False
    with contextlib.suppress(OSError):
        return str(folder) in Path(f"/proc/{job}/cmdline").read_text(errors="replace")
    return False
