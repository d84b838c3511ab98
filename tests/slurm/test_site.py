"""`vmsbench site` on a real Slurm: what it writes is what jobs start with."""

import re

import pytest
import yaml

from tests.slurm.conftest import User
from tests.slurm.lab import Lab

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


def test_what_site_init_writes_starts_a_job(lab: Lab, user: User) -> None:
    said = user.says("vmsbench site init").stdout
    found = yaml.safe_load((user.folder / "vmsbench" / "site.yaml").read_text())
    assert found == {
        **{"partition": "low", "gpu_form": "gpus-per-node", "time": "08:00:00", "memory_form": "mem"},
    }, said
    assert "cluster lab" in said
    assert re.search(r"partition +low +nodes: 2, GPUs on one: 2, no time limit", said)
    assert re.search(r"account +left out +Slurm's accounting names none", said)
    shown = user.says("SBATCH_TIMELIMIT=20 vmsbench site show launcher.memory=1").stdout.splitlines()
    sources = {words[0]: words[1:] for words in map(str.split, shown)}
    assert (sources["partition"], sources["time"]) == (["low", "site.yaml"], ["20", "$SBATCH_TIMELIMIT"])
    assert (sources["memory"], sources["nodes"]) == (["1.0", "command", "line"], ["1", "default"])
    check = user.says("vmsbench tune --exp unet data=standin launcher=slurm launcher.memory=1 --check").stdout
    assert "to start at" in check
    assert not [*(user.folder / "runs").glob("slurm/*")]


def test_a_partition_of_short_jobs_gets_its_own_limit(lab: Lab, user: User) -> None:
    user.says("vmsbench site init launcher.partition=short")
    found = yaml.safe_load((user.folder / "vmsbench" / "site.yaml").read_text())
    assert (found["partition"], found["time"]) == ("short", "00:05:00")


def test_a_slurm_that_is_away_is_one_line(lab: Lab, user: User) -> None:
    conf = user.folder / "slurm.conf"
    conf.write_text(re.sub(r"SlurmctldPort=\d+", "SlurmctldPort=9", lab.conf.read_text()))
    done = user.says(f"SLURM_CONF={conf} vmsbench site init", check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert not (user.folder / "vmsbench" / "site.yaml").exists()
