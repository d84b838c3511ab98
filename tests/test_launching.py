"""Launchers: a contract that every one keeps, and the batch scripts with a Slurm that is only commands on the path."""

import operator
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launching.here import Here
from vmsbench.launching.launcher import Launcher
from vmsbench.launching.slurm import Slurm

ROOT = Path(__file__).parents[1]
LAUNCHERS: dict[str, Callable[[Path], Launcher]] = {
    "here": lambda folder: Here(),
    "submitit": lambda folder: Slurm(gpus=0, cluster="local", logs=str(folder)),
}
SCRIPTS = sorted((ROOT / "slurm").glob("sweep_*.sh"))


@pytest.mark.parametrize("make", LAUNCHERS.values(), ids=LAUNCHERS)
def test_a_launcher_runs_a_function_and_returns_what_it_returned(
    make: Callable[[Path], Launcher], tmp_path: Path
) -> None:
    assert make(tmp_path).submit(operator.mul, 6, 7).result() == 42


@pytest.mark.parametrize("make", LAUNCHERS.values(), ids=LAUNCHERS)
def test_what_a_function_raises_is_not_lost(make: Callable[[Path], Launcher], tmp_path: Path) -> None:
    with pytest.raises(Exception, match="division"):
        make(tmp_path).submit(operator.truediv, 1, 0).result()


def test_a_job_elsewhere_says_how_to_follow_and_stop_it(tmp_path: Path) -> None:
    job = LAUNCHERS["submitit"](tmp_path).submit(operator.mul, 6, 7)
    job.result()
    log = next(line for line in job.description.splitlines() if "tail -f" in line).split()[-1]
    assert Path(log).exists()
    assert "scancel" in job.description


def test_without_slurm_the_fix_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="sbatch is not found: run this on a cluster's login node"):
        Slurm(logs=str(tmp_path)).submit(operator.mul, 6, 7)


def test_a_refusal_is_told_in_slurms_own_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command(tmp_path, "srun", "exit 0")
    command(tmp_path, "sbatch", "echo 'sbatch: error: invalid partition specified: fast' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(UserError, match="invalid partition specified: fast"):
        Slurm(logs=str(tmp_path), partition="fast").submit(operator.mul, 6, 7)


def test_a_job_without_time_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"launcher.hours=0"):
        Slurm(hours=0)


def command(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/bash\n{script}\n")
    file.chmod(0o755)


def batch(tmp_path: Path, script: Path, vmsbench: str, *arguments: str, state: str = "RUNNING") -> tuple[int, str, str]:
    """Run a script as Slurm would; returns its status, its log and what was asked of scontrol."""
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    command(tools, "vmsbench", vmsbench)
    command(tools, "squeue", f"echo {state}")
    command(tools, "scontrol", f'echo "$@" >> {tmp_path}/asked')
    (tmp_path / "slurm").mkdir(exist_ok=True)
    (tmp_path / "slurm" / "sweep.sh").write_text((ROOT / "slurm" / "sweep.sh").read_text())
    job = {
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_ID": "7",
        "SLURM_GPUS_ON_NODE": "2",
        "SLURM_CPUS_PER_TASK": "4",
    }
    environment = os.environ | job | {"PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(script), *arguments], env=environment, capture_output=True, text=True, timeout=60
    )
    asked = tmp_path / "asked"
    return done.returncode, done.stdout + done.stderr, asked.read_text() if asked.exists() else ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_tunes_its_experiment_with_what_slurm_gave_and_what_was_added(script: Path, tmp_path: Path) -> None:
    status, log, asked = batch(tmp_path, script, 'printf "got %s\\n" "$@"', "searcher.rounds=2", "data.root=/a b")
    experiment = script.stem.removeprefix("sweep_")
    got = [line.removeprefix("got ") for line in log.splitlines() if line.startswith("got ")]
    assert got == ["tune", "--gpus", "2", "--cpus", "4", "--exp", experiment, "searcher.rounds=2", "data.root=/a b"]
    assert (status, asked) == (0, "")
    assert "job 7, restart 0, GPUs 2" in log


def test_an_unfinished_search_is_requeued(tmp_path: Path) -> None:
    assert batch(tmp_path, SCRIPTS[0], "exit 75")[::2] == (75, "requeue 7\n")


def test_a_cancelled_job_is_not_resurrected(tmp_path: Path) -> None:
    assert batch(tmp_path, SCRIPTS[0], "exit 75", state="COMPLETING")[::2] == (75, "")


def test_a_failure_is_not_requeued(tmp_path: Path) -> None:
    assert batch(tmp_path, SCRIPTS[0], "exit 2")[::2] == (2, "")


@pytest.mark.parametrize("signal", ["USR1", "TERM"])
def test_the_signal_before_the_limit_stops_the_search_gracefully(signal: str, tmp_path: Path) -> None:
    obeys = f"trap 'echo stopping; exit 75' USR1; kill -{signal} $PPID; while :; do sleep 0.1; done"
    status, log, asked = batch(tmp_path, SCRIPTS[0], obeys)
    assert (status, asked) == (75, "requeue 7\n")
    assert "stopping" in log


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_names_nothing_of_any_site(script: Path) -> None:
    flags = [line for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    assert flags
    for site in ("--account", "--partition", "--qos", "--constraint", "--gres=gpu:"):
        assert not any(site in flag for flag in flags)
