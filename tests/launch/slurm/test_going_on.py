"""How an unfinished job goes on where Slurm was away, refuses the requeue, or another process has the sweep."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes.commands import a_command, each_job
from tests.support.processes.supervised import SHOWN, STUCK, Node, supervised

REFUSED = "echo 'scontrol: error: Requested operation is presently disabled for job 12' >&2; exit 1"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def slurm(node: Node, requeue: str = REFUSED, facts: str = SHOWN, sbatch: str = "echo 55") -> None:
    """Slurm as the job sees it; what is asked of it is written to `asked`."""
    (node.folder / "shown").write_text(facts)
    shows = f'[ "$1" = show ] && {{ cat {node.folder}/shown; exit; }}'
    writes = f'echo "$@" >> {node.folder}/asked; [ "$1" = write ] && {{ echo "#!/bin/bash" > $4; exit; }}'
    a_command(node.programs, "scontrol", f"{shows}; {writes}; {requeue}")
    a_command(node.programs, "sbatch", f'echo sbatch "$@" >> {node.folder}/asked; env > {node.folder}/env; {sbatch}')


def asked(node: Node) -> list[str]:
    file = node.folder / "asked"
    return file.read_text().splitlines() if file.exists() else []


def test_where_the_requeue_is_refused_the_continuation_is_submitted(node: Node) -> None:
    slurm(node, facts=SHOWN.replace("Requeue=0", "Requeue=1"))
    node.vmsbench("exit 75")
    said, _ = node.begin().communicate()
    assert "continues as job 55" in said
    assert asked(node)[0] == "requeue 12"
    assert asked(node)[-1].startswith("sbatch --parsable --no-requeue --dependency=afterany:12 ")


@pytest.mark.parametrize(
    ("shown", "job"),
    [("JobId=55 ", "55"), ("JobId=55 ArrayJobId=12 ArrayTaskId=3 ", "12_3"), ("", "12_3")],
    ids=["another's variables", "a task", "Slurm is silent"],
)
def test_a_job_that_a_task_of_an_array_submitted_requeues_itself(shown: str, job: str, node: Node) -> None:
    slurm(node, requeue="true", facts=SHOWN.replace("JobId=4 ", shown).replace("Requeue=0", "Requeue=1") * bool(shown))
    node.vmsbench("exit 75")
    task = {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}
    said, _ = node.begin(SLURM_JOB_ID="55", **task).communicate()
    assert f"job {job}  restarts" in said
    assert asked(node) == [f"requeue {job}"], said


def test_the_refused_requeue_of_a_cancelled_job_submits_nothing(node: Node) -> None:
    (node.folder / "state").write_text("12|RUNNING|None|n1\n")
    a_command(node.programs, "squeue", f"cat {node.folder}/state")
    slurm(
        node, f"echo '12|COMPLETING|None|n1' > {node.folder}/state; {REFUSED}", SHOWN.replace("Requeue=0", "Requeue=1")
    )
    node.vmsbench("exit 75")
    said, _ = node.begin().communicate()
    assert asked(node) == ["requeue 12"]
    assert "submit it again" in said


def test_what_slurm_did_not_say_as_the_job_began_is_asked_again(node: Node) -> None:
    slurm(node, facts="")
    node.vmsbench(f"echo '{SHOWN}' > {node.folder}/shown; exit 75")
    said, _ = node.begin().communicate()
    assert "continues as job 55" in said
    assert not any(line.startswith("requeue") for line in asked(node)), "the job is one of --no-requeue"
    assert "--mem-per-cpu=500M" in asked(node)[-1]


def test_a_continuation_that_slurm_took_without_an_answer_is_not_submitted_twice(node: Node) -> None:
    script = f"{node.folder}/runs/gan/slurm-script.sh"
    heard = f"echo '56|afterany:12(unfulfilled)|{script} a b' >> {node.folder}/queue"
    slurm(node, sbatch=f"{heard}; echo 'sbatch: error: Socket timed out' >&2; exit 1")
    others = f"54|afterany:1(unfulfilled)|{script}\n55|afterany:12(unfulfilled)|/own.sh\n"
    (node.folder / "queue").write_text(others)
    listed = f'[[ "$*" == *--user=* ]] && {{ cat {node.folder}/queue; exit; }}'
    a_command(node.programs, "squeue", f"{listed}; {each_job('RUNNING|None|n1')}")
    node.vmsbench("exit 75")
    said, _ = node.begin().communicate()
    assert "continues as job 56" in said
    assert sum(line.startswith("sbatch") for line in asked(node)) == 1


def test_a_continuation_does_not_inherit_when_its_job_must_end(node: Node) -> None:
    slurm(node)
    node.vmsbench(f"echo $VMSBENCH_UNTIL > {node.folder}/until; exit 75")
    node.begin(VMSBENCH_UNTIL="1", VMSBENCH_NOTICE="7").communicate()
    assert int((node.folder / "until").read_text()) > 1
    inherited = (node.folder / "env").read_text()
    assert "VMSBENCH_UNTIL" not in inherited
    assert "VMSBENCH_NOTICE=7" in inherited


def test_an_end_that_is_not_known_is_not_that_of_a_job_before(node: Node) -> None:
    node.vmsbench(f"echo until $VMSBENCH_UNTIL > {node.folder}/until")
    node.begin(VMSBENCH_UNTIL="1").communicate()
    assert (node.folder / "until").read_text() == "until\n"


def test_a_job_whose_sweep_was_taken_over_writes_and_submits_nothing_more(node: Node) -> None:
    slurm(node)
    before = f"cp {node.folder}/runs/gan/jobs.jsonl {node.folder}/before"
    node.vmsbench(f"trap : USR1; {before}; kill -USR1 $PPID; exit 76")
    job = node.begin()
    said, _ = job.communicate()
    assert job.returncode == 75, said
    assert (node.folder / "runs/gan/jobs.jsonl").read_bytes() == (node.folder / "before").read_bytes()
    assert asked(node) == []


@pytest.mark.parametrize(("supervised", "code"), [({}, 75), ({"VMSBENCH_SUPERVISED": "1"}, 76)])
def test_a_command_tells_its_supervisor_that_the_sweep_was_taken_over(supervised: dict[str, str], code: int) -> None:
    program = (
        "import sys; from vmsbench.cli import exit_codes; from vmsbench.errors import OwnershipLost\n"
        "def app(standalone_mode): raise OwnershipLost('taken over')\n"
        "sys.exit(exit_codes.run(app))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "VMSBENCH_SUPERVISED"} | supervised
    assert subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True).returncode == code


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VMSBENCH_MOST_MEMORY", "much"),
        ("VMSBENCH_MOST_MEMORY", "0"),
        ("VMSBENCH_MOST_TIME", "8h"),
        ("VMSBENCH_MAX_RESTARTS", "ten"),
        ("VMSBENCH_MAX_RESTARTS", "inf"),
    ],
)
def test_a_bad_limit_is_one_line_at_the_start(name: str, value: str, node: Node) -> None:
    node.vmsbench(f"touch {node.folder}/began")
    job = node.begin(**{name: value})
    said, _ = job.communicate()
    assert job.returncode
    assert f"UserError: {name}={value} is no" in said or f"Error: {name} is {value}; write it as 90 (minutes)" in said
    assert not (node.folder / "began").exists()


@pytest.mark.parametrize(
    "most", [{"VMSBENCH_MOST_MEMORY": "64"}, {"VMSBENCH_MOST_MEMORY": "64G"}, {"VMSBENCH_MOST_MEMORY": "65536MB"}]
)
def test_memory_may_be_written_as_slurm_has_it(most: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    from vmsbench.launch.environment import most_memory

    for name, value in most.items():
        monkeypatch.setenv(name, value)
    assert most_memory() == 64


@pytest.mark.parametrize("time", ["15", "0:15:00", "0-0:15"])
def test_time_may_be_written_as_slurm_has_it(time: str, tmp_path: Path) -> None:
    _, done = supervised(tmp_path, STUCK, {"VMSBENCH_MOST_TIME": time})
    assert "--time=00:15:00" in done
