"""Sweeps that Python submits: the same jobs as of the commands, on a Slurm whose commands are small programs."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import vmsbench
from tests.support.command_line import called, refused
from tests.support.processes.commands import a_command, each_job
from tests.support.sweep_maker import make_sweep
from vmsbench.api.sweep_results import SweepResult
from vmsbench.config.compose import compose
from vmsbench.errors import UserError
from vmsbench.files import read_json, save_json
from vmsbench.launch.launcher import JobPhase
from vmsbench.store.job_events import note, notes

SMALL = ("data=standin", "preset=quick", "model.network.width=8")
SLURM = ("launcher=slurm", "launcher.partition=gpu", "launcher.poll=1")
ENDED = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A login node: its folder is the current one; `submitted.sh` is the last job's script, which waits for ever."""
    programs = tmp_path / "bin"
    for name in ("srun", "scancel", "scontrol", "sinfo"):
        a_command(programs, name, "true")
    a_command(programs, "sacct", "exit 1")
    a_command(programs, "squeue", each_job("PENDING|Resources|"))
    test_only = f"[[ $* == *--test-only* ]] && {{ echo 'Job 1 to start at noon'; exit; }}; touch {tmp_path}/asked; "
    a_command(programs, "sbatch", f'{test_only} cp "${{@: -1}}" {tmp_path}/submitted.sh; echo 4711')
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_search_is_submitted_as_the_command_does_and_its_job_is_known(cluster: Path) -> None:
    found = vmsbench.tune("unet", *SMALL, *SLURM, name="mine", epochs=3, nodes=2, gpus=4, time="12:00:00", retry=True)
    assert found.job is not None
    assert (found.name, found.finished, found.folder, found.job.number) == ("mine", False, Path("runs/mine"), "4711")
    assert found.job.status is not None
    assert (found.job.status.state, found.job.status.reason) == ("PENDING", "Resources")
    assert "4711" in repr(found)
    assert found.summary()["state"] == "submitted"
    assert found.command.startswith(f"vmsbench tune --exp unet {' '.join((*SMALL, *SLURM))} --name mine --epochs 3")
    assert "--nodes 2 --time 12:00:00" in found.command
    script = (cluster / "submitted.sh").read_text()
    for flag in ("nodes=2", "gpus-per-node=4", "time=12:00:00", "partition=gpu", "job-name=vmsbench-mine"):
        assert f"#SBATCH --{flag}\n" in script
    (line,) = notes(Path("runs/mine"))
    assert line["command"] == ["tune", "--exp", "unet", *SMALL, "--name", "mine", "--epochs", "3", "--retry"]
    with pytest.raises(UserError, match=r"mine has been submitted: job 4711 PENDING"):
        vmsbench.tune("unet", *SMALL, *SLURM, name="mine")
    assert vmsbench.status("mine").jobs[0].job == "4711"
    assert vmsbench.cancel("mine") == ["4711"]


def test_the_command_and_the_function_submit_the_same(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMSBENCH_CONF", str(cluster / "bin"))
    own = ["--config-dir", str(cluster / "bin")]
    done = called(
        *("tune", "--exp", "unet", *SMALL, *SLURM, "--name", "a", "--epochs", "3", "--nodes", "2", "--runs", "there"),
        *("--accept-code", "--per-gpu", "2"),
    )
    assert done.code == 0, done
    assert done.out.splitlines()[1] == "  vmsbench status a --runs there"
    vmsbench.tune("unet", *SMALL, *SLURM, "slots.gpus=0.5", name="b", epochs=3, nodes=2, runs="there", accept_code=True)
    a, b = (notes(Path("there") / name)[0]["command"] for name in "ab")
    shared = ["--epochs", "3", "--accept-code", *own, "--runs", "there"]
    assert a == ["tune", "--exp", "unet", *SMALL, "--per-gpu", "2", "--name", "a", *shared]
    assert b == ["tune", "--exp", "unet", *SMALL, "slots.gpus=0.5", "--name", "b", *shared]


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (lambda: vmsbench.resume("unet", *SLURM), ["resume", "unet"]),
        (lambda: vmsbench.final("unet", *SLURM, top=2), ["final", "unet", "--top", "2", "--seeds", "5"]),
        (
            lambda: vmsbench.ablate("augment", "unet", "data=standin", *SLURM),
            ["ablate", "augment", "--exp", "unet", "data=standin", "--seeds", "3", "--name", "unet-ablate-augment"],
        ),
    ],
    ids=["resume", "final", "ablate"],
)
def test_the_other_sweeps_are_submitted_too(call: Callable[[], SweepResult], command: list[str]) -> None:
    about = make_sweep(Path("runs"), "unet", seeds=1) / "sweep.json"
    save_json(about, {**read_json(about), "settings": compose("unet", [*SMALL])})
    found = call()
    assert found.job is not None
    assert (found.job.number, list(found.job.command)) == ("4711", command)


