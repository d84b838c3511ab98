"""What people submit besides the shipped scripts: srun, arrays, salloc, totals, plain `tune`; and what befalls them."""

import os
import re
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.conftest import LONG, TINY, User, found, nothing_is_left
from tests.slurm.lab import Lab

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

TUNE = f"tune --exp unet {shlex.join(TINY)}"
LONG_TUNE = f"{TUNE} {shlex.join(LONG)}"
ONE = "--nodes 1 --gpus-per-node 2 --time 20"


def submitted(user: User, flags: str, line: str) -> str:
    """A batch script of somebody's own, whose last line this is; returns the job's number."""
    (user.folder / "own.sh").write_text(f"#!/bin/bash\nsource .venv/bin/activate\n{line}\n")
    return user.says(f"sbatch --parsable --open-mode=append -o own-%A_%a.log {flags} own.sh").stdout.strip()


def log_of(user: User, job: str, task: str = "4294967294") -> str:
    return (user.folder / f"own-{job}_{task}.log").read_text()


def logs_of_the_refused(lab: Lab) -> int:
    """How many commands on the nodes were refused: each leaves its traceback in a log, which is taken away."""
    logs = [*(lab.folder / "nodes").glob("n*/vmsbench-error-*.log")]
    for log in logs:
        log.unlink()
    return len(logs)


def sweep(user: User, name: str = "unet") -> Path:
    return user.folder / "runs" / name


def epochs_of_each(folder: Path) -> set[int]:
    return {len(file.read_text().splitlines()) for file in folder.glob("*/*/history.jsonl")}


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ("--nodes 2 --ntasks-per-node=1 --gpus-per-node 2", f"srun vmsbench {TUNE}"),
        ("--nodes 2 --ntasks-per-node=1 --gpus-per-node 2", f"srun vmsbench job {TUNE}"),
        ("--nodes 1 --ntasks=2 --gpus-per-node 2", f"srun vmsbench {TUNE}"),
    ],
    ids=["tune", "job tune", "on one node"],
)
def test_of_several_tasks_of_srun_one_drives(
    flags: str, line: str, lab: Lab, user: User, reference: dict[str, Any]
) -> None:
    job = submitted(user, f"{flags} --time 10", line)
    user.wait_for(lambda: user.over(job), f"job {job} to end", 300)
    assert log_of(user, job).count("task 1 of the 2 of an srun step") == 1, user.logs()
    assert found(sweep(user)) == reference
    assert epochs_of_each(sweep(user)) == {3}
    assert logs_of_the_refused(lab) == 1
    nothing_is_left(lab)


def test_each_task_of_an_array_is_requeued_and_cancelled_alone(
    lab: Lab, user: User, long_reference: dict[str, Any]
) -> None:
    name = "unet-s$SLURM_ARRAY_TASK_ID"
    job = submitted(user, f"{ONE} --array=0-1", f'exec vmsbench job {LONG_TUNE} --name "{name}"')
    user.wait_for(lambda: all(user.epochs(f"unet-s{task}") > 5 for task in (0, 1)), "a few epochs of both")
    user.says(f"scancel --signal=USR1 --batch {job}_0")
    user.wait_for(lambda: "restarts 1" in log_of(user, job, "0"), "the task to start again")
    user.says("vmsbench cancel unet-s1")
    user.wait_for(lambda: user.over(f"{job}_1"), "the other to be cancelled", 60)
    user.wait_for(lambda: user.over(f"{job}_0"), "the task to end", 400)
    assert "restarts 1" not in log_of(user, job, "1")
    assert user.state(f"{job}_0") == "COMPLETED", user.logs()
    assert f"job {job}_0" in user.says("vmsbench status unet-s0").stdout
    assert "unet-s1: interrupted" in user.says("vmsbench status unet-s1").stdout
    assert found(sweep(user, "unet-s0")) == long_reference
    nothing_is_left(lab)


def test_the_line_that_sallocs_shell_is_told_trains_on_the_nodes(
    lab: Lab, user: User, reference: dict[str, Any]
) -> None:
    (user.folder / "shell.sh").write_text(
        f"vmsbench {TUNE} 2> refused && exit 3\nls runs/unet && exit 4\n"
        'line=$(sed -n \'s/.*`\\(srun .*\\)`.*/\\1/p\' refused); echo "$line"; eval "$line"\n'
    )
    done = user.says("salloc --quiet --nodes 2 -c 4 --gres=gpu:1 --time 10 bash shell.sh 2> said", check=False)
    said = done.stdout + (user.folder / "said").read_text()
    assert done.returncode == 0, said
    assert len((user.folder / "refused").read_text().splitlines()) == 1
    assert "2 trials at once on 2 nodes of 4 cores, 1 GPU each" in said, said
    assert found(sweep(user)) == reference
    nothing_is_left(lab)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--nodes 2 --ntasks-per-node 1 --cpus-per-task 2 --gpus 3", r"3 trials at once on 2 nodes"),
        ("--nodes 2 --ntasks 5 --cpus-per-task 1", r"5 trials at once on 2 nodes"),
        ("--nodes 2 --gpus-per-node 1 --cpus-per-gpu 3 --mem-per-gpu 2G", r"2 trials at once on 2 nodes of 3 cores"),
        ("--nodes 1 --cpus-per-task 4 --mem-per-cpu 700M --gpus-per-task 2 --ntasks 1", r"2 trials at once"),
    ],
)
def test_whatever_is_asked_for_is_used(flags: str, said: str, lab: Lab, user: User, reference: dict[str, Any]) -> None:
    job = submitted(user, f"{flags} --time 10", f"exec vmsbench job {TUNE}")
    user.finishes(job, 300)
    assert re.search(said, log_of(user, job)), user.logs()
    assert "nodes joined within" not in log_of(user, job)
    assert found(sweep(user)) == reference
    nothing_is_left(lab)


