"""A job that was killed for want of time or memory: the next one asks for more, within what the settings allow."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import called, refused
from tests.support.processes.commands import a_command, each_job
from tests.support.processes.supervised import SHOWN, STUCK, supervised
from vmsbench.launch.job_log import asked_more, job_status
from vmsbench.launch.slurm.allocation import SlurmAllocation
from vmsbench.launch.slurm.continuation import asked_for, continuation_flags, grown, larger_facts
from vmsbench.launch.supervisor import Supervisor
from vmsbench.processes import kills_for_memory
from vmsbench.store.job_events import note, notes
from vmsbench.versions import PUBLIC

TUNE = ("tune", "--exp", "unet", "data=standin", "launcher=slurm", "launcher.gpus=0")


@pytest.mark.parametrize(
    ("cause", "asked", "most", "more"),
    [
        ("time", {"time": "1:00:00"}, "1-0", {"time": "02:00:00"}),
        ("time", {"time": "1:00:00"}, "90", {"time": "01:30:00"}),
        ("time", {"time": 60}, "1:00:00", {}),
        ("time", {"time": None}, "1-0", {}),
        ("time", {"time": "1:00:00"}, None, {}),
        ("memory", {"memory": 4}, 16.0, {"memory": 8.0}),
        ("memory", {"memory": 12.0}, 16.0, {"memory": 16.0}),
        ("memory", {"memory": 16.0}, 16.0, {}),
        ("memory", {"memory": None}, 16.0, {"memory": 16.0}),
        ("memory", {"memory": 4}, None, {}),
        ("", {"time": "1:00:00", "memory": 4}, "1-0", {}),
    ],
)
def test_twice_as_much_is_asked_for_and_at_most_what_is_allowed(
    cause: str, asked: dict[str, Any], most: Any, more: dict[str, Any]
) -> None:
    assert grown(cause, asked, most_time=most, most_memory=most if cause == "memory" else None) == more


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A login node whose last job is in the state that `ended` gave it."""
    for name in ("sbatch", "srun", "sacct", "scontrol", "sinfo"):
        a_command(tmp_path / "bin", name, "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ended(cluster: Path, job: str, state: str, more: dict[str, Any] | None = None, **asked: Any) -> None:
    settings = {"_target_": PUBLIC["Slurm launcher"], **asked}
    note(cluster / "runs" / "unet", "submitted", job=job, launcher=settings, more=more or {})
    a_command(cluster / "bin", "squeue", "exit 1")
    a_command(cluster / "bin", "sacct", each_job(f"{state}|0:125|n1"))


def test_a_job_that_ran_out_of_memory_is_followed_by_one_with_more(cluster: Path) -> None:
    limits = ("launcher.memory=4", "launcher.most_memory=12", "--print")
    ended(cluster, "7", "OUT_OF_MEMORY", memory=4.0)
    first = called(*TUNE, *limits)
    assert "#SBATCH --mem=8192M\n" in first.out, first
    assert "# asks for memory=8.0, more than the job before" in first.out
    assert "export VMSBENCH_MOST_MEMORY=12" in first.out
    assert "#SBATCH --mem=4096M\n" in called(*TUNE, "launcher.memory=4", "--print").out
    ended(cluster, "8", "OUT_OF_MEMORY", more={"memory": 8.0}, memory=8.0)
    assert "#SBATCH --mem=12288M\n" in called(*TUNE, *limits).out
    ended(cluster, "9", "FAILED", more={"memory": 12.0}, memory=12.0)
    assert "#SBATCH --mem=12288M\n" in called(*TUNE, *limits).out, "what a sweep was found to need is kept"
    assert "#SBATCH --mem=20480M\n" in called(*TUNE, "launcher.memory=20", *limits[1:]).out


@pytest.mark.parametrize("killed", ["OUT_OF_MEMORY|0:125", "FAILED|0:9", "FAILED|0:137"])
def test_an_elastic_sweep_whose_workers_were_killed_for_memory_is_followed_by_one_with_more(
    killed: str, cluster: Path
) -> None:
    ended(cluster, "7", "COMPLETED", memory=4.0)
    settings = {"_target_": PUBLIC["Slurm launcher"], "memory": 4.0}
    for job in ("8", "9"):
        note(cluster / "runs" / "unet", "submitted", job=job, launcher=settings, driver="7")
    worker = f"[[ $* == *8,9* ]] && echo '8|{killed}|n1'; [[ $* == *7* ]] && echo '7|FAILED|1:0|n1'; true"
    a_command(cluster / "bin", "sacct", worker)
    limits = ("launcher.shape=elastic", "launcher.memory=4", "launcher.most_memory=12", "--print")
    assert "#SBATCH --mem=8192M\n" in called(*TUNE, *limits).out


def test_a_job_that_failed_by_a_kill_for_memory_is_followed_by_one_with_more(cluster: Path) -> None:
    limits = ("launcher.memory=4", "launcher.most_memory=12", "--print")
    for code, memory in {"0:9": 8192, "0:137": 8192, "9:0": 4096, "1:0": 4096}.items():
        ended(cluster, "7", "FAILED", memory=4.0)
        a_command(cluster / "bin", "sacct", each_job(f"FAILED|{code}|n1"))
        assert f"#SBATCH --mem={memory}M\n" in called(*TUNE, *limits).out, code


def test_what_a_sweep_was_found_to_need_is_kept_when_it_needs_more_of_something_else(cluster: Path) -> None:
    limits = ("launcher.memory=4", "launcher.most_memory=32", "--time", "1:00:00", "launcher.most_time=1-0", "--print")
    ended(cluster, "7", "OUT_OF_MEMORY", memory=4.0, time="1:00:00")
    ended(cluster, "8", "TIMEOUT", more={"memory": 8.0}, memory=8.0, time="1:00:00")
    ended(cluster, "9", "FAILED", more={"time": "02:00:00"}, time="02:00:00")
    found = called(*TUNE, *limits)
    assert {"#SBATCH --mem=8192M", "#SBATCH --time=02:00:00"} <= set(found.out.splitlines())
    assert "# asks for memory=8.0, kept from job 8; time=02:00:00, kept from job 9\n" in found.out
    a_command(cluster / "bin", "squeue", each_job("PENDING|Resources|"))
    note(cluster / "runs" / "unet", "submitted", job="10", more={"memory": 8.0, "time": "04:00:00"})
    words = job_status(cluster / "runs" / "unet", "9").reason
    assert words == "Resources; asks for time=02:00:00, more than the job before, which had too little"
    more = notes(cluster / "runs" / "unet")[-1]["more"]
    assert asked_more(cluster / "runs" / "unet", more, "10") == (
        "memory=8.0, kept from job 8; time=04:00:00, more than the job before, which had too little"
    )


@pytest.mark.parametrize(
    "fixed", ["launcher.extra.mem=0", "launcher.extra.mem-per-gpu=8G", "launcher.memory_form=none"]
)
def test_memory_that_is_asked_for_otherwise_stays_as_it_is(fixed: str, cluster: Path) -> None:
    ended(cluster, "7", "OUT_OF_MEMORY")
    found = called(*TUNE, fixed, "launcher.most_memory=64", "--print")
    assert "# asks for" not in found.out
    assert len(re.findall("^#SBATCH --mem", found.out, re.MULTILINE)) == ("extra" in fixed), found


def test_a_job_that_was_killed_at_its_time_limit_is_followed_by_a_longer_one(cluster: Path) -> None:
    ended(cluster, "7", "TIMEOUT", time="1:00:00")
    found = called(*TUNE, "--time", "1:00:00", "launcher.most_time=1-0", "--print")
    assert "#SBATCH --time=02:00:00\n" in found.out, found
    assert "#SBATCH --time=3:00:00\n" in called(*TUNE, "--time", "3:00:00", "launcher.most_time=1-0", "--print").out
    ended(cluster, "8", "COMPLETED", time="1:00:00")
    assert "#SBATCH --time=1:00:00\n" in called(*TUNE, "--time", "1:00:00", "launcher.most_time=1-0", "--print").out


def test_the_status_says_that_a_job_asks_for_more(cluster: Path) -> None:
    ended(cluster, "8", "OUT_OF_MEMORY", more={"memory": 8.0})
    a_command(cluster / "bin", "squeue", each_job("PENDING|Resources|"))
    shown = " ".join(called("status", "unet").out.split())
    assert "job 8 PENDING: Resources; asks for memory=8.0, more than the job before" in shown


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("most_time=soon", "launcher.most_time is soon; write it as 90 (minutes)"),
        ("most_memory=64G", "launcher.most_memory=64G does not fit: it is a number"),
        ("most_memory=-1", "launcher.most_memory is -1.0; it must be above 0"),
        ("most_memory=[]", "launcher.most_memory"),
    ],
)
def test_limits_of_another_kind_are_refused(wrong: str, said: str, cluster: Path) -> None:
    refused(called(*TUNE, f"launcher.{wrong}", "--print"), said)


