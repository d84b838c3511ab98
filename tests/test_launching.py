"""Launchers: every one of them really runs something. The batch scripts, with Slurm's commands played by small ones."""

import inspect
import os
import re
import signal
import stat
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from vmsbench.build import build
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launching.here import Here
from vmsbench.launching.launcher import Job, Launcher
from vmsbench.launching.slurm import Resumable, Slurm

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "slurm").glob("sweep_*.sh"))


def a_launcher(name: str, folder: Path) -> Launcher:
    if name == "here":
        return Here()
    return Slurm(gpus=0, cpus=1, hours=0.1, folder=folder / "jobs", cluster="local")


@pytest.fixture(params=["here", "submitit"])
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Launcher:
    return a_launcher(request.param, tmp_path)


# Every launcher. The functions are other modules' own, importable in any process.


def test_every_launcher_returns_what_the_function_returns(launcher: Launcher) -> None:
    job = launcher.submit(os.path.commonprefix, ["network.width", "network.depth"])
    job.wait()
    assert job.result() == "network."
    assert job.result() == "network."


def test_every_launcher_runs_a_partial(launcher: Launcher) -> None:
    assert launcher.submit(partial(sorted, reverse=True), [1, 3, 2]).result() == [3, 2, 1]


def test_every_launcher_hands_back_the_error_with_its_words(launcher: Launcher) -> None:
    job = launcher.submit(int, "twelve")
    job.wait()
    with pytest.raises(Exception, match=r"invalid literal for int.*'twelve'"):
        job.result()


def test_every_launcher_describes_its_job_in_a_line(launcher: Launcher) -> None:
    job = launcher.submit(len, "abc")
    assert job.description
    assert "\n" not in job.description
    job.wait()