def test_a_plain_tune_trains_and_says_that_nothing_looks_after_it(
    lab: Lab, user: User, reference: dict[str, Any]
) -> None:
    job = submitted(user, f"{ONE}", f"vmsbench {TUNE}")
    user.finishes(job, 300)
    assert f"note: when the time of job {job} is up nothing saves this sweep" in log_of(user, job)
    assert "exec vmsbench job tune --exp unet" in log_of(user, job)
    assert found(sweep(user)) == reference


def test_a_controller_that_is_away_at_the_jobs_end_is_waited_for(
    lab: Lab, user: User, long_reference: dict[str, Any]
) -> None:
    job = submitted(user, f"{ONE} --requeue --signal=B:USR1@120", f"exec vmsbench job {LONG_TUNE}")
    user.wait_for(lambda: user.epochs() > 5, "a few epochs")
    controller = lab.pid("slurmctld")
    assert controller is not None
    os.kill(controller, signal.SIGSTOP)
    try:
        (supervisor, *_) = lab.processes(1, "vmsbench job")
        lab.on_node(1, "kill", "-USR1", str(supervisor))
        time.sleep(25)  # longer than Slurm's commands wait for an answer
    finally:
        os.kill(controller, signal.SIGCONT)
    user.wait_for(lambda: "restarts 1" in log_of(user, job), "the job to start again")
    user.finishes(job, 400)
    assert "gone" not in log_of(user, job)
    assert found(sweep(user)) == long_reference
    nothing_is_left(lab)


def test_a_continuation_has_the_memory_the_node_and_the_cpus_of_the_first_job(
    lab: Lab, user: User, long_reference: dict[str, Any]
) -> None:
    flags = "--no-requeue --mem=0 --exclusive --gpus-per-node 2 -w n2 -c 2 --nodes 1 --time 20"
    job = submitted(user, flags, f"exec vmsbench job {LONG_TUNE}")
    user.wait_for(lambda: user.epochs() > 5, "a few epochs")
    first = facts(user, job)
    user.says(f"scancel --signal=USR1 --batch {job}")
    user.wait_for(lambda: "continues as job" in log_of(user, job), "the continuation")
    (following,) = re.findall(r"continues as job (\d+)", log_of(user, job))
    user.wait_for(lambda: user.state(following) != "PENDING", "the continuation to start")
    assert facts(user, following) == first
    user.finishes(following, 400)
    assert found(sweep(user)) == long_reference
    nothing_is_left(lab)


def facts(user: User, job: str) -> dict[str, str]:
    said = dict(re.findall(r"(\S+?)=(\S*)", user.says(f"scontrol show job {job}").stdout))
    asked = ("ReqNodeList", "MinMemoryNode", "MinMemoryCPU", "OverSubscribe", "CPUs/Task", "TresPerNode", "TimeLimit")
    return {name: said.get(name, "") for name in (*asked, "NumNodes", "NumCPUs", "Partition")}


def test_while_a_job_is_suspended_no_other_takes_its_sweep(
    lab: Lab, user: User, long_reference: dict[str, Any]
) -> None:
    job = submitted(user, f"{ONE} -w n1", f"exec vmsbench job {LONG_TUNE}")
    user.wait_for(lambda: user.epochs() > 5, "a few epochs")
    user.says(f"scontrol suspend {job}")
    seen = user.epochs()
    other = submitted(user, f"{ONE} -w n2 --no-requeue", f"exec vmsbench job {LONG_TUNE}")
    time.sleep(125)  # longer than a lock's owner may be silent
    assert user.epochs() <= seen + 1
    user.says(f"scontrol resume {job}")
    user.finishes(job, 400)
    user.wait_for(lambda: user.over(other), "the other to end", 120)
    assert found(sweep(user)) == long_reference
    assert {file.read_text().count('"epoch": 1,') for file in sweep(user).glob("*/*/history.jsonl")} == {1}
    assert logs_of_the_refused(lab) <= 1
    nothing_is_left(lab)
