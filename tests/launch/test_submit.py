"""From a command to a launcher: options, the site's profile, and who answers for a job."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.commands import a_command, each_job
from vmsbench.config.compose import compose
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launch.allocation import Allocation
from vmsbench.launch.job_log import ASKING, cancel, job_status, job_statuses, note_submitted
from vmsbench.launch.launcher import PROMPT, JobPhase, Launcher, NoAnswer, answers_within
from vmsbench.launch.slurm.allocation import on_login_node, own_steps
from vmsbench.launch.slurm.health import health
from vmsbench.launch.slurm.node_shares import node_names
from vmsbench.launch.slurm.status import down
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
    (tmp_path / "lock").write_text('{"host": "n1", "pid": 1, "job": "8", "restarts": 0}')
    assert job_status(tmp_path, "7").phase == JobPhase.UNKNOWN, "another job has taken the sweep over"


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
    a_cluster(tmp_path, monkeypatch, each_job("PENDING|Resources|"))
    note(tmp_path / "unet", "submitted", job="7", launcher=SLURM)
    with pytest.raises(
        UserError, match=r"job 7 PENDING: Resources.*`vmsbench cancel unet --runs .*` ends that, --name"
    ):
        refuse_second(tmp_path / "unet")


def test_a_job_that_ended_and_began_again_is_going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster may requeue a job that has said that it ended for good."""
    a_cluster(tmp_path, monkeypatch, each_job("RUNNING|None|n1"))
    note(tmp_path / "unet", "submitted", job="7", launcher=SLURM)
    note(tmp_path / "unet", "ended", job="7", code=1, final=True)
    refuse_second(tmp_path / "unet")
    note(tmp_path / "unet", "began", job="7", launcher=SLURM)
    with pytest.raises(UserError, match="job 7 RUNNING"):
        refuse_second(tmp_path / "unet")


def test_a_second_submission_is_refused_where_the_cluster_does_not_say_whether_the_first_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_cluster(tmp_path, monkeypatch, AWAY, AWAY)
    note(tmp_path / "unet", "submitted", job="7", launcher=SLURM)
    with pytest.raises(UserError, match="as job 7, and the cluster does not say whether that is over: give the same"):
        refuse_second(tmp_path / "unet")
    a_cluster(tmp_path, monkeypatch, "echo 'Welcome|to|the|LAB'")
    refuse_second(tmp_path / "unet")  # it has no record of that any more


def test_one_question_is_asked_about_all_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = f"echo >> {tmp_path}/asked; {each_job('RUNNING|None|n1')}"
    a_cluster(tmp_path, monkeypatch, asked, f'echo "$@" >> {tmp_path}/done')
    for job in ("7", "8_3", "9"):
        note(tmp_path, "submitted", job=job, launcher=SLURM)
    assert [status.job for status in job_statuses(tmp_path)] == ["7", "8_3", "9"]
    assert cancel(tmp_path) == ["7", "8_3", "9"]
    assert (tmp_path / "asked").read_text() == "\n\n"
    assert (tmp_path / "done").read_text() == "7 8_3 9\n"


def test_jobs_are_cancelled_where_the_questions_took_all_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmsbench.launch.job_log.ASKING", 0.3)
    a_cluster(tmp_path, monkeypatch, "sleep 5", f'echo "$@" >> {tmp_path}/done')
    for job in ("7", "8"):
        note(tmp_path, "submitted", job=job, launcher=SLURM)
    assert cancel(tmp_path) == ["7", "8"]
    assert (tmp_path / "done").read_text() == "7 8\n"


def test_a_cancel_that_hangs_is_given_up_within_ten_seconds_and_says_so_in_round_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ASKING + PROMPT <= 8, "the rest is for Python's start"
    monkeypatch.setattr("vmsbench.launch.job_log.PROMPT", 0.4)  # of which scancel gets 0.39...
    a_cluster(tmp_path, monkeypatch, each_job("RUNNING|None|n1"), "sleep 5")
    note(tmp_path, "submitted", job="7", launcher=SLURM)
    with pytest.raises(NoAnswer, match=r"scancel gave no answer within \d(\.\d)? s;"):
        cancel(tmp_path)


STATES = (
    *("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD", "RUNNING"),
    *("RESIZING", "SUSPENDED", "STOPPED", "SIGNALING", "COMPLETING", "STAGE_OUT"),
)
ENDS = (
    *("COMPLETED", "BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    "TIMEOUT",
)


def test_only_the_ends_that_slurm_has_are_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note(tmp_path, "submitted", job="7", launcher=SLURM)
    for state in (*STATES, *ENDS, "REVOKED", "OF_A_LATER_VERSION"):
        a_cluster(tmp_path, monkeypatch, each_job(f"{state}|None|n1"))
        status = job_status(tmp_path, "7")
        assert (status.live, status.over) == (state in STATES, state in ENDS), state
        assert status.state == state


def test_what_a_site_prints_around_an_answer_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    banner = "printf 'WARNING|a|b|c\\nWelcome to LAB\\n22.05\\n'"
    a_cluster(tmp_path, monkeypatch, f"{banner}; {each_job('RUNNING|None|n1')}")
    note(tmp_path, "submitted", job="7", launcher=SLURM)
    assert job_status(tmp_path, "7").state == "RUNNING"
    a_command(tmp_path / "bin", "squeue", f"{banner}; printf '7.0\\n7.batch\\n17.1\\n 7.12 \\n'")
    assert own_steps("7") == ["7.0", "7.12"]
    a_command(tmp_path / "bin", "sinfo", f"{banner}; echo 'n1|down*'; echo 'n2|idle'")
    assert down(["n1", "n2"]) == ["n1"]
    monkeypatch.setattr("socket.gethostname", lambda: "LAB")
    assert on_login_node()
    health_said = f"{banner}; echo 'gpu up 3 nodes'"
    a_command(tmp_path / "bin", "sinfo", health_said)
    assert health(None).said.endswith("partitions: gpu up 3 nodes")


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        ("n1", ["n1"]),
        ("n[08-10,12],login1", ["n08", "n09", "n10", "n12", "login1"]),
        ("r[1-2]n[3,5]-ib", ["r1n3-ib", "r1n5-ib", "r2n3-ib", "r2n5-ib"]),
        ("", []),
    ],
)
def test_lists_of_nodes_are_read_as_slurm_reads_them(listed: str, names: list[str]) -> None:
    assert node_names(listed) == names


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
