"""From a command to a launcher: options, the site's profile, and who answers for a job."""

from pathlib import Path
from typing import Any

import pytest

from vmsbench.config.compose import compose
from vmsbench.errors import ConfigurationError
from vmsbench.launch.allocation import Allocation
from vmsbench.launch.job_log import job_status, note_submitted
from vmsbench.launch.launcher import JobPhase, Launcher
from vmsbench.launch.submit import RunOptions, job_command, launcher_of
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
    for options in ({"nodes": 2}, {"time": "1:00:00"}, {"show": True}, {"check": True}):
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
    words = ["tune", "--exp", "gan", "--nodes", "2", "--time=1:00:00", "launcher=slurm", "launcher.account=a", "--wait"]
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