FACTS = dict(re.findall(r"([A-Z][\w/:]*)=(\S*)", SHOWN)) | {"TimeLimit": "00:10:00"}


def test_a_continuation_asks_for_more_in_the_form_of_the_first_job() -> None:
    assert asked_for(FACTS) == {"time": "00:10:00", "memory": pytest.approx(1000 / 1024)}
    asked = continuation_flags(larger_facts(FACTS, {"time": "00:20:00", "memory": 2.0}), "4", [])
    assert {"--time=00:20:00", "--mem-per-cpu=1024M"} <= set(asked)
    assert not any(flag.startswith(("--mem=", "--mem-per-gpu")) for flag in asked)


@pytest.mark.parametrize(
    ("changes", "memory", "flag"),
    [
        ({"MinMemoryNode": "4G", "MinMemoryCPU": "(null)"}, 4.0, "--mem=8192M"),
        ({"MinMemoryCPU": "2G"}, 4.0, "--mem-per-cpu=4096M"),
        ({"MemPerTres": "gres:gpu:2048", "TresPerNode": "gres:gpu:2"}, 4.0, "--mem-per-gpu=4096M"),
        ({"MemPerTres": "gres:gpu:4096", "TresPerNode": "gres/gpu:a100"}, 4.0, "--mem-per-gpu=8192M"),
        ({"MemPerTres": "gres/gpu:2048", "TresPerJob": "gres/gpu:a100=2"}, 4.0, "--mem-per-gpu=4096M"),
        ({"MemPerTres": "gres:gpu:2048", "TresPerTask": "gres:gpu:2"}, None, ""),
        ({"MinMemoryNode": "0", "MinMemoryCPU": "(null)"}, None, ""),
        ({"MinMemoryCPU": "0"}, None, ""),
    ],
    ids=str,
)
def test_memory_grows_in_the_form_in_which_it_was_asked_for_or_not_at_all(
    changes: dict[str, str], memory: float | None, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VMSBENCH_MOST_MEMORY", "64")
    given = SlurmAllocation("4", 0, ("n1",), 1, (), facts=FACTS | changes)
    assert asked_for(given.facts)["memory"] == memory
    more = given.larger("memory")
    assert more == ({"memory": 8.0} if memory else {})
    if memory:
        asked = continuation_flags(larger_facts(given.facts, more), "4", [])
        assert [one for one in asked if one.startswith("--mem")] == [flag]


WORKING = f'mkdir -p runs/gan; echo \'{{"event": "finished"}}\' >> runs/gan/journal.jsonl; {STUCK}'


def test_a_job_whose_time_was_too_short_for_any_progress_is_continued_by_a_longer_one(tmp_path: Path) -> None:
    said, asked = supervised(tmp_path, STUCK, {"VMSBENCH_MOST_TIME": "1:00:00"})
    assert "continues as job 55, which asks for time=00:20:00" in said, said
    assert "--time=00:20:00" in asked
    assert "requeue 4" not in asked.splitlines()
    assert notes(tmp_path / "runs" / "gan")[-1]["more"] == {"time": "00:20:00"}


@pytest.mark.parametrize(
    ("child", "most"),
    [(WORKING, {"VMSBENCH_MOST_TIME": "1:00:00"}), (STUCK, {}), (STUCK, {"VMSBENCH_MOST_TIME": "5"})],
    ids=["it got on", "no limit given", "no more allowed"],
)
def test_else_the_job_is_requeued_as_it_is(child: str, most: dict[str, str], tmp_path: Path) -> None:
    said, asked = supervised(tmp_path, child, most)
    assert "not finished; requeued" in said, said
    assert "requeue 4" in asked.splitlines()


@pytest.mark.parametrize(
    ("line", "file", "text", "killed"),
    [
        ("0::/slurm/job_4/step_batch", "slurm/job_4/memory.events", "low 0\noom 1\noom_kill 1\n", True),
        ("0::/slurm/job_4/step_batch", "slurm/job_4/memory.events", "low 0\noom 1\noom_kill 0\n", False),
        ("0::/slurm/job_4/step_batch", "slurm/memory.events", "oom_kill 3\n", False),
        ("5:memory:/slurm/job_4/step_batch", "memory/slurm/job_4/step_batch/memory.oom_control", "oom_kill 2\n", True),
        ("5:cpu:/slurm/job_4/step_batch", "memory/slurm/job_4/step_batch/memory.oom_control", "oom_kill 2\n", False),
        ("0::/", "memory.events", "oom_kill 3\n", False),
        ("0::/user/shell", "user/shell/memory.events", "oom_kill 1\n", True),
    ],
)
def test_a_kill_for_memory_is_read_from_the_jobs_control_group(
    line: str, file: str, text: str, killed: bool, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text(f"{line}\n")
    (tmp_path / "groups" / file).parent.mkdir(parents=True)
    (tmp_path / "groups" / file).write_text(text)
    assert bool(kills_for_memory(tmp_path / "groups", tmp_path / "own")) is killed
    assert not kills_for_memory(tmp_path / "groups", tmp_path / "none")


def test_an_earlier_kill_for_memory_is_not_the_reason_of_a_later_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = iter((1, 1, 1, 2))
    monkeypatch.setattr("vmsbench.launch.supervisor.kills_for_memory", lambda: next(counted))
    monkeypatch.setenv("VMSBENCH_MOST_MEMORY", "64")
    for name in ("PYTHONUNBUFFERED", "VMSBENCH_SUPERVISED"):
        monkeypatch.setenv(name, "1")  # as the supervisor sets them for its command; they end with the test
    a_command(tmp_path / "bin", "child", "exit 1")
    given = SlurmAllocation("4", 0, ("n1",), 1, (), facts=FACTS)
    one = Supervisor(["tune"], [str(tmp_path / "bin" / "child")], given, tmp_path / "runs" / "gan")
    monkeypatch.setattr(one, "continued", lambda: 75)
    assert one.until_finished(0) == 75
    assert one.short_of == "memory"
    assert next(counted, None) is None, "restarted after the first death, continued after the second"
