"""What a Slurm job runs: a command of vmsbench, watched over, and continued when the job's time is up.

    vmsbench job tune --exp gan data.root=/data

Slurm sends USR1 some time before the end and TERM to preempt. Both are passed on; the command saves and leaves with
75, "not finished". Then the job queues itself again, or submits its continuation where requeueing is off. A command
that dies is begun again at once in the same job; one that dies again and again without getting any further is not.
When a sweep is through, its report is written.
"""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vmsbench.errors import UNFINISHED, WRONG
from vmsbench.files import read_json, read_lines
from vmsbench.launch.launcher import JobError
from vmsbench.launch.slurm.allocation import Allocation, allocation, own_steps, scrubbed
from vmsbench.launch.slurm.commands import EARLY, Refused, ask, call
from vmsbench.launch.slurm.jobs import by_squeue, details, down, failing_nodes, note, notes
from vmsbench.processes import adopt, await_descendants, die_with_parent, end_descendants
from vmsbench.signals import INTERRUPTED
from vmsbench.versions import commit

KINDS = ("trials", "final")
SWEEPS = ("tune", "resume", "final", "ablate")
STEPS_END = 10.0
"""Seconds in which the steps on other nodes end in order, as they do once the command that began them is gone."""
RESTARTS = 100
CRASHES = 3
"""Deaths in a row that saw the same `progress`, after which nothing is tried again."""

TIME_UP = "the time is nearly up"
WISHES = {
    signal.SIGUSR1: TIME_UP,
    signal.SIGUSR2: TIME_UP,
    signal.SIGTERM: "asked to leave",
}


def supervise(
    command: Sequence[str],
    program: Sequence[str] = (sys.executable, "-u", "-m", "vmsbench"),
    folder: Path | None = None,
) -> int:
    """Run a command of vmsbench to its end, or have it go on in another job; returns the exit code for Slurm.

    `folder` is that of its sweep, where the command itself does not say it.
    """
    return Supervisor(list(command), list(program), allocation(), folder or folder_of(command)).run()


