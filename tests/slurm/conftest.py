"""The cluster that these tests run on, brought up once, and a user on its login node."""

import os
import pwd
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.lab import Lab, obstacle

ROOT = Path(__file__).parents[2]
TINY = (
    *("data=standin", "data.size=32", "data.count=120", "preset=quick", "device=cpu", "tracker=none"),
    *("space.coordinates=[{param:model.network.width,options:[8,16,24]}]", "--epochs", "3"),
)


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
            "TMPDIR": str(self.lab.folder / "scratch"),
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
        }

    def says(self, command: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """A line of shell, as on the login node."""
        become = ["setpriv", f"--reuid={self.name}", "--clear-groups"] if self.name != "root" else []
        done = self.lab.run(
            *become, "bash", "-c", command, check=False, cwd=self.folder, env=self.environment, timeout=300
        )
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

    def wait_for(self, happened: "object", what: str, seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not happened():  # type: ignore[operator]
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds:g} s for {what}\n{self.says('squeue').stdout}{self.logs()}")
            time.sleep(0.3)

    def finishes(self, job: str, seconds: float = 240) -> None:
        ends = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "GONE")
        self.wait_for(lambda: self.state(job) in ends, f"job {job} to end", seconds)
        assert self.state(job) == "COMPLETED", self.logs()

    def logs(self) -> str:
        logs = [
            *self.folder.glob("*.log"),
            *self.folder.glob("runs/slurm/*.out"),
            *self.folder.glob("runs/*/nodes.log"),
        ]
        return "\n".join(f"== {log}\n{log.read_text(errors='replace')}" for log in sorted(logs))

    def epochs(self, name: str = "unet") -> int:
        """How many epochs are on the disk."""
        return sum(len(file.read_text().splitlines()) for file in self.folder.glob(f"runs/{name}/*/*/history.jsonl"))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    why_not = obstacle()
    if why_not:
        pytest.skip(why_not)
    with tempfile.TemporaryDirectory(prefix="vsl-", dir="/tmp") as folder, Lab(Path(folder)).running() as running:
        yield running


@pytest.fixture
def user(lab: Lab, request: pytest.FixtureRequest) -> User:
    return User(lab, Path(tempfile.mkdtemp(prefix="user-", dir=lab.folder)))
