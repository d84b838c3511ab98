"""A sweep's job is waited for, followed and cancelled with all that continues it."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.commands import a_command, each_job
from vmsbench.launch.follow import follow
from vmsbench.launch.job_log import log_of
from vmsbench.launch.launcher import Job
from vmsbench.launch.slurm.launcher import SlurmLauncher
from vmsbench.launch.submit import SweepJob
from vmsbench.store.job_events import note
from vmsbench.versions import PUBLIC

SLURM = {"_target_": PUBLIC["Slurm launcher"]}


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An elastic sweep whose driver 4 was continued by 5 and that by 6, which runs; 7 and 8 are workers, 8 ended."""
    for name in ("scontrol", "sacct"):
        a_command(tmp_path / "bin", name, "exit 1")
    a_command(tmp_path / "bin", "scancel", f'echo "$@" >> {tmp_path}/cancelled')
    a_command(tmp_path / "bin", "squeue", each_job("COMPLETED|None|n1"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr("vmsbench.launch.follow.TAIL", 0.01)
    folder = tmp_path / "unet"
    for job, after in (("4", None), ("5", "4"), ("6", "5")):
        note(folder, "submitted", job=job, launcher=SLURM, **({"after": after} if after else {}))
        note(folder, "began", job=job, launcher=SLURM, log=str(tmp_path / f"{'4' if job == '5' else job}.log"))
        if job != "6":
            note(folder, "ended", job=job, code=75, final=True)
    for worker in ("7", "8"):
        note(folder, "submitted", job=worker, driver="4", launcher=SLURM)
    note(folder, "ended", job="8", code=0, final=True)
    (tmp_path / "4.log").write_text("of 4\nof 5\n")
    (tmp_path / "6.log").write_text("of 6\n")
    return folder


def test_a_job_is_followed_to_the_end_of_what_continues_it(sweep: Path) -> None:
    shown: list[str] = []
    log = log_of(sweep, "4")
    assert log
    status = follow("4", log, sweep, 0.0, show=shown.append)
    said = "".join(shown)
    assert (status.job, status.state) == ("6", "COMPLETED")
    assert [said.count(f"of {job}\n") for job in (4, 5, 6)] == [1, 1, 1]
    assert said.index("of 5") < said.index("job 4 ") < said.index("of 6") < said.index("job 6 COMPLETED")


def test_a_log_that_its_continuation_writes_again_is_shown_again(sweep: Path) -> None:
    shown: list[str] = []
    follow("6", sweep.parent / "6.log", sweep, 0.0, shown=400, show=shown.append)
    assert "".join(shown).startswith("of 6\n")


class Submitted(Job):
    description, number, log = "job 4", "4", Path("4.log")

    def wait(self) -> None: ...

    def result(self) -> Any: ...


def test_cancelling_a_job_cancels_what_continues_it_and_its_workers(sweep: Path) -> None:
    job = SweepJob(sweep, ("tune",), SlurmLauncher(), job=Submitted())
    assert job.status
    assert job.status.job == "6"
    job.cancel()
    assert (sweep.parent / "cancelled").read_text() == "6 7\n"
