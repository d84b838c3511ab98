"""Jobs that had too little time on a real Slurm: the next one asks for more."""

import re
import shlex

import pytest

from tests.slurm.conftest import TINY, User, found, nothing_is_left
from tests.slurm.lab import Lab
from vmsbench.store.job_events import note
from vmsbench.versions import PUBLIC

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SLURM = {"_target_": PUBLIC["Slurm launcher"], "time": "4", "notice": 30}


def test_a_job_that_is_too_short_to_start_is_continued_by_longer_ones(
    lab: Lab, user: User, reference: dict[str, object]
) -> None:
    first = user.says(
        "VMSBENCH_MOST_TIME=20 VMSBENCH_NOTICE=20 sbatch --parsable --signal=B:USR1@20 --time 1 --gpus-per-node 2 "
        f"slurm/sweep_unet.sh {shlex.join(TINY)}"
    ).stdout.strip()
    log = user.folder / f"vmsbench-unet-{first}.log"
    finished = "the best configuration is"
    user.wait_for(lambda: log.exists() and finished in log.read_text(), "a job that is long enough", 400)
    asked = re.findall(r"continues as job (\d+), which asks for time=(\S+),", log.read_text())
    assert asked[0][1] == "00:02:00", log.read_text()
    assert found(user.folder / "runs" / "unet") == reference
    user.wait_for(lambda: not user.says("squeue -h").stdout, "the jobs to end", 60)
    nothing_is_left(lab)


def test_after_a_job_that_ended_at_its_time_limit_tune_asks_for_more(lab: Lab, user: User) -> None:
    job = user.says("sbatch --parsable --no-requeue -o /dev/null --time 1 --wrap 'sleep 200'").stdout.strip()
    note(user.folder / "runs" / "unet", "submitted", job=job, log="/dev/null", launcher=SLURM)
    user.wait_for(lambda: user.over(job), "the time to be up", 150)
    assert user.state(job) == "TIMEOUT"
    tune = f"vmsbench tune --exp unet {shlex.join(TINY)} launcher=slurm launcher.notice=30 launcher.most_time=20"
    done = user.says(f"{tune} --time 5 --print").stdout
    assert "#SBATCH --time=00:08:00\n" in done, "twice the four minutes that the last job asked for"
    assert "# asks for time=00:08:00, more than the job before" in done
    assert "#SBATCH --time=10\n" in user.says(f"{tune} --time 10 --print").stdout
