"""The end of a job's time, jobs that get nowhere, nodes that fail again, and what Slurm refuses."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.conftest import TINY, User, found, nothing_is_left, of_one_machine
from tests.slurm.lab import Lab
from tests.support.processes.broken_copy import broken

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

NODES = "--nodes 2 --gpus-per-node 2"
OVERLONG = ("--epochs", "300")  # more than fits into a job of two minutes
SOON = "VMSBENCH_NOTICE=20 sbatch --parsable --signal=B:USR1@20 --time 2"


def log_of(user: User, job: str) -> str:
    return (user.folder / f"vmsbench-unet-{job}.log").read_text()


def submitted(user: User, flags: str, *more: str) -> str:
    return user.says(f"{SOON} {flags} slurm/sweep_unet.sh {shlex.join([*TINY, *more])}").stdout.strip()


@pytest.fixture(scope="module")
def overlong_reference(lab: Lab) -> dict[str, Any]:
    return of_one_machine(lab, *OVERLONG)


def test_at_the_time_limit_the_job_saves_and_goes_back_into_the_queue(
    lab: Lab, user: User, overlong_reference: dict[str, Any]
) -> None:
    job = submitted(user, NODES, *OVERLONG)
    user.finishes(job, 900)
    log = log_of(user, job)
    assert "USR1: the time is nearly up, saving" in log
    assert "not finished; requeued" in log
    assert "restarts 1" in log
    assert found(user.folder / "runs" / "unet") == overlong_reference
    nothing_is_left(lab)


def test_where_no_job_is_queued_again_it_submits_its_continuation(
    lab: Lab, user: User, overlong_reference: dict[str, Any]
) -> None:
    first = job = submitted(user, f"--no-requeue {NODES}", *OVERLONG)
    jobs = [job]
    while True:
        user.wait_for(lambda job=job: user.over(job), f"job {job} to end", 300)  # type: ignore[misc]
        following = re.findall(r"continues as job (\d+)", log_of(user, first))
        if len(following) < len(jobs):
            break
        jobs.append(job := following[-1])
    assert len(jobs) > 1, user.logs()
    assert user.state(job) == "COMPLETED", user.logs()
    assert found(user.folder / "runs" / "unet") == overlong_reference
    assert f"job {job}" in user.says("vmsbench status unet").stdout
    nothing_is_left(lab)


def test_restarts_are_counted_and_end(lab: Lab, user: User) -> None:
    words = shlex.join([*TINY, *OVERLONG])
    job = user.says(
        f"VMSBENCH_MAX_RESTARTS=1 sbatch --parsable {NODES} --time 20 slurm/sweep_unet.sh {words}"
    ).stdout.strip()
    for restart in (0, 1):
        user.wait_for(lambda r=restart: f"restarts {r}" in user.logs() and user.state(job) == "RUNNING", "a start")  # type: ignore[misc]
        seen = user.epochs()
        user.wait_for(lambda seen=seen: user.epochs() > seen + 5, "a few epochs")  # type: ignore[misc]
        user.says(f"scancel --signal=USR1 --batch {job}")
        user.wait_for(lambda: user.state(job) != "RUNNING", "the job to leave")
    user.wait_for(lambda: user.over(job), "the job to be over", 60)
    assert "not finished after 1 restarts; to continue, submit it again" in log_of(user, job)
    nothing_is_left(lab)


def test_a_sweep_that_dies_again_and_again_stops_itself(lab: Lab, user: User) -> None:
    place = broken(
        user.folder / "broken",
        "sweep/tune.py",
        "        done = driver(sweep, stopping)\n",
        "        os.kill(os.getpid(), 9)\n        done = driver(sweep, stopping)\n",
    )
    command = user.folder / ".venv" / "bin" / "vmsbench"
    command.write_text(command.read_text().replace("PYTHONPATH=", f"PYTHONPATH={place}:"))
    job = user.sbatch(f"{NODES} --time 20")
    user.wait_for(lambda: user.over(job), "the job to give up", 120)
    assert user.state(job) == "FAILED"
    assert "it died 3 times without progress (killed by signal 9)" in log_of(user, job)
    nothing_is_left(lab)


def test_a_node_that_failed_twice_is_left_out_next_time(lab: Lab, user: User) -> None:
    job = user.sbatch(f"{NODES} --time 20", more=OVERLONG)
    for failures in (1, 2):
        seen = user.epochs()
        user.wait_for(lambda seen=seen: user.epochs() > seen + 5, "a few epochs")  # type: ignore[misc]
        lab.cut_power(2)
        user.wait_for(lambda: "n2" not in lab.ready(), "n2 to be missed", 90)
        left = "not finished; the job is"
        user.wait_for(lambda n=failures, left=left: user.logs().count(left) == n, "the job to leave")  # type: ignore[misc]
        lab.start_node(2)
        began = f"restarts {failures}  nodes n1,n2"
        user.wait_for(lambda began=began: began in user.logs(), "the job to begin again", 150)  # type: ignore[misc]
    user.says("vmsbench cancel unet")
    user.wait_for(lambda: user.over(job), "the job to end")
    words = shlex.join([*TINY, *OVERLONG])
    script = user.says(f"vmsbench tune --exp unet {words} launcher=slurm --nodes 1 --print").stdout
    assert "#SBATCH --exclude=n2" in script
    for folder in (lab.folder / "nodes" / "n2").glob("vmsbench*"):  # the next process there would; a cut node cannot
        shutil.rmtree(folder)


REFUSED = {
    "launcher.partition=nowhere": ("invalid partition", "launcher.partition; `sinfo` lists"),
    "launcher.partition=short --time 1:00:00": ("time limit", "--time"),
    "launcher.memory=900": ("memory|node configuration", "memory"),
    "--nodes 5": ("more processors|node count|node configuration", "--nodes"),
    "--gpus 7": ("node configuration", "--gpus"),
    "launcher.gpu_type=a100": ("node configuration|gres", "launcher.gpu_type"),
    "launcher.extra.reservation=none": ("reservation", "launcher.extra"),
    "launcher.extra.none_such=1": ("unrecognized option", "launcher.extra"),
}


@pytest.mark.parametrize(
    ("wrong", "shape"),
    [
        (wrong, shape)
        for wrong in REFUSED
        for shape in ("allocation", "elastic")
        if shape == "allocation" or "--nodes" not in wrong  # elastic workers join as they come, however many nodes
    ],
)
def test_what_slurm_refuses_is_one_line_and_nothing_is_half_submitted(
    wrong: str, shape: str, lab: Lab, user: User
) -> None:
    words, fix = REFUSED[wrong]
    command = f"vmsbench tune --exp unet {shlex.join(TINY)} launcher=slurm launcher.shape={shape} {wrong}"
    done = user.says(command, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert re.search(words, done.stderr.lower()), done.stderr
    assert fix in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    user.wait_for(lambda: user.says("squeue -h -t PD,R,CG").stdout == "", "no job to be left", 20)
    if shape == "allocation":
        assert [*(user.folder / "runs" / "slurm").glob("*")] == []


@pytest.mark.parametrize("where", ["/proc/none", "/dev/null/logs"])
def test_an_unwritable_log_folder_is_said_before_anything_is_submitted(where: str, lab: Lab, user: User) -> None:
    done = user.says(f"vmsbench tune --exp unet {shlex.join(TINY)} launcher=slurm launcher.folder={where}", check=False)
    assert done.returncode == 2
    assert f"cannot write to launcher.folder {Path(where)}" in done.stderr
    assert user.says("squeue -h").stdout == ""


def test_a_slurm_that_does_not_answer_is_said_and_nothing_is_submitted(lab: Lab, user: User) -> None:
    conf = user.folder / "slurm.conf"
    conf.write_text(re.sub(r"SlurmctldPort=\d+", "SlurmctldPort=9", lab.conf.read_text()))
    command = f"vmsbench tune --exp unet {shlex.join(TINY)} launcher=slurm"
    done = user.says(f"SLURM_CONF={conf} {command}", check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "sbatch" in done.stderr
    assert user.says("squeue -h").stdout == ""


def test_a_site_that_refuses_gpu_flags_is_not_asked_for_any(lab: Lab, user: User) -> None:
    asked = f"vmsbench tune --exp unet {shlex.join(TINY)} launcher=slurm launcher.gpu_form=none --time 10"
    script = user.says(f"{asked} --print").stdout
    assert "gpu" not in "".join(line for line in script.splitlines(keepends=True) if line.startswith("#SBATCH"))
    job = user.says(asked).stdout.split()[1].rstrip(",")
    user.finishes(job)
    assert "the best configuration is" in user.says("vmsbench logs unet").stdout
    nothing_is_left(lab)
