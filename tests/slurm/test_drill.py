"""The fire drill on a real Slurm: every recovery is seen, and the one that a broken handler spoils is named."""

import subprocess

import pytest

from tests.slurm.conftest import User
from tests.slurm.lab import Lab
from tests.support.processes.broken_copy import broken

DRILL = "vmsbench drill launcher=slurm --nodes 2 --gpus 2 --epochs 60 launcher.cpus=2"


def drilled(user: User, command: str) -> "subprocess.CompletedProcess[str]":
    return user.lab.run("bash", "-c", command, check=False, cwd=user.folder, env=user.environment, timeout=900)


@pytest.mark.slow
@pytest.mark.cluster
def test_the_drill_sees_every_recovery(lab: Lab, user: User) -> None:
    done = drilled(user, DRILL)
    assert done.returncode == 0, done.stdout + done.stderr + user.logs()
    said = [line.split()[:2] for line in done.stdout.splitlines()]
    assert said == [["PASS", name] for name in ("signal", "requeue", "trial", "driver", "result")]


@pytest.mark.slow
@pytest.mark.cluster
def test_the_drill_goes_red_where_jobs_are_not_queued_again(lab: Lab, user: User) -> None:
    words = '"requeue" if requeue else "no-requeue": True', '"no-requeue": True'
    place = broken(user.folder / "broken", "launch/slurm/flags.py", *words)
    command = user.folder / ".venv" / "bin" / "vmsbench"
    text = command.read_text()
    command.write_text(text.replace("PYTHONPATH=", f"PYTHONPATH={place}:"))
    done = drilled(user, f"{DRILL} --patience 90")
    assert done.returncode == 1
    assert "FAIL  requeue" in done.stdout, done.stdout + done.stderr
