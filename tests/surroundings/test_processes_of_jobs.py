"""What the processes of a job set for themselves: no command line precedes them that has."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from submitit.core.utils import DelayedSubmission

from tests.support.processes.commands import a_command
from tests.support.processes.supervised import supervising
from vmsbench.launch.pickled import call_command, save_call

ROOT = Path(__file__).parents[2]
RAY = """
import os
import time
from pathlib import Path

status, limits = (Path(f"/proc/{os.getppid()}/{name}").read_text() for name in ("status", "limits"))
Path("umask").write_text(status.partition("Umask:")[2].split()[0])
Path("core").write_text(limits.partition("Max core file size")[2].split()[0])
print("Ray runtime started", flush=True)
time.sleep(2)
"""
"""A Ray that writes what the process that starts it has set, and soon ends."""


def run(folder: Path, *command: str, **environment: str) -> None:
    """Run a command with a umask that grants everything, and with core files as large as may be."""

    def most() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)

    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{folder}:{ROOT}", "TMPDIR": str(folder)} | environment
    done = subprocess.run(command, cwd=folder, env=env, umask=0, preexec_fn=most, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def joined(tmp_path: Path) -> Path:
    """The folder into which Ray wrote what a node's process had set as it joined."""
    scripts = tmp_path / "ray" / "scripts"
    scripts.mkdir(parents=True)
    (tmp_path / "ray" / "__init__.py").touch()
    (scripts / "__init__.py").touch()
    (scripts / "scripts.py").write_text(RAY)
    (tmp_path / "token").write_text("secret")
    join = ("join", "127.0.0.1:9", "--token", "token", "--job", "12", "--cpus", "1", "--gpus", "0")
    run(tmp_path, sys.executable, "-m", "vmsbench.ray_backend.cluster", *join)
    return tmp_path


def test_what_a_submitted_job_writes_cannot_be_written_by_everybody(tmp_path: Path) -> None:
    DelayedSubmission(Path.touch, tmp_path / "made").dump(tmp_path / "12_submitted.pkl")
    job = {
        "SLURM_JOB_ID": "12",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NTASKS": "1",
        "SLURM_NNODES": "1",
        "SUBMITIT_EXECUTOR": "slurm",
    }
    run(tmp_path, sys.executable, "-m", "vmsbench.launch.slurm.submitted", str(tmp_path), **job)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o664


def test_what_a_pickled_call_writes_cannot_be_written_by_everybody(tmp_path: Path) -> None:
    run(tmp_path, *call_command(save_call(tmp_path, Path.touch, tmp_path / "made")))
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o664


def test_what_trials_on_another_node_write_cannot_be_written_by_everybody(joined: Path) -> None:
    assert (joined / "umask").read_text() == "0002"


def test_a_node_that_joins_leaves_no_core_file(joined: Path) -> None:
    assert (joined / "core").read_text() == "0"


def test_what_a_job_supervises_leaves_no_core_file(tmp_path: Path) -> None:
    a_command(tmp_path / "bin", "child", f"ulimit -Sc > {tmp_path}/core")
    run(tmp_path, *supervising("runs/gan", tmp_path / "bin" / "child"))
    assert (tmp_path / "core").read_text() == "0\n"
