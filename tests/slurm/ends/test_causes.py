"""Why jobs end, as Slurm tells it: with accounting and without."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.conftest import User
from tests.slurm.lab import Lab, can_guard, obstacle
from vmsbench.store.job_events import note
from vmsbench.versions import PUBLIC

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

FORGOTTEN = 2
SLURM = {"_target_": PUBLIC["Slurm launcher"]}


@pytest.fixture(params=[True, False], ids=["accounting", "no accounting"])
def guarded_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    why_not = obstacle(request.param) or (None if can_guard() else "no control groups of version 1 for memory")
    if why_not:
        pytest.skip(why_not)
    with tempfile.TemporaryDirectory(prefix="vsl-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        remembers = FORGOTTEN if request.param else 3600
        with Lab(Path(folder), accounting=request.param, guarded=True, remembers=remembers).running() as running:
            yield running


def test_status_logs_and_cancel_name_the_cause(guarded_lab: Lab) -> None:
    lab, user = guarded_lab, User(guarded_lab, guarded_lab.folder / "user")
    jobs: dict[str, str] = {}

    def submit(cause: str, flags: str, script: str = "sleep 200") -> None:
        """A job of its own for each sweep; the sweeps are called by what is to happen to them."""
        log = user.folder / f"{cause}.log"
        jobs[cause] = user.says(
            f"sbatch --parsable --no-requeue -o {log} {flags} --wrap 'echo of {cause}; {script}'"
        ).stdout.strip()
        note(user.folder / "runs" / cause, "submitted", job=jobs[cause], log=str(log), launcher=SLURM)

    def status(cause: str) -> str:
        return user.says(f"vmsbench status {cause}").stdout

    submit("TIMEOUT", "-w n1 --time 1")
    submit("OUT_OF_MEMORY", "-w n2 --mem 100M", 'python3 -c "bytearray(400_000_000)"')
    submit("CANCELLED", "-w n2")
    submit("NODE_FAIL", "-w n2")
    submit("FAILED", "-w n2", "exit 3")
    for cause in ("CANCELLED", "NODE_FAIL"):
        user.wait_for(lambda cause=cause: user.state(jobs[cause]) == "RUNNING", f"{cause} to run")  # type: ignore[misc]
    assert "not started" in status("NODE_FAIL")
    assert f"job {jobs['NODE_FAIL']} RUNNING on n2  (squeue)" in status("NODE_FAIL")
    assert "of NODE_FAIL" in user.says("vmsbench logs NODE_FAIL").stdout
    assert f"cancelled {jobs['CANCELLED']}" in user.says("vmsbench cancel CANCELLED").stdout
    user.wait_for(lambda: user.over(jobs["CANCELLED"]), "the cancelled job to end")
    lab.cut_power(2)
    user.wait_for(lambda: user.over(jobs["NODE_FAIL"]), "the lost node to be missed", 90)
    lab.start_node(2)
    user.wait_for(lambda: "n2" in lab.ready(), "the node to be back", 60)
    submit("PREEMPTED", "-w n2")
    user.wait_for(lambda: user.state(jobs["PREEMPTED"]) == "RUNNING", "the last job to run")
    user.says("sbatch -p high -w n2 --exclusive -o /dev/null --wrap 'sleep 1'")
    for cause in jobs:
        user.wait_for(lambda cause=cause: user.over(jobs[cause]), f"{cause} to end", 150)  # type: ignore[misc]
    if lab.accounting:
        forgotten = [f"scontrol show job {job}" for job in jobs.values()]
        user.wait_for(lambda: all(user.says(ask, check=False).returncode for ask in forgotten), "Slurm to forget", 120)
    source = "(sacct)" if lab.accounting else "(scontrol)"
    for cause, job in jobs.items():
        shown = " ".join(status(cause).split())
        assert f"job {job} {cause}: " in shown
        assert source in shown
        assert f"of {cause}" in user.says(f"vmsbench logs {cause}").stdout
        assert user.says(f"vmsbench cancel {cause}").stdout == f"{cause}: it has no job\n"
    assert "(exit code 3)" in status("FAILED")
    assert "more memory than it had asked for" in status("OUT_OF_MEMORY")