@pytest.mark.parametrize("option", sorted((ROOT / "conf" / "launcher").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_option_names_all_settings_and_builds(option: Path) -> None:
    from omegaconf import OmegaConf

    config: Any = OmegaConf.to_container(OmegaConf.load(option))
    launcher = build(config)
    assert isinstance(launcher, Launcher)
    settings = set(inspect.signature(type(launcher)).parameters)
    assert settings == set(config) - {"_target_"}


# Here


def test_here_keeps_the_error_itself() -> None:
    job: Job = Here().submit(build, {"_target_": "vmsbench.no_such.Thing"})
    with pytest.raises(ConfigurationError, match="no_such"):
        job.result()


# Slurm


def a_command(folder: Path, name: str, script: str) -> None:
    """A program called `name`, for a PATH that begins with `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of PATH where sbatch and srun are, as on a login node."""
    programs = tmp_path / "bin"
    a_command(programs, "sbatch", f'cp "$1" {tmp_path}/submitted.sh; echo Submitted batch job 4711')
    a_command(programs, "srun", "true")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return programs


def test_a_job_asks_slurm_for_what_it_was_told(cluster: Path, tmp_path: Path) -> None:
    launcher = Slurm(
        nodes=2,
        gpus=4,
        cpus=16,
        hours=1.5,
        memory=64,
        partition="gpu",
        account="me",
        setup=["module load cuda"],
        folder=tmp_path / "jobs",
        extra={"qos": "long"},
    )
    job = launcher.submit(len, "abc")
    script = (tmp_path / "submitted.sh").read_text()
    for flag in (
        "nodes=2",
        "gpus-per-node=4",
        "cpus-per-task=16",
        "time=90",
        "mem=64GB",
        "partition=gpu",
        "account=me",
    ):
        assert f"#SBATCH --{flag}\n" in script
    for line in ("#SBATCH --qos=long", "#SBATCH --requeue", "#SBATCH --signal=USR2@120", "module load cuda"):
        assert f"{line}\n" in script
    assert script.index("module load cuda") < script.index("\nsrun ")
    assert "4711" in job.description
    assert f"{tmp_path}/jobs/4711_0_log.out" in job.description
    assert job.description.endswith("scancel 4711")


def test_a_job_asks_for_nothing_it_was_not_told(cluster: Path, tmp_path: Path) -> None:
    Slurm(gpus=0, folder=tmp_path / "jobs").submit(len, "abc")
    script = (tmp_path / "submitted.sh").read_text()
    for flag in ("gpu", "partition", "account", "mem", "qos", "constraint"):
        assert f"#SBATCH --{flag}" not in script
    assert "submitit" not in "".join(line for line in script.splitlines() if "wckey" in line)


def test_a_refusal_is_in_slurms_own_words(cluster: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = "sbatch: error: invalid partition specified: gppu"
    a_command(cluster, "sbatch", f"echo '{words}' >&2; echo 'sbatch: error: Batch job submission failed' >&2; exit 1")
    with pytest.raises(UserError, match=r"invalid partition specified: gppu.*launcher\.partition") as caught:
        Slurm(partition="gppu", folder=tmp_path / "jobs").submit(len, "abc")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_an_sbatch_that_says_nothing_of_a_job_is_a_refusal(cluster: Path, tmp_path: Path) -> None:
    a_command(cluster, "sbatch", "echo maintenance today")
    with pytest.raises(UserError, match="maintenance today"):
        Slurm(folder=tmp_path / "jobs").submit(len, "abc")


def test_without_sbatch_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"sbatch not found: .*login node, or drop launcher=slurm"):
        Slurm(folder=tmp_path / "jobs").submit(len, "abc")
    assert not (tmp_path / "jobs").exists()


def test_functions_that_a_job_could_not_import_are_refused(tmp_path: Path) -> None:
    def inner() -> None: ...

    for function in (inner, lambda: None, partial(inner)):
        with pytest.raises(UserError, match="cannot be imported inside a job"):
            a_launcher("submitit", tmp_path).submit(function)


@pytest.mark.parametrize("wrong", [{"nodes": 0}, {"gpus": -1}, {"cpus": 0}, {"hours": 0}, {"cluster": "pbs"}], ids=str)
def test_settings_that_no_cluster_takes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Slurm(**wrong)


def test_a_job_whose_time_is_up_begins_again_with_the_same_arguments() -> None:
    again = Resumable(sorted).checkpoint([2, 1])
    assert again.function(*again.args, **again.kwargs) == [1, 2]


# The batch scripts


def flags(script: Path) -> dict[str, str]:
    found = re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", script.read_text(), re.MULTILINE)
    return dict(found)


def test_there_is_a_script_for_each_family() -> None:
    assert [script.stem for script in SCRIPTS] == ["sweep_diffusion", "sweep_gan", "sweep_unet"]


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / "slurm" / "sweep.sh"], ids=lambda path: path.stem)
def test_every_script_is_bash(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_fits_any_site_and_comes_back(script: Path) -> None:
    asked = flags(script)
    assert not {"account", "partition", "qos", "gres", "gpus", "gpus-per-node", "constraint", "mem"} & set(asked)
    assert asked["nodes"] == "1"
    assert asked["signal"] == "B:USR1@120"
    assert asked["open-mode"] == "append"
    assert asked["output"] == "%x-%j.log"
    assert "requeue" in asked
    assert os.access(script, os.X_OK)


class Node:
    """A compute node: the script begun as Slurm begins it, with a small vmsbench, squeue and scontrol."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs = folder, folder / "bin"
        (folder / "slurm").symlink_to(ROOT / "slurm")
        self.state("RUNNING")
        a_command(self.programs, "scontrol", f'echo "$@" >> {folder}/asked')

    def state(self, state: str) -> None:
        a_command(self.programs, "squeue", f"echo {state}")

    def vmsbench(self, script: str) -> None:
        a_command(self.programs, "vmsbench", script)

    def begin(self, *arguments: str, script: str = "sweep_gan", **environment: str) -> "subprocess.Popen[str]":
        spooled = self.folder / "slurm_script"  # sbatch runs a copy, elsewhere
        spooled.write_text((ROOT / "slurm" / f"{script}.sh").read_text())
        told = {"SLURM_SUBMIT_DIR": str(self.folder), "SLURM_JOB_ID": "12", "PATH": f"{self.programs}:/usr/bin:/bin"}
        return subprocess.Popen(
            ["bash", spooled, *arguments],
            env=told | environment,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def requeued(self) -> bool:
        asked = self.folder / "asked"
        return asked.exists() and asked.read_text() == "requeue 12\n"

    def ready(self) -> None:
        for _ in range(2000):
            if (self.folder / "ready").exists():
                return
            time.sleep(0.005)
        raise AssertionError("vmsbench was never begun")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def leaves_unfinished(folder: Path) -> str:
    """A vmsbench that saves and leaves with 75 when it is signalled, however often."""
    told = "trap 'echo saving >> said' USR1 TERM"
    return f"cd {folder}; {told}; touch ready; while [ ! -e said ]; do sleep 0.01; done; sleep 0.1; exit 75"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_arguments_and_gpus_reach_vmsbench(script: Path, node: Node) -> None:
    node.vmsbench('printf "<%s>" "$@"')
    job = node.begin("data.root=/a b", "searcher.rounds=2", script=script.stem, SLURM_GPUS_ON_NODE="4")
    said, _ = job.communicate()
    family = script.stem.removeprefix("sweep_")
    assert f"<tune><--exp><{family}><--gpus><4><data.root=/a b><searcher.rounds=2>" in said
    assert "job 12  restarts 0" in said.splitlines()[0]
    assert said.splitlines()[1].startswith(f"vmsbench tune --exp {family} --gpus 4 data.root=/a\\ b")
    assert job.returncode == 0


def test_outside_of_slurm_it_is_an_ordinary_script(node: Node) -> None:
    node.vmsbench('printf "<%s>" "$@"; exit 75')
    job = node.begin(SLURM_JOB_ID="", SLURM_CPUS_PER_TASK="8")
    said, _ = job.communicate()
    assert "<--gpus><0><--cpus><8>" in said
    assert job.returncode == 75
    assert not node.requeued()


@pytest.mark.parametrize("sent", [signal.SIGUSR1, signal.SIGTERM], ids=["time", "preemption"])
def test_a_signal_is_passed_on_and_the_job_is_queued_again(sent: signal.Signals, node: Node) -> None:
    node.vmsbench(leaves_unfinished(node.folder))
    job = node.begin()
    node.ready()
    job.send_signal(sent)
    job.communicate()
    assert (node.folder / "said").read_text() == "saving\n"
    assert node.requeued()
    assert job.returncode == 75


def test_a_cancelled_job_stays_cancelled(node: Node) -> None:
    node.vmsbench(leaves_unfinished(node.folder))
    job = node.begin()
    node.ready()
    node.state("COMPLETING")
    job.send_signal(signal.SIGTERM)
    said, _ = job.communicate()
    assert not node.requeued()
    assert "COMPLETING" in said


def test_a_job_that_never_finishes_is_not_queued_for_ever(node: Node) -> None:
    node.vmsbench("exit 75")
    job = node.begin(SLURM_RESTART_COUNT="3", VMSBENCH_MAX_RESTARTS="3")
    said, _ = job.communicate()
    assert not node.requeued()
    assert "after 3 restarts" in said


@pytest.mark.parametrize("code", [0, 1, 2])
def test_any_other_end_is_the_jobs_own(code: int, node: Node) -> None:
    node.vmsbench(f"exit {code}")
    job = node.begin()
    job.communicate()
    assert job.returncode == code
    assert not node.requeued()


def test_without_vmsbench_it_says_what_to_do(node: Node) -> None:
    job = node.begin()
    said, _ = job.communicate()
    assert "make install" in said
    assert job.returncode == 127


def test_the_environment_beside_the_scripts_is_activated(node: Node) -> None:
    (node.folder / ".venv" / "bin").mkdir(parents=True)
    (node.folder / ".venv" / "bin" / "activate").write_text("export HELLO=from-the-environment\n")
    node.vmsbench('echo "$HELLO"')
    said, _ = node.begin().communicate()
    assert said.splitlines()[-1] == "from-the-environment"
