"""Launchers: local, and Slurm with its commands played by small programs; contracts are in tests/contracts."""

import inspect
import os
import signal
import stat
import subprocess
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import called, ordinary_user
from tests.support.processes.commands import a_command
from vmsbench.config.instantiate import build
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launch.launcher import Job, Launcher
from vmsbench.launch.local import LocalLauncher
from vmsbench.launch.slurm.launcher import SlurmLauncher
from vmsbench.launch.slurm.submitted import Resumable
from vmsbench.launch.supervisor import finish

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("option", sorted((ROOT / "conf" / "launcher").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_option_names_all_settings_and_builds(option: Path) -> None:
    from omegaconf import OmegaConf

    config: Any = OmegaConf.to_container(OmegaConf.load(option))
    launcher = build(config)
    assert isinstance(launcher, Launcher)
    settings = set(inspect.signature(type(launcher)).parameters)
    assert settings == set(config) - {"_target_"}


# LocalLauncher


def test_the_local_launcher_keeps_the_error_itself() -> None:
    job: Job = LocalLauncher().submit(build, {"_target_": "vmsbench.no_such.Thing"})
    with pytest.raises(ConfigurationError, match="no_such"):
        job.result()


# Slurm


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of PATH where sbatch and srun are, as on a login node."""
    programs = tmp_path / "bin"
    a_command(programs, "sbatch", f'cp "${{@: -1}}" {tmp_path}/submitted.sh; echo "4711;cluster"')
    a_command(programs, "srun", "true")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return programs


def test_a_job_asks_slurm_for_what_its_settings_say(cluster: Path, tmp_path: Path) -> None:
    launcher = SlurmLauncher(
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
    assert script.index("module load cuda") < script.index("vmsbench.launch.slurm.submitted")
    assert "4711" in job.description
    assert f"{tmp_path}/jobs/4711_0_log.out" in job.description
    assert job.description.endswith("`scancel 4711`")


def test_a_job_inherits_nothing_that_is_of_the_job_that_submits_it_alone(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_command(cluster, "sbatch", f"env > {tmp_path}/env; echo 4711")
    own = ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT", "VMSBENCH_UNTIL", "VMSBENCH_SUPERVISED")
    for name in own:
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("SLURM_CONF", "/etc/own.conf")
    SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc")
    there = dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())
    assert there["SLURM_CONF"] == "/etc/own.conf"
    assert not {*own} & {*there}


def test_the_signal_that_slurm_sends_to_the_batch_script_reaches_the_command(cluster: Path, tmp_path: Path) -> None:
    waits = f"trap 'exit 7' USR1; touch {tmp_path}/ready; while :; do sleep 0.01; done"
    script = SlurmLauncher(folder=tmp_path / "jobs").script(["bash", "-c", waits])
    job = subprocess.Popen(["bash", "-c", script])
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(10) == 7


OF_A_JOB = {
    **{"SLURM_JOB_ID": "4711", "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_NODELIST": "n1", "SLURM_NTASKS": "1"},
    **{
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURMD_NODENAME": "n1",
        "PYTHONPATH": str(ROOT),
    },
}


@pytest.mark.parametrize(
    ("function", "arguments", "said", "code"),
    [
        (finish, (["tune", "--exp", "gann"], "runs/gann"), "error: --exp=gann is not a choice", 1),
        (build, ({"_target_": "vmsbench.no_such.Thing"},), "error: _target_=vmsbench.no_such.Thing: no module", 2),
    ],
    ids=["a command that is refused", "a user's error"],
)
def test_a_reason_in_a_jobs_log_has_no_traceback_around_it(
    function: Any, arguments: Any, said: str, code: int, cluster: Path, tmp_path: Path
) -> None:
    SlurmLauncher(gpus=0, folder=tmp_path / "jobs").submit(function, *arguments)
    ran = ["bash", str(tmp_path / "submitted.sh")]
    done = subprocess.run(ran, env=os.environ | OF_A_JOB, cwd=tmp_path, capture_output=True, text=True)
    log = done.stdout + done.stderr
    assert said in log, log
    assert done.returncode == code
    assert "Traceback" not in log
    assert "submitit" not in log


def test_a_job_asks_for_nothing_else(cluster: Path, tmp_path: Path) -> None:
    SlurmLauncher(gpus=0, folder=tmp_path / "jobs").submit(len, "abc")
    script = (tmp_path / "submitted.sh").read_text()
    for flag in ("gpu", "gres", "partition", "account", "mem", "qos", "constraint"):
        assert f"#SBATCH --{flag}" not in script
    assert "wckey" not in script


def test_a_refusal_is_in_slurms_own_words(cluster: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = "sbatch: error: invalid partition specified: gppu"
    a_command(cluster, "sbatch", f"echo '{words}' >&2; echo 'sbatch: error: Batch job submission failed' >&2; exit 1")
    with pytest.raises(UserError, match=r"invalid partition specified: gppu.*launcher\.partition") as caught:
        SlurmLauncher(partition="gppu", folder=tmp_path / "jobs").submit(len, "abc")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        (["sbatch: error: Invalid account or account/partition combination specified"], "launcher.account;"),
        (["sbatch: error: User's group not permitted to use this partition"], "launcher.partition;"),
        (["sbatch: error: Job violates accounting/QOS policy (job submit limit, time limits)"], "fewer jobs at once"),
        (["Your account has used 3 of 4 TB", "sbatch: error: Requested time limit is invalid"], "--time"),
        (["sbatch: partition gpu is chosen for you", "sbatch: error: Invalid qos specification"], "launcher.extra.qos"),
        (["New: a partition of H100s", "sbatch: unrecognized option '--wckey'"], "launcher.extra, or launcher.forb"),
        (["This site wants an account"], "launcher.account;"),
    ],
    ids=str,
)
def test_the_setting_to_change_is_by_what_slurm_says_and_not_by_what_a_site_prints_around_it(
    lines: list[str], hint: str, cluster: Path, tmp_path: Path
) -> None:
    said = "\n".join(lines)
    a_command(cluster, "sbatch", f"cat >&2 <<'END'\n{said}\nEND\nexit 1")
    with pytest.raises(UserError, match=rf"to change: {hint}") as caught:
        SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc")
    assert all(line.removeprefix("sbatch: ").removeprefix("error: ") in str(caught.value) for line in lines)


@pytest.mark.parametrize(
    ("said", "there", "job"),
    [
        ("4711", "", "4711"),
        ("4711;lab\n99", "4711 12", "4711"),
        ("99\n4711", "4711", "4711"),
        ("4711\n99", "", "4711"),
        ("Submitted batch job 4711", "", "4711"),
        ("99\nSubmitted batch job 4711 on cluster lab", "", "4711"),
        ("Hello\n4711\n4711", "", "4711"),
    ],
    ids=str,
)
def test_the_jobs_number_is_found_among_what_a_site_prints(
    said: str, there: str, job: str, cluster: Path, tmp_path: Path
) -> None:
    a_command(cluster, "sbatch", f"cat <<'END'\n{said}\nEND")
    a_command(cluster, "squeue", f"echo '{there}' | tr ' ' '\\n'" if there else "exit 1")
    assert f"job {job}" in SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc").description
    assert list((tmp_path / "jobs").glob(f"{job}*.pkl"))


@pytest.mark.parametrize(
    ("form", "flag"),
    [("gpus-per-node", "gpus-per-node=a100:2"), ("gres", "gres=gpu:a100:2"), ("gpus", "gpus=a100:6"), ("none", None)],
)
def test_gpus_are_asked_for_as_the_site_wants_it(form: str, flag: str | None, cluster: Path, tmp_path: Path) -> None:
    script = SlurmLauncher(nodes=3, gpus=2, gpu_type="a100", gpu_form=form, folder=tmp_path).script()
    asked = [line for line in script.splitlines() if line.startswith("#SBATCH --g")]
    assert asked == ([f"#SBATCH --{flag}"] if flag else [])


def test_what_a_site_forbids_is_left_out(cluster: Path, tmp_path: Path) -> None:
    script = SlurmLauncher(
        memory=8, cpus=4, memory_form="mem-per-cpu", forbidden=["requeue", "signal"], folder=tmp_path
    ).script()
    assert "#SBATCH --mem-per-cpu=2048M\n" in script
    assert "requeue" not in script
    assert "signal" not in script


def test_an_error_that_passes_is_waited_for(cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmsbench.launch.slurm.commands.time.sleep", lambda seconds: None)
    once = f"[ -e {tmp_path}/tried ] && {{ echo 12; exit; }}; touch {tmp_path}/tried"
    a_command(cluster, "sbatch", f"{once}; echo 'sbatch: error: Unable to contact slurm controller' >&2; exit 1")
    assert "job 12" in SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc").description


@pytest.mark.parametrize("said", ["Socket timed out on send/recv operation", "Zero Bytes were transmitted or received"])
def test_a_job_that_slurm_may_have_taken_is_not_submitted_again(said: str, cluster: Path, tmp_path: Path) -> None:
    a_command(cluster, "sbatch", f"echo >> {tmp_path}/asked; echo 'sbatch: error: {said}' >&2; exit 1")
    with pytest.raises(UserError, match=f"{said}.*`squeue --me` shows whether it was submitted"):
        SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc")
    assert (tmp_path / "asked").read_text() == "\n"


def test_a_hanging_sbatch_is_given_up_and_leaves_nothing(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmsbench.launch.slurm.submission.PATIENCE", 0.2)
    a_command(cluster, "sbatch", "exec sleep 60")
    with pytest.raises(UserError, match=r"no answer within 0\.2 s.*squeue --me"):
        SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc")
    assert list((tmp_path / "jobs").iterdir()) == []


def test_an_unwritable_log_folder_is_said_before_anything_is_submitted(cluster: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir(mode=0o500)
    somebody = ordinary_user() if os.geteuid() == 0 else nullcontext()  # root writes anywhere
    with somebody, pytest.raises(UserError, match=r"launcher\.folder .*Permission denied"):
        SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc")


def test_a_folder_that_everybody_can_write_is_not_one_for_what_jobs_run(cluster: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs").chmod(0o777)
    with pytest.raises(UserError, match=r"everybody can write to launcher\.folder .*chmod o-w"):
        SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc")
    assert list((tmp_path / "jobs").iterdir()) == []


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o664), (0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_no_file_can_be_written_by_everybody_and_a_group_may_share_them(
    umask: int, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    before = os.umask(umask)
    try:
        assert called("data", "standin", "made", "--count", "8", "--size", "16").code == 0
    finally:
        os.umask(before)
    files = [file for file in (tmp_path / "made").rglob("*") if file.is_file()]
    assert files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {mode}


def test_an_sbatch_that_says_nothing_of_a_job_is_a_refusal(cluster: Path, tmp_path: Path) -> None:
    a_command(cluster, "sbatch", "echo maintenance today")
    with pytest.raises(UserError, match="maintenance today"):
        SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc")


def test_without_sbatch_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"sbatch not found: .*login node, or leave out launcher=slurm"):
        SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc")
    assert not (tmp_path / "jobs").exists()


def test_where_slurm_is_installed_and_not_set_up_it_says_where_to_go(cluster: Path, tmp_path: Path) -> None:
    words = "sbatch: fatal: Could not establish a configuration source"
    a_command(cluster, "sbatch", f"echo '{words}' >&2; exit 1")
    with pytest.raises(
        UserError, match=r"^Slurm is not set up on this machine .*login node, or leave out launcher=slu"
    ):
        SlurmLauncher(folder=tmp_path / "jobs").submit(len, "abc")


def test_functions_that_a_job_could_not_import_are_refused(tmp_path: Path) -> None:
    def inner() -> None: ...

    for function in (inner, lambda: None, partial(inner)):
        with pytest.raises(UserError, match="cannot be imported inside a job"):
            SlurmLauncher(folder=tmp_path / "jobs", cluster="local").submit(function)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": 0},
        {"gpus": -1},
        {"cpus": 0},
        {"time": "soon"},
        {"time": "3"},
        {"cluster": "pbs"},
        {"extra": {"wait": 1}},
    ],
    ids=str,
)
def test_settings_that_no_cluster_takes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        SlurmLauncher(**wrong)


def test_a_job_whose_time_is_up_begins_again_with_the_same_arguments() -> None:
    again = Resumable(sorted).checkpoint([2, 1])
    assert again.function(*again.args, **again.kwargs) == [1, 2]
