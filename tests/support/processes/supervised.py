"""Jobs' supervisors and their nodes, in processes of this machine."""

import subprocess
import sys
import time
from pathlib import Path

from tests.support.processes.commands import a_command, each_job

ROOT = Path(__file__).parents[3]


def supervising(sweep: str, program: Path) -> list[str]:
    """The command that supervises `tune --exp gan`, run by another program than vmsbench.

    sweep  its folder
    """
    text = (
        "import signal, sys; from pathlib import Path; from vmsbench.launch.supervisor import supervise; "
        "signal.signal(signal.SIGHUP, signal.SIG_DFL); "  # these tests may run under nohup, no job does
        "sys.exit(supervise(sys.argv[3:], Path(sys.argv[1]), sys.argv[2:3]))"
    )
    return [sys.executable, "-u", "-c", text, sweep, str(program), "tune", "--exp", "gan"]


class Node:
    """A node: a supervised command begun as a batch script does it, with a small vmsbench, squeue and scontrol."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs, self.sweep = folder, folder / "bin", "runs/gan"
        self.state("RUNNING")
        a_command(self.programs, "scontrol", f'[ "$1" = show ] || echo "$@" >> {folder}/asked')

    def state(self, state: str) -> None:
        a_command(self.programs, "squeue", each_job(f"{state}|None|n1"))

    def vmsbench(self, script: str) -> None:
        a_command(self.programs, "child", script)

    def begin(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        env = {"SLURM_JOB_ID": "12", "PATH": f"{self.programs}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [*supervising(self.sweep, self.programs / "child"), *arguments],
            env=env | environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
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


def leaves_unfinished(folder: Path) -> str:
    """A vmsbench that saves and leaves with 75 when it is signalled, however often."""
    trap = "trap 'echo saving >> said' USR1 TERM"
    return f"cd {folder}; {trap}; touch ready; while [ ! -e said ]; do sleep 0.01; done; sleep 0.1; exit 75"


END = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 9000))
SHOWN = (
    "JobId=4 JobName=a b UserId=root(0) MCS_label=N/A Priority=1 Nice=0 Account=(null) QOS=(null) JobState=RUNNING "
    f"Reason=None Dependency=(null) Requeue=0 Restarts=0 EndTime={END} Deadline=N/A Partition=low "
    "ReqNodeList=(null) ExcNodeList=(null) NodeList=n2 NumNodes=1 NumCPUs=2 NumTasks=1 CPUs/Task=2 "
    "ReqB:S:C:T=0:0:*:* TRES=cpu=2,mem=20000M,node=1 NtasksPerN:B:S:C=1:0:*:* CoreSpec=* MinCPUsNode=2 "
    "MinMemoryCPU=500M MinTmpDiskNode=0 Features=(null) OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null) "
    "Command=/home/me/own.sh data.root=/a b --epochs 3 WorkDir=/home/me/a folder StdErr=/x StdOut=/home/me/l.log Power="
)


def supervised(folder: Path, child: str, most: dict[str, str]) -> tuple[str, str]:
    """What a supervised job of ten minutes says, and what it asks of Slurm."""
    shown = SHOWN.replace("EndTime=", "TimeLimit=00:10:00 EndTime=").replace("Requeue=0", "Requeue=1")
    (folder / "shown").write_text(shown)
    a_command(folder / "bin", "squeue", each_job("RUNNING|None|n1"))
    show = f'[ "$1" = show ] && {{ cat {folder}/shown; exit; }}'
    a_command(folder / "bin", "scontrol", f'{show}; echo "$@" >> {folder}/asked; [ "$1" = write ] && touch $4; true')
    a_command(folder / "bin", "sbatch", f'echo sbatch "$@" >> {folder}/asked; echo 55')
    a_command(folder / "bin", "child", child)
    words = supervising("runs/gan", folder / "bin" / "child")
    env = {"PATH": f"{folder}/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "SLURM_JOB_ID": "4"} | most
    done = subprocess.run(words, env=env, cwd=folder, capture_output=True, text=True)
    return done.stdout + done.stderr, (folder / "asked").read_text()


STUCK = "kill -USR1 $PPID; sleep 0.3; exit 75"
