"""Launchers: every one of them really runs something. The batch scripts, with Slurm's commands played by small ones."""

import inspect
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from vmsbench.config.instantiate import build
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launch.launcher import Job, Launcher
from vmsbench.launch.local import LocalLauncher
from vmsbench.launch.slurm.launcher import Resumable, Slurm

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "slurm").glob("sweep_*.sh"))


def a_launcher(name: str, folder: Path) -> Launcher:
    if name == "local":
        return LocalLauncher()
    return Slurm(gpus=0, cpus=1, time=10, folder=folder / "jobs", cluster="local")


@pytest.fixture(params=["local", "submitit"])
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


# LocalLauncher


def test_here_keeps_the_error_itself() -> None:
    job: Job = LocalLauncher().submit(build, {"_target_": "vmsbench.no_such.Thing"})
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
    a_command(programs, "sbatch", f'cp "${{@: -1}}" {tmp_path}/submitted.sh; echo "4711;cluster"')
    a_command(programs, "srun", "true")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return programs


def test_a_job_asks_slurm_for_what_it_was_told(cluster: Path, tmp_path: Path) -> None:
    launcher = Slurm(
        nodes=2,
        gpus=4,
        cpus=16,
        time="1:30:00",
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
        "time=1:30:00",
        "mem=65536M",
        "partition=gpu",
        "account=me",
    ):
        assert f"#SBATCH --{flag}\n" in script
    for line in ("#SBATCH --qos=long", "#SBATCH --requeue", "#SBATCH --signal=B:USR1@120", "module load cuda"):
        assert f"{line}\n" in script
    assert script.index("module load cuda") < script.index("submitit.core._submit")
    assert "4711" in job.description
    assert f"{tmp_path}/jobs/4711_0_log.out" in job.description
    assert job.description.endswith("scancel 4711")


def test_the_signal_that_slurm_sends_to_the_batch_script_reaches_the_command(cluster: Path, tmp_path: Path) -> None:
    waits = f"trap 'exit 7' USR1; touch {tmp_path}/ready; while :; do sleep 0.01; done"
    script = Slurm(folder=tmp_path / "jobs").script(shlex.join(["bash", "-c", waits]))
    job = subprocess.Popen(["bash", "-c", script])
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(10) == 7


def test_a_job_asks_for_nothing_it_was_not_told(cluster: Path, tmp_path: Path) -> None:
    Slurm(gpus=0, folder=tmp_path / "jobs").submit(len, "abc")
    script = (tmp_path / "submitted.sh").read_text()
    for flag in ("gpu", "gres", "partition", "account", "mem", "qos", "constraint"):
        assert f"#SBATCH --{flag}" not in script
    assert "wckey" not in script


def test_a_refusal_is_in_slurms_own_words(cluster: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = "sbatch: error: invalid partition specified: gppu"
    a_command(cluster, "sbatch", f"echo '{words}' >&2; echo 'sbatch: error: Batch job submission failed' >&2; exit 1")
    with pytest.raises(UserError, match=r"invalid partition specified: gppu.*launcher\.partition") as caught:
        Slurm(partition="gppu", folder=tmp_path / "jobs").submit(len, "abc")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("form", "flag"),
    [("gpus-per-node", "gpus-per-node=a100:2"), ("gres", "gres=gpu:a100:2"), ("gpus", "gpus=a100:6"), ("none", None)],
)
def test_gpus_are_asked_for_as_the_site_wants_it(form: str, flag: str | None, cluster: Path, tmp_path: Path) -> None:
    script = Slurm(nodes=3, gpus=2, gpu_type="a100", gpu_form=form, folder=tmp_path).script()
    asked = [line for line in script.splitlines() if line.startswith("#SBATCH --g")]
    assert asked == ([f"#SBATCH --{flag}"] if flag else [])


def test_what_a_site_forbids_is_left_out(cluster: Path, tmp_path: Path) -> None:
    script = Slurm(
        memory=8, cpus=4, memory_form="mem-per-cpu", forbidden=["requeue", "signal"], folder=tmp_path
    ).script()
    assert "#SBATCH --mem-per-cpu=2048M\n" in script
    assert "requeue" not in script
    assert "signal" not in script


