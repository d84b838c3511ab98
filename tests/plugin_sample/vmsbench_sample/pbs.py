"""A launcher of one's own: PBS (OpenPBS, PBS Pro), whose jobs have one node each."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vmsbench.accelerators import visible
from vmsbench.launch.allocation import Allocation, bound_cpus
from vmsbench.launch.environment import LAUNCHER, NOTICE
from vmsbench.launch.launcher import (
    AS_SET,
    Job,
    JobPhase,
    JobRequest,
    JobResources,
    JobStatus,
    Launcher,
    Refused,
    unknown,
)
from vmsbench.launch.pickled import CallJob, call_command, call_completed, save_call

NAME = "vmsbench_sample.pbs.PbsLauncher"
PHASES = {
    **dict.fromkeys("QHWTS", JobPhase.WAITING),
    **dict.fromkeys("RB", JobPhase.RUNNING),
    "E": JobPhase.ENDING,
}


class PbsLauncher(Launcher):
    """A job is three things: a header of `#PBS` lines, a command, and the programs qsub, qstat, qdel and qrerun.

    shape     of a sweep: allocation, one job; elastic, a small job that drives and one more that comes and goes
    time      PBS's walltime, HH:MM:SS
    memory    GB; None is the site's default
    notice    seconds before the end of its time in which a job begins nothing
    setup     lines of shell before the command
    folder    scripts, logs and results; on a disk that all nodes share
    """

    def __init__(
        self,
        shape: str = "allocation",
        gpus: int = 0,
        cpus: int = 4,
        time: str = "08:00:00",
        memory: float | None = None,
        queue: str | None = None,
        account: str | None = None,
        notice: int = 120,
        setup: Sequence[str] = (),
        folder: str = "runs/pbs",
        poll: float = 40.0,
        name: str = "vmsbench",
    ) -> None:
        self.elastic, self.poll = shape == "elastic", poll
        self._queue, self._account, self._setup, self._name = queue, account, list(setup), name
        self._folder, self._notice = Path(folder).resolve(), notice
        self._seconds = sum(int(part) * unit for part, unit in zip(time.split(":"), (3600, 60, 1), strict=True))
        self._resources = JobResources(1, cpus, gpus, time, (self._seconds - notice) / 3600, memory)

    @property
    def resources(self) -> JobResources:
        return self._resources

    def submit(self, function: Callable[..., Any], *arguments: Any, request: JobRequest = AS_SET) -> Job:
        call = save_call(self._folder, function, *arguments)
        script, log = call.with_suffix(".sh"), call.with_suffix(".log")
        script.write_text(self._text(call_command(call), request, call))
        after = ["-W", f"depend=after:{request.after}"] if request.after else []
        number = run("qsub", "-j", "oe", "-o", "/dev/null", *after, str(script)).split()[-1]
        (self._folder / f"{number}.call").symlink_to(call)
        return CallJob(self, number, call, log, "qdel")

    def script(self, command: Sequence[str] | None = None) -> str:
        return self._text(command or ["true"], AS_SET, self._folder / "NAME.call")

    def check(self) -> str:
        if shutil.which("qsub") is None:
            raise Refused("qsub not found: run this on a cluster's login node")
        return "PBS has no dry run; qsub is here"

    def status(self, job: str) -> JobStatus:
        facts = {}
        with contextlib.suppress(Refused):
            facts = dict(re.findall(r"^\s+(\S+) = (.*)$", run("qstat", "-f", job), re.MULTILINE))
        state, nodes = facts.get("job_state", "F"), facts.get("exec_host", "").partition("/")[0]
        if state in PHASES:
            return JobStatus(job, PHASES[state], state, facts.get("comment", ""), nodes, "qstat")
        completed = call_completed(self._call(job))
        if completed is None and not facts:
            return unknown(job)
        phase = JobPhase.COMPLETED if completed else JobPhase.FAILED
        return JobStatus(job, phase, state, "" if completed else "it returned nothing", nodes, "qstat")

    def cancel(self, *jobs: str) -> None:
        for job in jobs:
            if not self.status(job).over:
                run("qdel", job)

    def logs(self, job: str) -> Path | None:
        log = self._call(job).with_suffix(".log")
        return log if log.exists() else None

    def requeue(self, job: str) -> None:
        run("qrerun", job)

    @classmethod
    def allocation(cls) -> Allocation | None:
        """PBS tells a job its number and its nodes; what else it needs to know its script exports."""
        env: Mapping[str, str] = os.environ
        if "PBS_JOBID" not in env:
            return None
        nodes = tuple(dict.fromkeys(Path(env["PBS_NODEFILE"]).read_text().split())) if "PBS_NODEFILE" in env else ()
        return Allocation(
            env["PBS_JOBID"],
            restarts=int(env.get("PBS_RESTARTS", "0")),
            nodes=nodes or (os.uname().nodename,),
            cpus=int(env.get("NCPUS") or bound_cpus()),
            gpus=visible() or (),
            settings={"_target_": NAME, "folder": env.get("PBS_CALLS", "runs/pbs")},
            deadline=float(env["PBS_DEADLINE"]) if "PBS_DEADLINE" in env else None,
            log=env.get("PBS_LOG"),
        )

    def _call(self, job: str) -> Path:
        return (self._folder / f"{job}.call").resolve()

    def _text(self, command: Sequence[str], request: JobRequest, call: Path) -> str:
        size, starts = request.size(self._resources), shlex.quote(str(call.with_suffix(".starts")))
        memory = f":mem={round(size.memory * 1024)}mb" if size.memory else ""
        gpus = f":ngpus={size.gpus}" if size.gpus else ""
        header = {
            "-N": self._name[:15],
            "-q": self._queue,
            "-A": self._account,
            "-r": "y",
            "-V": "",
            "-l select": f"1:ncpus={size.cpus}{gpus}{memory}",
            "-l walltime": size.time,
        }
        given = {"PBS_LOG": str(call.with_suffix(".log")), "PBS_CALLS": str(self._folder), "NCPUS": str(size.cpus)}
        given |= {LAUNCHER: NAME, NOTICE: str(self._notice), **request.environment}
        return "\n".join(
            [
                "#!/bin/bash",
                *(line(flag, value) for flag, value in header.items() if value is not None),
                *(f"export {name}={shlex.quote(value)}" for name, value in given.items()),
                f"echo >> {starts}; export PBS_RESTARTS=$(($(wc -l < {starts}) - 1))",
                f"export PBS_DEADLINE=$(($(date +%s) + {self._seconds}))",
                'cd "${PBS_O_WORKDIR:-.}"',
                *self._setup,
                f'exec {shlex.join(command)} >> "$PBS_LOG" 2>&1',
                "",
            ]
        )


def line(flag: str, value: str) -> str:
    return f"#PBS {flag}{'=' if ' ' in flag else ' '}{value}".rstrip()


def run(*command: str) -> str:
    """What a command of PBS says. Raises Refused with its words in one line."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=True)
    except FileNotFoundError:
        raise Refused(f"{command[0]} not found: run this on a cluster's login node") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"{command[0]} does not answer; try again later") from None
    except subprocess.CalledProcessError as error:
        words = " ".join((error.stdout + error.stderr).split())
        raise Refused(f"{command[0]} refused: {words[:300] or f'exit code {error.returncode}'}") from None
    return done.stdout
