"""A continuation asks for what the first job asked for, whatever the flag; the facts are a real Slurm's."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.processes.commands import a_command, each_job
from tests.support.processes.supervised import SHOWN, supervising
from vmsbench.launch.slurm.continuation import (
    batch_arguments,
    beside_script,
    continuation_flags,
    with_partitions,
    without_shown,
)
from vmsbench.launch.slurm.status import details

ROOT = Path(__file__).parents[3]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that print what a site's wrappers print, around the answers."""
    a_command(tmp_path / "bin", "scontrol", f"echo 'Welcome to LAB, A=1'; cat {tmp_path}/shown")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "shown").write_text(SHOWN)
    return tmp_path


def shown(slurm: Path, **changes: str) -> dict[str, str]:
    """The facts of a job, with some of its fields changed or added."""
    text = SHOWN
    for name, value in changes.items():
        name = name.replace("__", "/")
        before = f" {name}="
        old = text.partition(before)[2].split(" ")[0]
        text = text.replace(before + old, before + value) if before in text else f"{text} {name}={value}"
    (slurm / "shown").write_text(text)
    return details("4")


def test_fields_with_spaces_are_read_whole(slurm: Path) -> None:
    facts = shown(slurm)
    assert (facts["JobName"], facts["WorkDir"], facts["StdOut"]) == ("a b", "/home/me/a folder", "/home/me/l.log")
    assert facts["NtasksPerN:B:S:C"] == "1:0:*:*"


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"MinMemoryNode": "0", "MinMemoryCPU": "(null)"}, ["--mem=0"]),
        ({}, ["--mem-per-cpu=500M"]),
        ({"OverSubscribe": "NO"}, ["--exclusive"]),
        ({"OverSubscribe": "USER"}, ["--exclusive=user"]),
        ({"ReqNodeList": "n2"}, ["--nodelist=n2"]),
        ({"ExcNodeList": "n[4-5]"}, ["--exclude=n[4-5],n9"]),
        ({"NumNodes": "1-2"}, ["--nodes=1-2"]),
        ({"TresPerNode": "gres:gpu:2"}, ["--gres=gpu:2"]),
        ({"TresPerNode": "gres/gpu:a100=2,gres/nvme=1"}, ["--gres=gpu:a100:2,nvme:1"]),
        ({"TresPerJob": "gres:gpu:a100:4"}, ["--gpus=a100:4"]),
        ({"CpusPerTres": "gres:gpu:3", "TresPerJob": "gres:gpu:1"}, ["--cpus-per-gpu=3", "--gpus=1"]),
        ({"MemPerTres": "gres:gpu:300", "MinMemoryCPU": "0"}, ["--mem-per-gpu=300"]),
        ({"TresPerTask": "gres:gpu:1"}, ["--gpus-per-task=1"]),
        ({"TresPerTask": "cpu=7,gres/gpu=1"}, ["--gpus-per-task=1", "--cpus-per-task=2"]),
        ({"TresPerTask": "cpu:7,gres/gpu:a100:2,gres/shard:3"}, ["--gpus-per-task=a100:2"]),
        ({"TresPerJob": "gres:gpu:a100:1,gres:gpu:h100:2"}, ["--gpus=a100:1,h100:2"]),
        ({"TresPerNode": "cpu=4,mem=2G,gres/gpu:2,license/x:1"}, ["--gres=gpu:2"]),
        ({"TresPerNode": "gpu:v100:2"}, ["--gres=gpu:v100:2"]),
        ({"TresPerSocket": "gres/gpu"}, ["--gpus-per-socket=1"]),
        ({"WCKey": "mine"}, ["--wckey=mine"]),
        ({"StdErr": "/home/me/e.log"}, ["--error=/home/me/e.log"]),
        ({"Nice": "5"}, ["--nice=5"]),
        ({"MinTmpDiskNode": "5M"}, ["--tmp=5M"]),
        ({"Contiguous": "1"}, ["--contiguous"]),
        ({"Licenses": "matlab:1"}, ["--licenses=matlab:1"]),
        ({"Reservation": "class"}, ["--reservation=class"]),
        ({"MinCPUsNode": "8"}, ["--mincpus=8", "--cpus-per-task=2"]),
        ({"MinCPUsNode": "8", "CpusPerTres": "gres:gpu:3", "TresPerNode": "gres:gpu:2"}, ["--mincpus=8"]),
        ({"NtasksPerN:B:S:C": "1:0:2:1"}, ["--ntasks-per-socket=2", "--ntasks-per-core=1"]),
        ({"ReqB:S:C:T": "0:0:4:1"}, ["--cores-per-socket=4", "--threads-per-core=1"]),
        ({"Socks__Node": "2"}, ["--sockets-per-node=2"]),
        ({"Deadline": "2026-03-02T10:00:00"}, ["--deadline=2026-03-02T10:00:00"]),
        ({"MailUser": "me@lab.org", "MailType": "END,FAIL"}, ["--mail-user=me@lab.org", "--mail-type=END,FAIL"]),
        ({"Switches": "1@00:05:00"}, ["--switches=1@00:05:00"]),
        ({"Switches": "1@UNLIMITED"}, ["--switches=1"]),
        ({"GresEnforceBind": "Yes"}, ["--gres-flags=enforce-binding"]),
        ({"GresEnforceBind": "No"}, ["--gres-flags=disable-binding"]),
        ({"Prefer": "a100"}, ["--prefer=a100"]),
        ({"BatchFeatures": "haswell"}, ["--batch=haswell"]),
        ({"DelayBoot": "00:10:00"}, ["--delay-boot=00:10:00"]),
        ({"StdIn": "/home/me/in.txt"}, ["--input=/home/me/in.txt"]),
        ({"Reboot": "1"}, ["--reboot"]),
        ({"SpreadJob": "Yes"}, ["--spread-job"]),
    ],
    ids=str,
)
def test_every_flag_is_asked_for_again(changes: dict[str, str], flags: list[str], slurm: Path) -> None:
    asked = continuation_flags(shown(slurm, **changes), "4", ["n9"])
    assert set(flags) <= set(asked)
    assert {"--dependency=afterany:4", "--job-name=a b", "--ntasks=1", "--ntasks-per-node=1"} <= set(asked)
    assert not any(flag.endswith("=") or "null" in flag for flag in asked)