def test_an_error_that_passes_is_waited_for(cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmsbench.launch.slurm.commands.time.sleep", lambda seconds: None)
    once = f"[ -e {tmp_path}/tried ] && {{ echo 12; exit; }}; touch {tmp_path}/tried"
    a_command(cluster, "sbatch", f"{once}; echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1")
    assert "job 12" in Slurm(folder=tmp_path / "jobs").submit(len, "abc").description


def test_a_hanging_sbatch_is_given_up_and_leaves_nothing(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmsbench.launch.slurm.submission.PATIENCE", 0.2)
    a_command(cluster, "sbatch", "exec sleep 60")
    with pytest.raises(UserError, match=r"no answer within 0\.2 s.*squeue --me"):
        Slurm(folder=tmp_path / "jobs").submit(len, "abc")
    assert list((tmp_path / "jobs").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_an_unwritable_log_folder_is_said_before_anything_is_submitted(cluster: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir(mode=0o500)
    with pytest.raises(UserError, match=r"launcher\.folder .*Permission denied"):
        Slurm(folder=tmp_path / "jobs").submit(len, "abc")


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


@pytest.mark.parametrize(
    "wrong", [{"nodes": 0}, {"gpus": -1}, {"cpus": 0}, {"time": "soon"}, {"time": "3"}, {"cluster": "pbs"}], ids=str
)
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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
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
    """A node: a supervised command begun as a batch script does it, with a small vmsbench, squeue and scontrol."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs = folder, folder / "bin"
        self.state("RUNNING")
        a_command(self.programs, "scontrol", f'[ "$1" = show ] || echo "$@" >> {folder}/asked')

    def state(self, state: str) -> None:
        a_command(self.programs, "squeue", f"echo '{state}|None|n1'")

    def vmsbench(self, script: str) -> None:
        a_command(self.programs, "child", script)

    def begin(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        program = (
            "import sys; from vmsbench.launch.supervisor import supervise; "
            "sys.exit(supervise(sys.argv[2:], sys.argv[1:2]))"
        )
        told = {"SLURM_JOB_ID": "12", "PATH": f"{self.programs}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-u", "-c", program, str(self.programs / "child"), "tune", "--exp", "gan", *arguments],
            env=told | environment,
            cwd=self.folder,
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
def test_every_script_passes_its_arguments_on(script: Path, tmp_path: Path) -> None:
    a_command(tmp_path / "bin", "vmsbench", 'printf "<%s>" "$@"')
    spooled = tmp_path / "slurm_script"  # sbatch runs a copy, elsewhere
    spooled.write_text(script.read_text())
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("echo activated\n")
    told = {"SLURM_SUBMIT_DIR": str(tmp_path), "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    command = ["bash", spooled, "data.root=/a b", "searcher.rounds=2"]
    said = subprocess.run(command, env=told, cwd="/", capture_output=True, text=True, check=True).stdout
    family = script.stem.removeprefix("sweep_")
    assert said == f"activated\n<job><tune><--exp><{family}><data.root=/a b><searcher.rounds=2>"


def test_without_vmsbench_a_script_says_what_to_do(tmp_path: Path) -> None:
    told = {"SLURM_SUBMIT_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", SCRIPTS[0]], env=told, capture_output=True, text=True)
    assert "make install" in done.stdout
    assert done.returncode == 127


def test_a_job_says_who_where_with_what_and_hands_its_words_on(node: Node) -> None:
    node.vmsbench('printf "<%s>" "$@"')
    job = node.begin("data.root=/a b", SLURM_RESTART_COUNT="2", CUDA_VISIBLE_DEVICES="0,MIG-7")
    said, _ = job.communicate()
    assert "job 12  restarts 2" in said.splitlines()[0]
    assert "GPUs 0,MIG-7" in said.splitlines()[0]
    assert said.splitlines()[1] == "vmsbench tune --exp gan 'data.root=/a b'"
    assert "<tune><--exp><gan><data.root=/a b>" in said
    assert job.returncode == 0


def test_outside_of_slurm_nothing_is_queued(node: Node) -> None:
    node.vmsbench("exit 75")
    job = node.begin(SLURM_JOB_ID="")
    job.communicate()
    assert job.returncode == 75
    assert not node.requeued()


@pytest.mark.parametrize("sent", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM], ids=["USR1", "USR2", "TERM"])
def test_a_signal_is_passed_on_and_the_job_is_queued_again(sent: signal.Signals, node: Node) -> None:
    node.vmsbench(leaves_unfinished(node.folder))
    job = node.begin()
    node.ready()
    job.send_signal(sent)
    job.communicate()
    assert (node.folder / "said").read_text() == "saving\n"
    assert node.requeued()
    assert job.returncode == 75


@pytest.mark.parametrize("state", ["COMPLETING", "CANCELLED"])
def test_a_cancelled_job_stays_cancelled(state: str, node: Node) -> None:
    node.vmsbench(leaves_unfinished(node.folder))
    job = node.begin()
    node.ready()
    node.state(state)
    job.send_signal(signal.SIGTERM)
    said, _ = job.communicate()
    assert not node.requeued()
    assert "to go on, submit it again" in said


def test_a_job_that_never_finishes_is_not_queued_for_ever(node: Node) -> None:
    node.vmsbench("exit 75")
    job = node.begin(SLURM_RESTART_COUNT="3", VMSBENCH_MAX_RESTARTS="3")
    said, _ = job.communicate()
    assert not node.requeued()
    assert "after 3 restarts" in said


@pytest.mark.parametrize("code", [0, 2])
def test_an_end_that_is_one_is_the_jobs_own(code: int, node: Node) -> None:
    node.vmsbench(f"exit {code}")
    job = node.begin()
    job.communicate()
    assert job.returncode == code
    assert not node.requeued()


def test_a_sweep_that_is_through_is_reported(node: Node) -> None:
    node.vmsbench('printf "<%s>" "$@"; [ $1 = tune ]')
    job = node.begin("--runs", "here", "--name", "mine")
    said, _ = job.communicate()
    assert "<report><mine><--runs><here>" in said
    assert "to write it: vmsbench report mine --runs here" in said
    assert job.returncode == 0


def test_what_dies_is_begun_again_until_it_gets_nowhere(node: Node) -> None:
    node.vmsbench("echo begun; kill -9 $$")
    job = node.begin()
    said, _ = job.communicate()
    assert said.count("begun\n") == 3
    assert "it died 3 times without getting any further (killed by signal 9)" in said
    assert job.returncode == 1
    assert not node.requeued()


def test_what_dies_but_gets_further_is_begun_again(node: Node) -> None:
    journal = node.folder / "runs" / "gan" / "journal.jsonl"
    told = """'{"event":"finished"}'"""
    count = f"[ $1 = tune ] || exit 0; echo {told} >> {journal}; [ $(wc -l < {journal}) -ge 6 ] && exit 0"
    node.vmsbench(f"{count}; kill -9 $$")
    job = node.begin()
    said, _ = job.communicate()
    assert len(journal.read_text().splitlines()) == 6
    assert job.returncode == 0, said


def test_a_job_that_died_with_its_node_again_and_again_stops_itself(node: Node) -> None:
    node.vmsbench(f"touch {node.folder}/ready; exec sleep 60")
    for restart in range(4):
        job = node.begin(SLURM_RESTART_COUNT=str(restart))
        if restart < 3:
            node.ready()
            (node.folder / "ready").unlink()
            job.kill()
        said, _ = job.communicate()
    assert "3 jobs ended here without getting any further" in said
    assert job.returncode == 1


def test_to_be_begun_again_is_not_to_get_further(node: Node) -> None:
    journal = node.folder / "runs" / "gan" / "journal.jsonl"
    node.vmsbench(
        f"""echo '{{"event":"session"}}' >> {journal}; echo '{{"event":"started"}}' >> {journal}; kill -9 $$"""
    )
    job = node.begin()
    said, _ = job.communicate()
    assert "it died 3 times without getting any further" in said
    assert len(journal.read_text().splitlines()) == 6


def test_a_job_whose_time_is_up_before_anything_was_trained_is_not_queued_for_ever(node: Node) -> None:
    node.vmsbench(leaves_unfinished(node.folder))
    for restart in range(4):
        job = node.begin(SLURM_RESTART_COUNT=str(restart))
        if restart < 3:
            node.ready()
            (node.folder / "ready").unlink()
            job.send_signal(signal.SIGUSR1)
        said, _ = job.communicate()
        (node.folder / "said").unlink(missing_ok=True)
    assert "3 jobs ended here without getting any further" in said
    assert "ask for more by --time" in said
    assert job.returncode == 1


def test_a_sweep_whose_epoch_is_longer_than_a_job_goes_on(node: Node) -> None:
    trial = node.folder / "runs" / "gan" / "trials" / "a"
    trial.mkdir(parents=True)
    step = f"""printf '{{"step": %s}}' $(wc -l < {trial}/log.txt) > {trial}/interrupted.json"""
    count = f"echo >> {trial}/log.txt; {step}"
    (trial / "log.txt").touch()
    node.vmsbench(f"{count}; {leaves_unfinished(node.folder)}")
    for restart in range(5):
        job = node.begin(SLURM_RESTART_COUNT=str(restart))
        node.ready()
        (node.folder / "ready").unlink()
        job.send_signal(signal.SIGUSR1)
        said, _ = job.communicate()
        (node.folder / "said").unlink(missing_ok=True)
        assert "not finished; queued again" in said
        assert job.returncode == 75


def test_a_job_that_ends_too_soon_for_anything_says_so_at_once(node: Node) -> None:
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 100))
    a_command(node.programs, "scontrol", f"echo JobId=12 EndTime={end}")
    node.vmsbench("echo begun")
    job = node.begin()
    said, _ = job.communicate()
    assert "this job is too short: it begins nothing in its last 180 s; ask for more by --time" in said
    assert "begun" not in said
    assert job.returncode == 2


def test_steps_on_other_nodes_end_in_order_when_the_command_that_began_them_dies(node: Node) -> None:
    step = "trap 'echo cut >> order' TERM; touch ready; read -r nothing; sleep 0.3; echo ended >> order"
    a_command(node.programs, "srun", f"cd {node.folder}; {step}")
    pipe = f"mkfifo {node.folder}/in; (srun < {node.folder}/in &); exec 9> {node.folder}/in"
    begun = f"while [ ! -e {node.folder}/ready ]; do sleep 0.01; done"
    node.vmsbench(f"[ -e {node.folder}/in ] && exit 0; {pipe}; {begun}; kill -9 $$")
    job = node.begin()
    job.communicate()
    assert (node.folder / "order").read_text() == "ended\n"


def test_nothing_that_a_job_began_outlives_it(node: Node) -> None:
    pid = node.folder / "pid"
    node.vmsbench(f"(setsid bash -c 'echo $$ > {pid}; trap \"\" TERM; sleep 600' &) ; while [ ! -s {pid} ]; do :; done")
    job = node.begin()
    job.communicate()
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
