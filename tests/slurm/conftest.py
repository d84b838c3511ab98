"""The cluster that these tests run on, brought up once, and a user on its login node."""

import json
import os
import pwd
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.lab import Lab, obstacle

ROOT = Path(__file__).parents[2]
TINY = (
    *("data=standin", "data.size=32", "data.count=120", "preset=quick", "device=cpu", "tracker=none"),
    *("space.parameters=[{param:model.network.width,values:[8,16,24]}]", "pruner=none", "--epochs", "3"),
    "searcher.fill=false",  # how many extra trials there are depends on how long the others take
)
LONG = ("--epochs", "40")


class User:
    """Somebody in a folder of their own on the login node, with vmsbench installed."""

    def __init__(self, lab: Lab, folder: Path, name: str = "root") -> None:
        self.lab, self.folder, self.name = lab, folder, name
        (folder / ".venv" / "bin").mkdir(parents=True)
        command = folder / ".venv" / "bin" / "vmsbench"
        command.write_text(f'#!/bin/bash\nPYTHONPATH={ROOT} exec {sys.executable} -m vmsbench "$@"\n')
        command.chmod(0o755)
        (folder / ".venv" / "bin" / "activate").write_text(f"export PATH={folder}/.venv/bin:$PATH\n")
        (folder / "slurm").symlink_to(ROOT / "slurm")
        owner = pwd.getpwnam(name)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder}/.venv/bin:{self.lab.environment['PATH']}"
        return self.lab.environment | {
            "PATH": path,
            "TMPDIR": str(self.lab.folder / "s"),
            "HOME": str(self.folder),
            "USER": self.name,
            "XDG_CONFIG_HOME": str(self.folder),
        }

    def says(self, command: str, check: bool = True, seconds: int = 300) -> "subprocess.CompletedProcess[str]":
        """A line of shell, as on the login node; nothing that it started is there when it is over, or given up."""
        alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        group = pwd.getpwnam(self.name).pw_gid
        become = f"setpriv --reuid={self.name} --regid={group} --clear-groups" if self.name != "root" else ""
        first = self.lab.python_for_everybody() if self.name != "root" else ""
        shell = ["bash", "-c", f'{first}{become} bash -c "$1"; exit $?', "login", command]
        done = self.lab.run(*alone, *shell, check=False, cwd=self.folder, env=self.environment, timeout=seconds)
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}{self.logs()}")
        return done

    def sbatch(self, flags: str, family: str = "unet", more: tuple[str, ...] = ()) -> str:
        """Submit a tiny sweep by its batch script; returns the job's number."""
        words = shlex.join([*TINY, *more])
        return self.says(f"sbatch --parsable {flags} slurm/sweep_{family}.sh {words}").stdout.strip()

    def state(self, job: str) -> str:
        said = self.says(f"squeue -h -t all -j {job} -o %T", check=False).stdout.split()
        return said[0] if said else "GONE"

    def wait_for(self, happened: Callable[[], bool], what: str, seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds:g} s for {what}\n{self.says('squeue').stdout}{self.logs()}")
            time.sleep(0.3)

    def over(self, job: str) -> bool:
        ends = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "GONE")
        return self.state(job) in ends

    def finishes(self, job: str, seconds: float = 480) -> None:
        self.wait_for(lambda: self.over(job), f"job {job} to end", seconds)
        assert self.state(job) == "COMPLETED", self.logs()

    def logs(self) -> str:
        logs = [
            *self.folder.glob("*.log"),
            *self.folder.glob("runs/slurm/*.out"),
            *self.folder.glob("runs/pbs/*.log"),
            *self.folder.glob("runs/*/nodes.log"),
        ]
        return "\n".join(f"== {log}\n{log.read_text(errors='replace')}" for log in sorted(logs))

    def epochs(self, name: str = "unet") -> int:
        """How many epochs are on the disk."""
        return sum(len(file.read_text().splitlines()) for file in self.folder.glob(f"runs/{name}/*/*/history.jsonl"))


def found(folder: Path) -> dict[str, Any]:
    """What a sweep came to: every trial's score, the winner, the finals' test scores."""
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {
        "trials": {e["trial"]: e["score"] for e in events if e["event"] == "finished" and e["state"] == "complete"},
        "winner": next(e["params"] for e in events if e["event"] == "winner"),
        "finals": {e["trial"]: e["scores"] for e in events if e["event"] == "final"},
    }


def places(folder: Path) -> dict[str, int]:
    """How many trials each node trained."""
    said = "".join(file.read_text() for file in folder.glob("*/*/log.txt"))
    hosts = re.findall(r" on cpu of (\S+):", said)
    return {host: hosts.count(host) for host in hosts}


def nothing_is_left(lab: Lab, files: bool = True) -> None:
    """No process and no file of ours on any node, and no core file in the users' folders.

    files  False where a node had no chance to remove its own
    """
    for number in range(1, lab.nodes + 1):
        assert lab.processes(number, "ray") == [], lab.on_node(number, "ps", "-ef")
        assert lab.processes(number, "vmsbench") == []
        assert not files or [*(lab.folder / "nodes" / f"n{number}").glob("vmsbench*")] == []
    there = (file for file in lab.folder.glob("user-*/**/core*") if file.is_file())
    assert [file for file in there if re.fullmatch(r"core(\.\d+)?", file.name)] == []


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    why_not = obstacle()
    if why_not:
        pytest.skip(why_not)
    temporary = tempfile.TemporaryDirectory(prefix="vsl-", dir="/tmp", ignore_cleanup_errors=True)
    with temporary as folder, Lab(Path(folder)).running() as running:
        yield running


@pytest.fixture
def user(lab: Lab) -> Iterator[User]:
    """Somebody whose jobs, and whose alone, are on the cluster."""
    someone = User(lab, Path(tempfile.mkdtemp(prefix="user-", dir=lab.folder)))
    yield someone
    someone.says("scancel --user=root", check=False)
    someone.wait_for(lambda: not someone.says("squeue -h").stdout, "every job to be over", 60)


def of_one_machine(lab: Lab, *more: str, family: str = "unet") -> dict[str, Any]:
    """What a sweep comes to on one machine, without Slurm and undisturbed."""
    user = User(lab, Path(tempfile.mkdtemp(prefix="here-", dir=lab.folder)))
    user.says(f"vmsbench tune --allow-login-node --exp {family} --quiet {shlex.join([*TINY, *more])}", seconds=1200)
    return found(user.folder / "runs" / family)


@pytest.fixture(scope="session")
def reference(lab: Lab) -> dict[str, Any]:
    return of_one_machine(lab)


@pytest.fixture(scope="session")
def long_reference(lab: Lab) -> dict[str, Any]:
    return of_one_machine(lab, *LONG)