def test_what_was_not_asked_for_is_not_asked_for(slurm: Path) -> None:
    asked = {flag.partition("=")[0] for flag in continuation_flags(shown(slurm), "4", [])}
    assert asked == {
        *("--dependency", "--job-name", "--partition", "--nodes", "--ntasks", "--ntasks-per-node", "--cpus-per-task"),
        *("--mem-per-cpu", "--output", "--error", "--chdir"),
    }


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"TresPerTask": "cpu=8"}, "--gpus-per-task"),
        ({"TresPerTask": "cpu:24"}, "--gpus-per-task"),
        ({"TresPerNode": "cpu:4,mem:2G"}, "--gres"),
        ({"TresPerJob": "gres/shard:1"}, "--gpus"),
        ({"WCKey": "*mine"}, "--wckey"),
        ({"StdErr": "/home/me/l.log"}, "--error"),
        ({"MinCPUsNode": "8", "NtasksPerN:B:S:C": "4:0:*:*"}, "--mincpus"),
        ({"MinCPUsNode": "6", "CpusPerTres": "gres:gpu:3", "TresPerNode": "gres:gpu:2"}, "--mincpus"),
        ({"ReqB:S:C:T": "*:*:65534:65534"}, "--threads-per-core"),
        ({"NtasksPerTRES": "65534"}, "--ntasks-per-gpu"),
        ({"NtasksPerTRES": "1"}, "--ntasks-per-node"),
        ({"DelayBoot": "00:00:00"}, "--delay-boot"),
        ({"StdIn": "/dev/null"}, "--input"),
        ({"Reboot": "0"}, "--reboot"),
    ],
    ids=str,
)
def test_what_is_no_flag_of_the_job_is_not_given(changes: dict[str, str], flag: str, slurm: Path) -> None:
    assert flag not in {one.partition("=")[0] for one in continuation_flags(shown(slurm, **changes), "4", [])}


def test_flags_that_exclude_each_other_are_not_given_twice() -> None:
    script = "#!/bin/bash\n#SBATCH -N2 --mem=0 --signal=B:USR1@30\n#SBATCH -p low --mail-type=END\n#SBATCH -t 10\nrun\n"
    assert without_shown(script) == "#!/bin/bash\n#SBATCH --signal=B:USR1@30\n#SBATCH -p low --mail-type=END\nrun\n"


def test_tasks_of_each_gpu_exclude_tasks_of_a_node(slurm: Path) -> None:
    assert "--ntasks-per-gpu=2" in continuation_flags(shown(slurm, NtasksPerTRES="2"), "4", [])


