"""Launchers on a real scheduler: Slurm itself, and the sample plugin's PBS, whose commands Debian's wrappers play.

The wrappers (slurm-wlm-torque) hand qsub, qstat and qdel on to Slurm. They set no PBS_* variable in a job, know no
ngpus and no exit status, kill at once where PBS asks first, and their qrerun fails; the tests stand in for the
variables and for qrerun.
"""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.conftest import ROOT, TINY, User, found, nothing_is_left, of_one_machine
from tests.slurm.lab import Lab, obstacle
from tests.support.plugin import SAMPLE, plain_folder
from vmsbench.config.instantiate import build
from vmsbench.config.plugins import VARIABLE
from vmsbench.launch.launcher import Launcher
from vmsbench.testing import launcher_contract
from vmsbench.versions import PUBLIC

pytestmark = pytest.mark.slow

VARIABLES = "export PBS_JOBID=$SLURM_JOB_ID PBS_NODEFILE=$(generate_pbs_nodefile)"
SMALL = {"gpus": 0, "cpus": 1, "time": "00:05:00", "poll": 0.5}


SHORT = ("--epochs", "12")
PLUGINS_METRIC = "hits_true"


def without(metric: str, outcome: dict[str, Any]) -> dict[str, Any]:
    finals = outcome["finals"].items()
    return outcome | {"finals": {trial: {k: v for k, v in scores.items() if k != metric} for trial, scores in finals}}


@pytest.fixture
def on_login_node(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """This very process is on the cluster's login node."""
    if why_not := obstacle(pbs=True):
        pytest.skip(why_not)
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, lab.environment[name])
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{SAMPLE}")
    monkeypatch.syspath_prepend(str(SAMPLE))


@pytest.fixture
def pbs_user(user: User) -> User:
    """Somebody with the sample plugin as a folder, on a cluster whose qrerun works."""
    if why_not := obstacle(pbs=True):
        pytest.skip(why_not)
    folder = plain_folder(user.folder / "my_conf")
    command = user.folder / ".venv" / "bin" / "vmsbench"
    command.write_text(command.read_text().replace("PYTHONPATH=", f"{VARIABLE}={folder} PYTHONPATH="))
    qrerun = command.with_name("qrerun")
    qrerun.write_text('#!/bin/bash\nexec scontrol requeue "$1"\n')
    qrerun.chmod(0o755)
    return user


@pytest.mark.usefixtures("on_login_node")
@pytest.mark.parametrize(
    "settings",
    [{"_target_": PUBLIC["Slurm launcher"]}, {"_target_": "vmsbench_sample.pbs.PbsLauncher", "setup": [VARIABLES]}],
    ids=["slurm", "pbs"],
)
def test_a_launcher_keeps_its_contract_on_a_real_scheduler(settings: dict[str, Any], lab: Lab, user: User) -> None:
    def make(folder: Path) -> Launcher:
        launcher: Launcher = build({**settings, **SMALL, "folder": str(folder)})
        return launcher

    launcher_contract(make, user.folder / "jobs")


@pytest.mark.cluster
def test_a_sweep_in_a_pbs_job_is_interrupted_and_finds_what_one_machine_finds(lab: Lab, pbs_user: User) -> None:
    user, words = pbs_user, shlex.join([*TINY, *SHORT, "launcher=pbs", f"launcher.setup=[{VARIABLES!r}]"])
    said = user.says(f"vmsbench tune --exp unet {words} --cpus 4 --time 00:20:00").stdout
    job = re.match(r"job (\d+), log (\S+), cancel with: `qdel", said)
    assert job, said
    assert said.splitlines()[1:] == ["  vmsbench status unet", "  vmsbench logs unet", "  vmsbench cancel unet"]
    user.wait_for(lambda: user.epochs() > 2, "a few epochs")
    assert re.search(rf"job {job[1]} R on n\d  \(qstat\)", user.says("vmsbench status unet").stdout)
    user.says(f"scancel --signal=USR1 --batch {job[1]}")
    user.finishes(job[1], 900)
    log = Path(job[2]).read_text()
    assert "USR1: the time is nearly up, saving" in log
    assert "not finished; requeued" in log
    assert re.search(rf"job {job[1]}  restarts 1  nodes n\d  GPUs none", log)
    assert without(PLUGINS_METRIC, found(user.folder / "runs" / "unet")) == of_one_machine(lab, *SHORT)
    assert f"job {job[1]} C" in user.says("vmsbench status unet").stdout
    assert "the best configuration is" in user.says("vmsbench logs unet").stdout
    assert user.says("vmsbench cancel unet").stdout == "unet: it has no job\n"
    nothing_is_left(lab)


def test_what_a_pbs_launcher_has_no_setting_for_is_refused_in_a_line(pbs_user: User) -> None:
    command = f"vmsbench tune --exp unet {shlex.join(TINY)} launcher=pbs"
    done = pbs_user.says(f"{command} --nodes 2", check=False)
    assert done.returncode == 2
    assert done.stderr == "error: --nodes: vmsbench_sample.pbs.PbsLauncher has no setting nodes; leave out --nodes\n"
    script = pbs_user.says(f"{command} --print --cpus 3").stdout
    assert "#PBS -l select=1:ncpus=3\n" in script
    assert "#PBS -N vmsbench-unet\n" in script
