"""From a command to a launcher: options, the site's profile, and who answers for a job."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.commands import a_command
from vmsbench.config.compose import compose
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launch.allocation import Allocation
from vmsbench.launch.job_log import cancel, job_status, job_statuses, note_submitted
from vmsbench.launch.launcher import JobPhase, Launcher, NoAnswer, answers_within
from vmsbench.launch.submit import RunOptions, job_command, launcher_of, refuse_second
from vmsbench.store.job_events import note


def chosen(folder: Path, *overrides: str, **options: Any) -> Launcher:
    settings = compose("unet", list(overrides))["launcher"]
    return launcher_of(settings=settings, overrides=overrides, folder=folder, options=RunOptions(**options))


@pytest.fixture(autouse=True)
def no_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "vmsbench").mkdir(parents=True)
    return tmp_path / "config" / "vmsbench" / "site.yaml"


def test_options_are_settings_of_the_launcher(tmp_path: Path) -> None:
    launcher = chosen(tmp_path / "gan", "launcher=slurm", nodes=3, gpus=2, cpus=8, time="2:00:00")
    size = launcher.resources
    assert size is not None
    assert (size.nodes, size.gpus, size.cpus, size.time) == (3, 2, 8, "2:00:00")
    assert launcher.settings["name"] == "vmsbench-gan"


def test_options_of_a_job_are_refused_where_there_is_none(tmp_path: Path) -> None:
    for options in ({"nodes": 2}, {"time": "1:00:00"}, {"submit": False}):
        with pytest.raises(ConfigurationError, match="are for a job: add launcher=slurm"):
            chosen(tmp_path / "gan", **options)


def test_the_sites_profile_is_used_and_the_command_line_wins(tmp_path: Path, no_profile: Path) -> None:
    no_profile.write_text("account: lab\npartition: gpu\n")
    launcher = chosen(tmp_path / "gan", "launcher=slurm", "launcher.partition=fast")
    assert (launcher.settings["account"], launcher.settings["partition"]) == ("lab", "fast")
    no_profile.write_text("acount: lab\n")
    with pytest.raises(ConfigurationError, match="acount is not a setting; did you mean account"):
        chosen(tmp_path / "gan", "launcher=slurm")


def test_the_profile_is_not_for_work_on_this_machine(tmp_path: Path, no_profile: Path) -> None:
    no_profile.write_text("account: lab\n")
    assert chosen(tmp_path / "gan").in_process


def test_a_node_that_failed_twice_is_left_out(tmp_path: Path) -> None:
    for node in ("n2", "n1", "n2"):
        note(tmp_path, "node failed", node=node)
    assert chosen(tmp_path, "launcher=slurm", "launcher.exclude=[n7]").settings["exclude"] == ["n2", "n7"]


def test_a_job_gets_the_command_without_what_concerns_its_submission() -> None:
    words = ["tune", "--exp", "gan", "--nodes", "2", "--time", "1:00:00", "launcher=slurm", "launcher.account=a"]
    assert job_command([*words, "data.root=/a b"]) == ["tune", "--exp", "gan", "data.root=/a b"]


def test_the_launcher_that_submitted_a_job_answers_for_it(tmp_path: Path) -> None:
    launcher = chosen(tmp_path, "launcher=slurm", "launcher.cluster=local", f"launcher.folder={tmp_path}/jobs", gpus=0)
    job = launcher.submit(len, "abc")
    note_submitted(tmp_path, job, launcher)
    job.wait()
    assert job_status(tmp_path, job.number).phase == JobPhase.COMPLETED


def test_a_job_that_nobody_knows_runs_while_its_sweep_is_touched(tmp_path: Path) -> None:
    note(tmp_path, "began", job="7", launcher={"_target_": "vmsbench.launch.local.LocalLauncher"})
    assert job_status(tmp_path, "7").phase == JobPhase.UNKNOWN
    (tmp_path / "lock").touch()
    assert job_status(tmp_path, "7").phase == JobPhase.RUNNING
    assert job_status(tmp_path, "7").source == "heartbeat"


def test_an_allocation_of_one_node_needs_to_say_nothing_else() -> None:
    given = Allocation("7", restarts=0, nodes=("n1",), cpus=4, gpus=())
    assert given.other_nodes == ()
    assert given.lost(["n1"]) == []


AWAY = 'sleep 0.2; echo "Unable to contact slurm controller (connect failure)" >&2; exit 1'
SLURM = {"_target_": "vmsbench.launch.slurm.launcher.SlurmLauncher"}


def a_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch, squeue: str, others: str = "exit 1") -> None:
    for name in ("sbatch", "srun", "scontrol", "sacct", "scancel"):
        a_command(folder / "bin", name, others)
    a_command(folder / "bin", "squeue", squeue)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")


def test_a_second_submission_of_a_sweep_is_refused_naming_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_cluster(tmp_path, monkeypatch, "echo 'PENDING|Resources|'")
    note(tmp_path / "unet", "submitted", job="7", launcher=SLURM)
    with pytest.raises(
        UserError, match=r"job 7 PENDING: Resources.*`vmsbench cancel unet --runs .*` ends that, --name"
    ):
        refuse_second(tmp_path / "unet")


@pytest.mark.parametrize(("code", "phase"), [(0, JobPhase.COMPLETED), (1, JobPhase.FAILED)])
def test_a_job_that_the_cluster_has_forgotten_ended_as_it_said(
    code: int, phase: JobPhase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_cluster(tmp_path, monkeypatch, "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    note(tmp_path, "began", job="7", launcher=SLURM)
    assert job_status(tmp_path, "7").phase == JobPhase.UNKNOWN
    note(tmp_path, "ended", job="7", code=code, final=True)
    assert job_status(tmp_path, "7").phase == phase
    refuse_second(tmp_path)


def test_a_cluster_that_is_away_is_asked_for_a_bounded_time_in_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_cluster(tmp_path, monkeypatch, f"echo >> {tmp_path}/asked; {AWAY}", AWAY)
    for job in range(50):
        note(tmp_path, "began", job=str(job), launcher=SLURM)
    with answers_within(1.0):
        statuses = job_statuses(tmp_path)
    assert {status.phase for status in statuses} == {JobPhase.UNKNOWN}
    assert len((tmp_path / "asked").read_text().splitlines()) <= 3
    with pytest.raises(NoAnswer), answers_within(1.0):
        cancel(tmp_path)
