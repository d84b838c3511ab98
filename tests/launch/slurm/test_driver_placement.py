"""Which process of a job may drive a sweep: the others say the command that works, in one line."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STEP = {"SLURM_JOB_ID": "12", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURMD_NODENAME": "n1"}
SALLOC = {"SLURM_JOB_ID": "12", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_CPUS_PER_NODE": "4(x2)"}


def vmsbench(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    """The exit code and the words of a command in a job."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    path = {"PATH": f"{folder / 'bin'}:{clean['PATH']}", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "vmsbench", *words]
    done = subprocess.run(command, env=clean | path | environment, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("words", [["job", "tune", "--exp", "unet"], ["tune", "--exp", "unet"]], ids=" ".join)
def test_a_further_task_of_srun_starts_nothing(words: list[str], tmp_path: Path) -> None:
    code, said = vmsbench(tmp_path, *words, **STEP, SLURM_PROCID="1")
    assert code == 2, said
    assert "task 1 of the 2 of an srun step" in said
    assert said.endswith("it joins the nodes itself: `vmsbench job tune --exp unet`\n")
    assert not (tmp_path / "runs" / "unet").exists()


@pytest.mark.parametrize("words", [["tune", "--exp", "unet"], ["train", "--exp", "unet"]], ids=" ".join)
def test_the_shell_of_salloc_on_the_login_node_starts_nothing(words: list[str], tmp_path: Path) -> None:
    code, said = vmsbench(tmp_path, *words, **SALLOC)
    assert code == 2, said
    line = f"`srun --jobid=12 --overlap --nodes=1 --ntasks=1 --cpus-per-task=4 vmsbench {' '.join(words)}`"
    assert (
        f"is not a node of job 12 (n[1-2]); this starts it there, and it joins the other nodes itself: {line}" in said
    )


@pytest.mark.parametrize(
    "environment",
    [
        STEP | {"SLURM_PROCID": "0"},
        SALLOC | {"SLURMD_NODENAME": "n1", "SLURM_PROCID": "0"},
        SALLOC | {"SLURM_JOB_NODELIST": f"{socket.gethostname()},n[1-2]"},
        {},
    ],
    ids=["first task", "batch script", "salloc on a node", "no job"],
)
def test_others_are_asked_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    code, said = vmsbench(tmp_path, "job", "true-command", **environment)
    assert "srun" not in said, said
    assert "No such command" in said
    assert code == 2


@pytest.mark.parametrize("words", [["job", "tune", "--exp", "unet"], ["tune", "--exp", "unet"]], ids=" ".join)
def test_a_heterogeneous_job_starts_nothing_and_says_what_works(words: list[str], tmp_path: Path) -> None:
    code, said = vmsbench(tmp_path, *words, SLURM_JOB_ID="12", SLURM_HET_SIZE="2", SLURMD_NODENAME="n1")
    assert code == 2, said
    assert "heterogeneous job (`sbatch A : B`), and a sweep has one kind of node: submit A alone" in said
    assert not (tmp_path / "runs" / "unet").exists()
