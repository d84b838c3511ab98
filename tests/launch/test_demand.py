"""Elastic workers: they leave when they have no trial, and the driver submits others where trials wait."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.commands import a_command, each_job
from vmsbench.errors import UserError
from vmsbench.launch.allocation import Allocation
from vmsbench.launch.elastic.demand import Demand, demand_of
from vmsbench.launch.environment import Workers
from vmsbench.launch.job_log import job_status, workers_of
from vmsbench.launch.sweep_progress import fruitless
from vmsbench.launch.worker import Worker
from vmsbench.store.job_events import note, note_by_worker, notes
from vmsbench.store.lock import owned
from vmsbench.versions import PUBLIC


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An elastic sweep whose driver is job 4 and whose worker is job 5."""
    a_command(tmp_path / "bin", "sbatch", f'cp "${{@: -1}}" {tmp_path}/submitted.sh; echo 6')
    a_command(tmp_path / "bin", "srun", "true")
    for name in ("scontrol", "sacct"):
        a_command(tmp_path / "bin", name, "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    settings = {"_target_": PUBLIC["Slurm launcher"], "folder": str(tmp_path / "jobs"), "partition": "gpu", "idle": 60}
    note(tmp_path / "unet", "submitted", job="4", launcher=settings, shape="elastic")
    note(tmp_path / "unet", "submitted", job="5", launcher=settings, driver="4")
    return tmp_path / "unet"


@pytest.mark.parametrize(
    ("worker", "most", "submitted"),
    [("COMPLETED", 1, True), ("RUNNING", 1, False), ("PENDING", 1, False), ("RUNNING", 2, True)],
)
def test_a_worker_is_submitted_where_fewer_are_there_than_the_sweep_may_have(
    worker: str, most: int, submitted: bool, sweep: Path
) -> None:
    a_command(sweep.parent / "bin", "squeue", each_job(f"{worker}||n1"))
    Demand("4", sweep, Workers(most, cpus=4, gpus=1)).submit(0)
    script = sweep.parent / "submitted.sh"
    assert script.exists() == submitted
    if submitted:
        assert (notes(sweep)[-1]["job"], notes(sweep)[-1]["driver"]) == ("6", "4")
        assert {"#SBATCH --partition=gpu", "export VMSBENCH_ELASTIC=''", "export VMSBENCH_IDLE=60"} <= set(
            script.read_text().splitlines()
        )


def submissions(sweep: Path) -> int:
    return sum("driver" in line for line in notes(sweep)) - 1


def waits(demand: Demand, ended: int) -> None:
    """A trial waits, and the cluster has answered."""
    demand.wait(ended)
    assert demand.submitting
    demand.submitting.join()


def test_one_worker_at_most_is_asked_for_while_no_trial_ends(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmsbench.launch.elastic.demand.PAUSE", 0.0)
    a_command(sweep.parent / "bin", "squeue", each_job("RUNNING||n1"))
    demand = Demand("4", sweep, Workers(9, cpus=4, gpus=1))
    for ended, wanted in ((0, 1), (0, 1), (0, 1), (1, 2), (1, 2), (2, 3)):
        waits(demand, ended)
        assert submissions(sweep) == wanted


def test_where_no_worker_is_left_one_comes_whatever_came_before(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may have left before its first trial had started, or be about to leave when the cluster is asked."""
    monkeypatch.setattr("vmsbench.launch.elastic.demand.PAUSE", 0.0)
    demand = Demand("4", sweep, Workers(1, cpus=4, gpus=1))
    for state, wanted in (("RUNNING", 0), ("COMPLETED", 1), ("RUNNING", 1), ("COMPLETED", 2)):
        a_command(sweep.parent / "bin", "squeue", each_job(f"{state}||n1"))
        waits(demand, 0)
        assert submissions(sweep) == wanted


def test_no_other_worker_is_asked_for_before_the_cluster_has_answered(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmsbench.launch.elastic.demand.PAUSE", 0.0)
    a_command(sweep.parent / "bin", "squeue", each_job("COMPLETED||n1"))
    answer = sweep.parent / "answer"
    os.mkfifo(answer)
    a_command(sweep.parent / "bin", "sbatch", f"echo asked >> {sweep.parent}/asked; cat {answer}")
    demand = Demand("4", sweep, Workers(9, cpus=4, gpus=1))
    for ended in range(5):
        demand.wait(ended)
    answer.write_text("6\n")
    assert demand.submitting
    demand.submitting.join()
    assert (sweep.parent / "asked").read_text() == "asked\n"
    assert submissions(sweep) == 1


def test_a_submission_without_an_answer_is_not_repeated_before_the_cluster_says_whether_it_was_heard(
    sweep: Path,
) -> None:
    queue, asked = sweep.parent / "queue", sweep.parent / "asked"
    fails = "echo 'sbatch: error: Socket timed out' >&2; exit 1"
    a_command(sweep.parent / "bin", "sbatch", f'echo "6|(null)|${{@: -1}}" > {queue}; echo >> {asked}; {fails}')
    listed = f'[[ "$*" == *--user=* ]] && {{ [ -e {queue} ] && cat {queue} && exit; {AWAY}; }}'
    a_command(sweep.parent / "bin", "squeue", f"{listed}; {each_job('COMPLETED||n1')}")
    demand = Demand("4", sweep, Workers(1, cpus=4, gpus=1))
    demand.submit(0)
    queue.rename(sweep.parent / "later")
    demand.submit(0)
    assert submissions(sweep) == 0, "the cluster does not answer"
    (sweep.parent / "later").rename(queue)
    demand.submit(0)
    assert workers_of(sweep, "4") == ["5", "6"]
    assert (sweep.parent / "jobs" / "6_submitted.pkl").exists(), "what the job runs"
    assert asked.read_text() == "\n"
    demand.submit(0)
    assert asked.read_text() == "\n\n", "job 6 is over too"
    queue.write_text("7|(null)|/own.sh\n")
    a_command(sweep.parent / "bin", "sbatch", "echo 8")
    demand.submit(0)
    assert workers_of(sweep, "4") == ["5", "6", "8"], "that was not heard"


def lent(sweep: Path, job: str, memory: float | None, **more: Any) -> None:
    """A worker that was submitted with so much memory."""
    settings = notes(sweep)[0]["launcher"] | {"memory": memory, "most_memory": 12.0}
    note(sweep, "submitted", job=job, launcher=settings, driver="4", **more)


def test_a_worker_that_was_killed_for_memory_is_followed_by_one_that_asks_for_more(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lent(sweep, "5", 4.0)
    a_command(sweep.parent / "bin", "squeue", "exit 1")
    for killed in ("OUT_OF_MEMORY|0:125", "FAILED|0:9", "FAILED|0:137"):
        a_command(sweep.parent / "bin", "sacct", each_job(f"{killed}|n1"))
        lines = (sweep / "jobs.jsonl").read_text()
        Demand("4", sweep, Workers(1, cpus=4, gpus=1)).submit(0)
        assert "#SBATCH --mem=8192M\n" in (sweep.parent / "submitted.sh").read_text(), killed
        assert "job 6 lends another node, and asks for memory=8.0, more than the job" in capsys.readouterr().out
        assert notes(sweep)[-1]["more"] == {"memory": 8.0}
        (sweep / "jobs.jsonl").write_text(lines)
    lent(sweep, "6", 8.0, more={"memory": 8.0})
    a_command(sweep.parent / "bin", "sacct", "echo '5|OUT_OF_MEMORY|0:125|n1'; echo '6|COMPLETED|0:0|n1'")
    Demand("4", sweep, Workers(1, cpus=4, gpus=1)).submit(0)
    assert "#SBATCH --mem=8192M\n" in (sweep.parent / "submitted.sh").read_text(), "job 6 had enough"
    lent(sweep, "6", 12.0)
    a_command(sweep.parent / "bin", "sacct", each_job("OUT_OF_MEMORY|0:125|n1"))
    Demand("4", sweep, Workers(1, cpus=4, gpus=1)).submit(0)
    assert "#SBATCH --mem=12288M\n" in (sweep.parent / "submitted.sh").read_text(), "no more is allowed"


def test_where_no_accounting_is_a_worker_that_failed_a_moment_ago_was_killed_for_memory_by_its_code(
    sweep: Path,
) -> None:
    lent(sweep, "5", 4.0)
    a_command(sweep.parent / "bin", "squeue", each_job("FAILED|NonZeroExitCode|n1"))
    a_command(sweep.parent / "bin", "scontrol", "echo 'JobId=5 JobState=FAILED ExitCode=0:9 NodeList=n1'")
    Demand("4", sweep, Workers(1, cpus=4, gpus=1)).submit(0)
    assert "#SBATCH --mem=8192M\n" in (sweep.parent / "submitted.sh").read_text()


def continued(sweep: Path) -> None:
    """The driver asked for more, and is job 55."""
    note(sweep, "ended", job="4", code=75, final=True, continued_by="55")
    note(
        sweep, "submitted", job="55", after="4", launcher={"_target_": PUBLIC["Slurm launcher"]}, more={"time": "2:0:0"}
    )


def test_a_driver_that_continues_another_job_has_its_workers_and_gets_new_ones(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    continued(sweep)
    monkeypatch.setenv("VMSBENCH_ELASTIC", "1,4,1")
    monkeypatch.setenv("SLURM_JOB_ID", "4")
    assert demand_of(sweep) is None
    monkeypatch.setenv("SLURM_JOB_ID", "55")
    demand = demand_of(sweep)
    assert demand
    a_command(sweep.parent / "bin", "squeue", each_job("RUNNING||n1"))
    demand.submit(0)
    assert submissions(sweep) == 0, "the worker of the job before is there"
    a_command(sweep.parent / "bin", "squeue", each_job("COMPLETED||n1"))
    demand.submit(0)
    assert "#SBATCH --partition=gpu\n" in (sweep.parent / "submitted.sh").read_text()
    assert workers_of(sweep, "55") == ["5", "6"]
    assert workers_of(sweep, "4") == ["5"]


def work(sweep: Path, states: str) -> str:
    """What worker 5 of driver 4 says until it ends."""
    a_command(sweep.parent / "bin", "squeue", f'case "$*" in {states} esac')
    lines = (sweep / "jobs.jsonl").read_text().replace('"partition"', '"poll": 0.01, "partition"')
    (sweep / "jobs.jsonl").write_text(lines)
    words = [sys.executable, "-m", "vmsbench", "work", "4", str(sweep)]
    done = subprocess.run(words, env=os.environ | {"SLURM_JOB_ID": "5"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_worker_stays_while_a_job_that_continues_its_driver_is_there(sweep: Path) -> None:
    continued(sweep)
    asked = sweep.parent / "asked"
    later = f"echo >> {asked}; [ $(wc -l < {asked}) -lt 2 ] && echo '55|PENDING||' || echo '55|COMPLETED||n1';;"
    assert "the driver's job is over" in work(sweep, f"*55*) {later} *) {each_job('COMPLETED||n1')};;")
    assert asked.read_text().count("\n") == 2


INVALID = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
AWAY = "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1"


def over(sweep: Path, squeue: str, patience: float = 0.3) -> bool:
    """Whether a worker of driver 4 finds in so many seconds that this is over, where no accounting is."""
    a_command(sweep.parent / "bin", "squeue", squeue)
    lines = (sweep / "jobs.jsonl").read_text().replace('"partition"', '"poll": 0.01, "partition"')
    (sweep / "jobs.jsonl").write_text(lines)
    worker = Worker(Allocation("5", 0, ("n1",), 4, (), notes(sweep)[0]["launcher"]), "4", sweep)
    until = time.monotonic() + patience
    found = False
    while not found and time.monotonic() < until:
        time.sleep(0.02)
        found = worker.driver_over()
    return found


def test_a_worker_takes_the_drivers_own_word_for_its_end_where_the_cluster_has_forgotten_it(sweep: Path) -> None:
    note(sweep, "began", job="4", launcher=notes(sweep)[0]["launcher"])
    assert not over(sweep, INVALID)
    note(sweep, "ended", job="4", code=75, final=True, continued_by="55")
    assert not over(sweep, INVALID), "another job continues it, which has yet to be noted"
    note(sweep, "submitted", job="55", after="4", launcher=notes(sweep)[0]["launcher"])
    note(sweep, "ended", job="55", code=0, final=True)
    assert over(sweep, INVALID)


def test_a_driver_is_over_that_the_cluster_has_no_record_of_and_that_owns_nothing_for_long_enough(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(sweep, "began", job="4", launcher=notes(sweep)[0]["launcher"])
    monkeypatch.setattr("vmsbench.launch.worker.SILENCE", 0.1)
    assert over(sweep, INVALID, patience=5.0)
    assert not over(sweep, AWAY), "a cluster that does not answer"
    assert not over(sweep, "echo '4|LAUNCH_FAILED||'"), "a state of a later version"
    with owned(sweep):
        assert not over(sweep, INVALID), "somebody has the sweep"
    (sweep.parent / "bin" / "squeue").unlink()
    monkeypatch.setenv("PATH", str(sweep.parent / "bin"))
    worker = Worker(Allocation("5", 0, ("n1",), 4, (), notes(sweep)[0]["launcher"]), "4", sweep)
    for _ in range(2):
        worker.asked = -1e9
        time.sleep(0.15)
        assert not worker.driver_over(), "no cluster to be asked from here"


def worker_of(driver: str, folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code and the words of a worker, job 5."""
    words = [sys.executable, "-m", "vmsbench", "work", driver, str(folder)]
    env = os.environ | {"SLURM_JOB_ID": "5"} | environment
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("squeue", ["exit 1", each_job("COMPLETED||n1")])
def test_a_worker_of_a_driver_that_the_sweep_does_not_have_is_refused(squeue: str, sweep: Path) -> None:
    a_command(sweep.parent / "bin", "squeue", squeue)
    code, said = worker_of("44", sweep)
    assert code == 2, said
    assert f"no job 44 drives a sweep in {sweep}; did you mean 4?  (there are: 4): give the number of the job" in said
    code, said = worker_of("5", sweep)
    assert code == 2, "a worker drives nothing"
    code, said = worker_of("4", sweep.parent / "gan")
    assert code == 2
    assert "no job 4 drives a sweep in" in said
    assert not (sweep.parent / "gan").exists()


@pytest.mark.parametrize(
    ("joined", "starting", "leaves"), [(False, 0.0, True), (False, 99.0, False), (True, 99.0, True)]
)
def test_a_worker_leaves_where_no_driver_is_there_for_long_enough(
    joined: bool, starting: float, leaves: bool, sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that has just started has more time."""
    a_command(sweep.parent / "bin", "squeue", each_job("COMPLETED||n1"))
    monkeypatch.setenv("VMSBENCH_IDLE", "0.01")
    monkeypatch.setattr("vmsbench.launch.worker.STARTING", starting)
    monkeypatch.setattr("vmsbench.launch.worker.PAUSE", 0.02)
    settings = {"_target_": PUBLIC["Slurm launcher"], "poll": 30.0 if leaves else 0.2}
    note(sweep, "submitted", job="4", launcher=settings)
    worker = Worker(Allocation("5", 0, ("n1",), 4, (), settings), "4", sweep)
    worker.joined = joined
    worker.until_over()
    assert worker.unused == leaves


def test_a_worker_waits_for_a_driver_that_runs_and_has_noted_nothing_yet(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it leave for want of trials, while a driver prepares; one that never notes anything is refused."""
    asked = sweep.parent / "asked"
    a_command(sweep.parent / "bin", "squeue", f"echo >> {asked}; {each_job('RUNNING||n1')}")
    monkeypatch.setenv("VMSBENCH_IDLE", "0.01")
    monkeypatch.setattr("vmsbench.launch.worker.STARTING", 0.5)
    monkeypatch.setattr("vmsbench.launch.worker.PAUSE", 0.02)
    worker = Worker(
        Allocation("5", 0, ("n1",), 4, (), {"_target_": PUBLIC["Slurm launcher"], "poll": 0.0}), "44", sweep
    )
    with pytest.raises(UserError, match="no job 44 drives a sweep in"):
        worker.until_over()
    assert asked.read_text().count("\n") > 1
    assert not worker.unused


def test_without_accounting_a_worker_that_left_is_not_taken_for_one_that_runs(sweep: Path) -> None:
    work(sweep, "*4*) echo '4|COMPLETED||n1';; *) exit 1;;")
    (sweep / "lock").touch()
    a_command(sweep.parent / "bin", "squeue", "exit 1")
    assert job_status(sweep, "4").phase == "running", "the driver, by its lock"
    assert job_status(sweep, "5").phase == "completed"
    note(sweep, "submitted", job="7", driver="4", launcher=notes(sweep)[0]["launcher"])
    assert job_status(sweep, "7").phase == "unknown", "nobody knows"
    Demand("4", sweep, Workers(2, cpus=4, gpus=1)).submit(0)
    assert workers_of(sweep, "4") == ["5", "7", "6"]


def test_what_workers_note_is_no_start_of_the_sweep(tmp_path: Path) -> None:
    for job in ("4", "4"):
        note(tmp_path, "began", job=job, progress=3)
        note_by_worker(tmp_path, "5", "ended", driver="4", code=0, final=True)
        note(tmp_path, "submitted", job="6", driver="4")
    assert fruitless(tmp_path) == 2


def test_workers_that_stay_and_other_shapes_have_no_demand(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4")
    assert demand_of(sweep) is None
    monkeypatch.setenv("VMSBENCH_ELASTIC", "2,4,1")
    assert demand_of(sweep) is None
    monkeypatch.setenv("VMSBENCH_IDLE", "60")
    found = demand_of(sweep)
    assert found is not None
    assert (found.driver, found.workers.count) == ("4", 2)