def test_a_job_can_be_looked_at_and_tried_without_being_submitted(cluster: Path) -> None:
    found = vmsbench.tune("unet", *SMALL, *SLURM, gpus=1, submit=False)
    assert found.job is not None
    assert (found.job.number, found.job.status, found.job.wait()) == (None, None, None)
    assert "#SBATCH --gpus-per-node=1\n" in found.job.script
    assert f"# which is: vmsbench job tune --exp unet {' '.join(SMALL)}" in found.job.script
    assert "elastic" not in found.job.script
    several = vmsbench.tune("unet", *SMALL, *SLURM, "launcher.shape=elastic", gpus=1, nodes=3, submit=False)
    assert several.job is not None
    assert "# elastic: the job that drives it has 1 node, 2 cores and no GPU; workers: 3, each" in several.job.script
    assert found.job.check() == "Job 1 to start at noon"
    assert not (cluster / "asked").exists()
    assert not notes(Path("runs/unet"))
    assert called("tune", "--exp", "unet", *SMALL, *SLURM, "--gpus", "1", "--check").out == f"{found.job.check()}\n"


def test_what_a_job_would_run_is_asked_without_it() -> None:
    refused(called("job", "tune", "--exp", "gan", "--help"), "`vmsbench tune --help` shows its options")
    assert not Path("runs/gan").exists()


def test_python_trains_on_a_login_node_only_where_it_is_asked_to(cluster: Path) -> None:
    a_command(cluster / "bin", "sinfo", "echo 'n1|n1'")
    for call in (vmsbench.tune, vmsbench.train):
        with pytest.raises(UserError, match="this is a cluster's login node: launcher=slurm submits the work"):
            call("unet", *SMALL, "data.count=40", "data.size=32", "tracker=none", epochs=1)


@pytest.mark.parametrize(("code", "phase"), [(0, JobPhase.COMPLETED), (1, JobPhase.FAILED)])
def test_a_job_that_is_waited_for_shows_its_log_and_how_it_ended(
    code: int, phase: JobPhase, cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def job() -> None:
        until = time.monotonic() + 30
        while not notes(Path("runs/unet")) and time.monotonic() < until:
            time.sleep(0.05)
        log = Path(notes(Path("runs/unet"))[0]["log"])
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("epoch 1\nepoch 2\n")
        a_command(cluster / "bin", "squeue", ENDED)
        note(Path("runs/unet"), "ended", job="4711", code=code, final=True)

    thread = threading.Thread(target=job)
    thread.start()
    found = vmsbench.tune("unet", *SMALL, *SLURM, wait=True)
    thread.join()
    assert found.finished == (code == 0)
    assert found.job is not None
    assert found.job.status is not None
    assert found.job.status.phase == phase
    shown = capsys.readouterr().out
    assert "epoch 1\nepoch 2\njob 4711 " in shown
    assert vmsbench.logs("unet", follow=True, lines=1).keys() == {"4711"}
    assert capsys.readouterr().out.startswith("epoch 2\njob 4711 ")
    assert called("logs", "unet", "--follow").out.startswith("epoch 1\nepoch 2\njob 4711 ")


def test_a_launcher_that_has_no_such_setting_says_so() -> None:
    with pytest.raises(UserError, match="are for a job: add launcher="):
        vmsbench.tune("unet", *SMALL, nodes=2)