class Supervisor:
    """One command in one job (`given` is None outside of Slurm, where nothing can be queued)."""

    def __init__(self, command: list[str], program: list[str], given: Allocation | None, folder: Path) -> None:
        self.command, self.program, self.given, self.folder = command, program, given, folder
        self.child: subprocess.Popen[bytes] | None = None
        self.wish: str | None = None
        self.facts = details(given.job) if given else {}

    def run(self) -> int:
        adopt()
        for wish in WISHES:
            signal.signal(wish, self.pass_on)
        print("\n".join(self.first_lines()), flush=True)
        self.remember_lost_nodes()
        deaths, before = 0, progress(self.folder)
        where: dict[str, Any] = {"log": self.facts.get("StdOut")}
        if self.given:
            where |= {"restarts": self.given.restarts, "nodes": self.given.nodes}
        self.note("began", **where)
        if (tries := fruitless(self.folder)) > CRASHES:
            told = f"error: {tries - 1} jobs ended here without getting any further; see the lines above"
            return self.end(1, f"{told}; if their time was up, ask for more by --time")
        if 0 < self.end_of_job() < time.time() + notice():
            told = f"error: this job is too short: it begins nothing in its last {notice():.0f} s"
            return self.end(WRONG, f"{told}; ask for more by --time, or for less notice (launcher.notice)")
        while True:
            code = self.once()
            if code in (0, WRONG):
                if code == 0 and self.command[0] in SWEEPS:
                    self.report()
                return self.end(code, "")
            if code == UNFINISHED or self.wish is not None:
                return self.continued()
            now = progress(self.folder)
            deaths, before = (1 if now > before else deaths + 1), now
            words = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            if deaths >= CRASHES or (self.given is None and code > 0):
                return self.end(1, f"error: it died {deaths} times without getting any further ({words})")
            say(f"died ({words}); beginning again")
            self.note("died", code=code)

    def once(self) -> int:
        """The command, from its start to its end and that of all it started."""
        os.environ.update({"PYTHONUNBUFFERED": "1"} | self.until())
        begin = [*self.program, *self.command]
        self.child = subprocess.Popen(begin, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        if self.wish is not None:
            self.child.send_signal(signal.SIGUSR1)
        code = self.child.wait()
        self.child = None
        await_descendants("srun", STEPS_END)
        end_descendants()
        for step in own_steps(self.given.job) if self.given and self.given.others else []:
            ask("scancel", "--signal=KILL", step)
        return code

    def report(self) -> None:
        """Write reports/NAME: a sweep that fails to be reported was nevertheless made."""
        report = ["report", self.folder.name, "--runs", str(self.folder.parent)]
        code = subprocess.run([*self.program, *report], stdin=subprocess.DEVNULL, check=False).returncode
        end_descendants()
        if code:
            say(f"no report (exit code {code}); to write it: vmsbench {shlex.join(report)}")

    def pass_on(self, number: int, frame: Any) -> None:
        self.wish = WISHES[signal.Signals(number)]
        say(f"{signal.Signals(number).name}: {self.wish}, saving")
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                self.child.send_signal(signal.SIGUSR1 if self.wish == TIME_UP else signal.SIGTERM)

    def until(self) -> dict[str, str]:
        """When Slurm will ask us to leave, for whoever begins a trial: VMSBENCH_UNTIL, seconds since 1970."""
        end = self.end_of_job()
        return {"VMSBENCH_UNTIL": f"{end - notice():.0f}"} if end else {}

    def end_of_job(self) -> float:
        """When its time is up, seconds since 1970; 0 where nobody knows."""
        with contextlib.suppress(ValueError):
            return time.mktime(time.strptime(self.facts.get("EndTime", ""), "%Y-%m-%dT%H:%M:%S"))
        return 0.0

    # Going on

    def continued(self) -> int:
        """Leave with 75, and see to it that the work goes on unless somebody cancelled it."""
        job, restarts = (self.given.job, self.given.restarts) if self.given else (0, 0)
        if not job:
            return UNFINISHED
        self.remember_lost_nodes()
        now = by_squeue(str(job))
        most = int(os.environ.get("VMSBENCH_MAX_RESTARTS", RESTARTS))
        if now is None or now.state != "RUNNING":
            state = now.state if now else "gone"
            told = f"the job is {state}: cancelled (to go on, submit it again), or queued again by Slurm itself"
            return self.end(UNFINISHED, f"not finished; {told}", final=False)
        if chained(self.folder) + restarts >= most:
            return self.end(UNFINISHED, f"not finished after {most} restarts; to go on: submit it again")
        try:
            if self.facts.get("Requeue") == "0":
                told = f"goes on as job {self.submit_continuation()}"
            else:
                self.note("ended", code=UNFINISHED, final=False, why=self.wish)
                call("scontrol", "requeue", str(job))
                told = "queued again"
        except Refused as error:
            return self.end(UNFINISHED, f"not finished, and Slurm does not queue it again ({error}); submit it again")
        say(f"not finished; {told}")
        return UNFINISHED

    def submit_continuation(self) -> str:
        """A job like this one, after it. Its flags are what Slurm knows of it: some stood on sbatch's command line."""
        facts = self.facts
        script = self.folder / "slurm-script.sh"
        call("scontrol", "write", "batch_script", facts["JobId"], str(script))
        flags = {
            "dependency": f"afterany:{facts['JobId']}",
            "job-name": facts.get("JobName"),
            "account": facts.get("Account"),
            "partition": facts.get("Partition"),
            "qos": facts.get("QOS"),
            "nodes": facts.get("NumNodes", "1").partition("-")[0],
            "cpus-per-task": facts.get("CPUs/Task"),
            "time": facts.get("TimeLimit"),
            "gres": facts.get("TresPerNode"),
            "gpus": facts.get("TresPerJob", "").removeprefix("gres:gpu:"),
            "mem": facts.get("MinMemoryNode"),
            "mem-per-cpu": facts.get("MinMemoryCPU"),
            "constraint": facts.get("Features"),
            "output": facts.get("StdOut"),
            "chdir": facts.get("WorkDir"),
            "exclude": ",".join(failing_nodes(self.folder)),
        }
        told = [f"--{name}={value}" for name, value in flags.items() if value not in (None, "", "(null)", "N/A", "0")]
        arguments = batch_arguments(self.command) if facts.get("Command", "").endswith(".sh") else []
        said = call("sbatch", "--parsable", "--no-requeue", *told, str(script), *arguments, environment=scrubbed())
        job = said.strip().partition(";")[0]
        self.note("ended", code=UNFINISHED, final=True, why=self.wish, continued_by=job)
        note(self.folder, "submitted", job=job, after=facts["JobId"])
        return job

    # Words and notes

    def first_lines(self) -> list[str]:
        """Who, where, with what: host, job, restarts, GPUs, commit; then the command."""
        given = self.given
        facts = {
            "host": socket.gethostname(),
            "job": given.job if given else "none",
            "restarts": given.restarts if given else 0,
            "nodes": ",".join(given.nodes) if given else "this one",
            "GPUs": ",".join(given.gpus) or "none" if given else os.environ.get("CUDA_VISIBLE_DEVICES", "all"),
            "commit": commit() or "unknown",
        }
        told = "  ".join(f"{name} {value}" for name, value in facts.items())
        return [f"{time.strftime('%F %T')}  {told}", f"vmsbench {shlex.join(self.command)}"]

    def remember_lost_nodes(self) -> None:
        """Note once which nodes of this job's last run Slurm has given up."""
        lines = notes(self.folder)
        begun = max((at for at, line in enumerate(lines) if line["event"] == "began"), default=None)
        if self.given is None or begun is None or lines[begun]["job"] != self.given.job:
            return
        known = {line["node"] for line in lines[begun:] if line["event"] == "node failed"}
        for node in sorted({*down(lines[begun]["nodes"])} - known):
            self.note("node failed", node=node)

    def note(self, event: str, **facts: Any) -> None:
        with contextlib.suppress(OSError):
            job = self.given.job if self.given else None
            note(self.folder, event, job=job, progress=progress(self.folder), **facts)

    def end(self, code: int, told: str, final: bool = True) -> int:
        if told:
            say(told)
        if final and self.given and "VMSBENCH_ELASTIC" in os.environ:
            workers = [str(line["job"]) for line in notes(self.folder) if line.get("driver") == str(self.given.job)]
            ask("scancel", "--quiet", *workers)
        self.note("ended", code=code, final=final)
        return code


def say(text: str) -> None:
    print(f"{time.strftime('%F %T')}  {text}", flush=True)


def notice() -> float:
    """Seconds before the end at which Slurm signals, at the earliest."""
    return float(os.environ.get("VMSBENCH_NOTICE", "120")) + EARLY


def folder_of(command: Sequence[str]) -> Path:
    """runs/NAME of a command."""
    told = dict.fromkeys(("--runs", "--name", "--exp"), "")
    for word, following in zip(command, [*command[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in told:
            told[name] = value if equals else following
    named = command[1] if len(command) > 1 and command[0] in ("final", "resume") else ""
    runs = told["--runs"] or os.environ.get("VMSBENCH_RUNS", "runs")
    return Path(runs) / (named or told["--name"] or told["--exp"] or "sweep")


def progress(folder: Path) -> int:
    """What grows as the sweep gets further, not as it is begun again: trials that ended, epochs written, and the steps
    at which trials were left in the midst of an epoch, which may be longer than a job.
    """
    ended = sum(line["event"] in ("finished", "final", "winner") for line in read_lines(folder / "journal.jsonl"))
    written = sum(file.stat().st_size for kind in KINDS for file in folder.glob(f"{kind}/*/history.jsonl"))
    files = (file for kind in KINDS for file in folder.glob(f"{kind}/*/{INTERRUPTED}"))
    return ended + written + sum(interrupted_at(file) for file in files)


def interrupted_at(file: Path) -> int:
    """The step at which a trial was last interrupted, from the file that says so."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return int(read_json(file)["step"])
    return 0


def fruitless(folder: Path) -> int:
    """How many of the last starts saw the same progress, and either died or were told only that their time was up."""
    count, seen = 0, None
    for line in reversed(notes(folder)):
        in_order = line["event"] == "ended" and line.get("why") != TIME_UP
        if in_order or (seen is not None and line.get("progress") != seen):
            break
        if line["event"] == "began":
            count, seen = count + 1, line["progress"]
    return count


def chained(folder: Path) -> int:
    """How many continuations were submitted since somebody last submitted the sweep by hand."""
    count = 0
    for line in notes(folder):
        if line["event"] == "submitted":
            count = count + 1 if "after" in line else 0
    return count


def batch_arguments(command: Sequence[str]) -> list[str]:
    """What the batch script was given: all but the words that it puts before them itself."""
    return list(command[3:]) if list(command[:2]) == ["tune", "--exp"] else list(command)


def finish(command: Sequence[str], folder: str) -> None:
    """`supervise`, for launchers: raises JobError where the command did not come to its end."""
    code = supervise(command, folder=Path(folder))
    if code:
        raise JobError(f"exit code {code}" + (" (not finished)" if code == UNFINISHED else ""))