@pytest.mark.parametrize("given", ["--hint=nomultithread", "--hint multithread", "-B 2:4:1", "-B2", "--time=10"])
def test_what_the_scripts_own_flag_stands_for_is_not_given_next_to_it(given: str, slurm: Path) -> None:
    flags = continuation_flags(shown(slurm, **{"ReqB:S:C:T": "0:0:*:1", "NtasksPerN:B:S:C": "1:0:*:1"}), "4", [])
    asked = beside_script(flags, f"#!/bin/bash\n#SBATCH {given}\nrun\n")
    assert set(flags) - set(asked) == (
        set() if given == "--time=10" else {"--threads-per-core=1", "--ntasks-per-core=1"}
    )
    assert beside_script(flags, f"#!/bin/bash\nrun\n#SBATCH {given}\n") == flags


@pytest.mark.parametrize("given", ["--partition=low,gpu", "--partition low,gpu", "-p low,gpu", "-plow,gpu"])
def test_of_a_list_of_partitions_a_continuation_asks_for_all_not_for_the_one_it_ran_in(given: str, slurm: Path) -> None:
    script = f"#!/bin/bash\n\n#SBATCH -t 10 {given} --mem=0\nrun -p nothing\n#SBATCH -p debug,gpu\n"
    for ran_in, written in (("gpu", script), ("low", without_shown(script))):  # the second is its continuation's script
        facts = with_partitions(shown(slurm, Partition=ran_in), written)
        assert "--partition=low,gpu" in continuation_flags(facts, "4", [])
    elsewhere = with_partitions(shown(slurm, Partition="debug"), script)  # sbatch's own line was given another
    assert "--partition=debug" in continuation_flags(elsewhere, "4", [])
    assert with_partitions(elsewhere, "#SBATCH -t 10\nrun\n") == elsewhere


def test_flags_of_one_submission_are_left_out() -> None:
    script = "#SBATCH --wait --hold\n#SBATCH -W -b now+1hour --wait-all-nodes=1\n#SBATCH --begin=16:00\nrun --wait\n"
    assert without_shown(script) == "#SBATCH --wait-all-nodes=1\nrun --wait\n"


def test_a_script_may_have_spaces_in_its_path(slurm: Path) -> None:
    script = slurm / "my own" / "sweep one.sh"
    script.parent.mkdir()
    script.touch()
    command = ["tune", "--exp", "gan", "data.root=/a b"]
    assert batch_arguments({"Command": f"{script} data.root=/a b"}, command) == ["data.root=/a b"]
    assert batch_arguments({"Command": str(script)}, command) == []
    assert batch_arguments({}, command) == []


def test_the_scripts_arguments_keep_their_spaces_where_it_passes_them_on(slurm: Path) -> None:
    command = ["tune", "--exp", "gan", "data.root=/a b", "--epochs", "3"]
    assert batch_arguments(shown(slurm), command) == ["data.root=/a b", "--epochs", "3"]
    assert batch_arguments(shown(slurm), ["tune"]) == ["data.root=/a", "b", "--epochs", "3"]


def test_a_task_of_an_array_continues_as_this_task_alone(slurm: Path) -> None:
    a_command(slurm / "bin", "squeue", f"echo 'Please read the news'; {each_job('RUNNING|None|n1')}")
    shows = f'[ "$1" = show ] && {{ echo Hello; cat {slurm}/shown; }}'
    writes = f'[ "$1" = write ] && {{ echo $3 >> {slurm}/wrote; touch $4; }}; true'
    a_command(slurm / "bin", "scontrol", f"{shows}; {writes}")
    a_command(
        slurm / "bin", "sbatch", f'env > {slurm}/env; printf "%s\\n" "$@" > {slurm}/asked; echo Hello; echo "55;lab"'
    )
    a_command(slurm / "bin", "child", "exit 75")
    words = supervising("runs/gan", slurm / "bin" / "child")
    array = {"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | array
    done = subprocess.run(words, env=environment, cwd=slurm, capture_output=True, text=True)
    assert "continues as job 55_3" in done.stdout, done.stdout + done.stderr
    asked = (slurm / "asked").read_text().splitlines()
    assert {"--array=3", "--dependency=afterany:12_3", "--no-requeue", "--open-mode=append"} <= set(asked), shlex.join(
        asked
    )
    assert (slurm / "wrote").read_text() == "12_3\n"
    assert "SLURM_ARRAY" not in (slurm / "env").read_text()
