"""The supervisor and the batch scripts, with Slurm's commands and vmsbench itself played by small programs."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.processes.commands import a_command, each_job
from tests.support.processes.supervised import ROOT, Node, leaves_unfinished
from vmsbench.store.lock import alive

SCRIPTS = sorted((ROOT / "slurm").glob("sweep_*.sh"))


# The batch scripts


def flags(script: Path) -> dict[str, str]:
    found = re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", script.read_text(), re.MULTILINE)
    return dict(found)


def test_there_is_a_script_for_each_family() -> None:
    assert [script.stem for script in SCRIPTS] == ["sweep_diffusion", "sweep_engression", "sweep_gan", "sweep_unet"]


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


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_passes_its_arguments_on(script: Path, tmp_path: Path) -> None:
    a_command(tmp_path / "bin", "vmsbench", 'printf "<%s>" "$@"')
    spooled = tmp_path / "slurm_script"  # sbatch runs a copy, elsewhere
    spooled.write_text(script.read_text())
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("echo activated\n")
    env = {"SLURM_SUBMIT_DIR": str(tmp_path), "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    command = ["bash", spooled, "data.root=/a b", "searcher.rounds=2"]
    said = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=True).stdout
    family = script.stem.removeprefix("sweep_")
    assert said == f"activated\n<job><tune><--exp><{family}><data.root=/a b><searcher.rounds=2>"


def test_without_vmsbench_a_script_says_what_to_do(tmp_path: Path) -> None:
    env = {"SLURM_SUBMIT_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", SCRIPTS[0]], env=env, capture_output=True, text=True)
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


@pytest.mark.parametrize("sent", ["USR1", "USR2", "TERM", "HUP", "INT"])
def test_a_signal_is_passed_on_and_the_job_is_queued_again(sent: str, node: Node) -> None:
    node.vmsbench(leaves_unfinished(node.folder))
    job = node.begin()
    node.ready()
    job.send_signal(signal.Signals[f"SIG{sent}"])
    job.communicate()
    assert (node.folder / "said").read_text() == "saving\n"
    assert node.requeued()
    assert job.returncode == 75


def test_a_task_of_an_array_is_queued_again_alone(node: Node) -> None:
    node.vmsbench("exit 75")
    job = node.begin(SLURM_ARRAY_JOB_ID="12", SLURM_ARRAY_TASK_ID="3")
    said, _ = job.communicate()
    assert "job 12_3  restarts 0" in said
    assert (node.folder / "asked").read_text() == "requeue 12_3\n"


def test_a_job_that_is_being_signalled_is_not_cancelled(node: Node) -> None:
    node.vmsbench("exit 75")
    node.state("SIGNALING")
    node.begin().communicate()
    assert node.requeued()


@pytest.mark.parametrize("state", ["COMPLETING", "CANCELLED"])
def test_a_cancelled_job_stays_cancelled(state: str, node: Node) -> None:
    node.vmsbench(leaves_unfinished(node.folder))
    job = node.begin()
    node.ready()
    node.state(state)
    job.send_signal(signal.SIGTERM)
    said, _ = job.communicate()
    assert not node.requeued()
    assert "to continue, submit it again" in said


AWAY = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"


def test_a_cluster_that_does_not_answer_has_not_forgotten_the_job(node: Node) -> None:
    away = node.folder / "away"
    away.touch()
    silent = f'[ -e {away} ] && {{ echo "{AWAY}" >&2; exit 1; }}'
    a_command(node.programs, "squeue", f"{silent}; {each_job('RUNNING|None|n1')}")
    a_command(node.programs, "scontrol", f'{silent}; [ "$1" = show ] || echo "$@" >> {node.folder}/asked')
    node.vmsbench(leaves_unfinished(node.folder))
    job = node.begin()
    node.ready()
    job.send_signal(signal.SIGUSR1)
    assert job.stdout
    while "the cluster does not answer" not in (line := job.stdout.readline()):
        assert line, "it left without asking again"
    assert not node.requeued()
    away.unlink()
    job.communicate()
    assert node.requeued()
    assert job.returncode == 75


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
    node.sweep = "here/mine"
    job = node.begin("--runs", "here", "--name", "mine")
    said, _ = job.communicate()
    assert "<report><mine><--runs><here>" in said
    assert "to write it: `vmsbench report mine --runs here`" in said
    assert job.returncode == 0


def test_what_dies_is_begun_again_until_it_gets_nowhere(node: Node) -> None:
    node.vmsbench("echo begun; kill -9 $$")
    job = node.begin()
    said, _ = job.communicate()
    assert said.count("begun\n") == 3
    assert "it died 3 times without progress (killed by signal 9)" in said
    assert job.returncode == 1
    assert not node.requeued()


def test_what_dies_but_gets_further_is_begun_again(node: Node) -> None:
    journal = node.folder / "runs" / "gan" / "journal.jsonl"
    line = """'{"event":"finished"}'"""
    count = f"[ $1 = tune ] || exit 0; echo {line} >> {journal}; [ $(wc -l < {journal}) -ge 6 ] && exit 0"
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
    assert "3 jobs ended here without progress" in said
    assert job.returncode == 1


def test_to_be_begun_again_is_not_to_get_further(node: Node) -> None:
    journal = node.folder / "runs" / "gan" / "journal.jsonl"
    node.vmsbench(
        f"""echo '{{"event":"session"}}' >> {journal}; echo '{{"event":"started"}}' >> {journal}; kill -9 $$"""
    )
    job = node.begin()
    said, _ = job.communicate()
    assert "it died 3 times without progress" in said
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
    assert "3 jobs ended here without progress" in said
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
        assert "not finished; requeued" in said
        assert job.returncode == 75


@pytest.mark.parametrize("signalled", [False, True])
def test_the_job_of_a_sweep_that_is_paused_is_not_requeued(node: Node, signalled: bool) -> None:
    wait = "while true; do sleep 0.01; done" if signalled else "exit 2"
    node.vmsbench(f"trap 'exit 2' USR1; touch {node.folder}/ready; {wait}")
    job = node.begin()
    if signalled:
        node.ready()
        job.send_signal(signal.SIGUSR1)
    job.communicate()
    assert job.returncode == 2
    assert not (node.folder / "asked").exists()


def test_a_job_that_ends_too_soon_for_anything_says_so_at_once(node: Node) -> None:
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 100))
    a_command(node.programs, "scontrol", f"echo JobId=12 EndTime={end}")
    node.vmsbench("echo begun")
    job = node.begin()
    said, _ = job.communicate()
    assert f"this job is too short: it ends at {end[-8:]}, and starts nothing in its last 180 s; ask for" in said
    assert "begun" not in said
    assert job.returncode == 2


def test_an_end_that_has_passed_is_of_an_earlier_run_and_stops_nothing(node: Node) -> None:
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - 20))
    a_command(node.programs, "scontrol", f"echo JobId=12 EndTime={end}")
    node.vmsbench("echo begun")
    job = node.begin()
    said, _ = job.communicate()
    assert "begun" in said
    assert job.returncode == 0


def test_a_job_that_is_not_signalled_saves_before_its_time_is_up_all_the_same(node: Node) -> None:
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 70))
    a_command(
        node.programs, "scontrol", f'[ "$1" = show ] && echo JobId=12 EndTime={end} || echo "$@" >> {node.folder}/asked'
    )
    node.vmsbench(leaves_unfinished(node.folder))
    job = node.begin(VMSBENCH_NOTICE="5")
    node.ready()
    job.send_signal(signal.SIGALRM)
    said, _ = job.communicate()
    assert "the time is nearly up, saving" in said
    assert node.requeued()


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
    assert not alive(int(pid.read_text()))
