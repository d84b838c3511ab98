"""What a job runs: a command of vmsbench, supervised, and continued when the job's time is up.

    vmsbench job tune --exp gan data.root=/data

A cluster sends USR1 some time before the end of the job and TERM to preempt it. Both are passed on; the command saves
and exits with 75, "not finished". Then the job is requeued, or submits its continuation where the cluster does not
requeue. A command that dies is restarted at once in the same job, unless it dies repeatedly without progress. When a
sweep is finished, its report is written.
"""

import contextlib
import math
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vmsbench import accelerators
from vmsbench.config.instantiate import build
from vmsbench.errors import TAKEN_OVER, UNFINISHED, WRONG, UserError
from vmsbench.launch.allocation import Allocation, allocation, refuse_misplaced
from vmsbench.launch.code.archive import archived, remove_unpacked, running, unpacked
from vmsbench.launch.container.runtime import container_here, inside, refuse_unfit
from vmsbench.launch.environment import ADDRESS, ELASTIC, SUPERVISED, UNTIL, max_restarts, notice
from vmsbench.launch.job_log import archive_of, asked_more, failing_nodes, workers_of
from vmsbench.launch.launcher import JobError, JobPhase, JobStatus, Launcher, NoAnswer, Refused, answers_within
from vmsbench.launch.sweep_progress import TIME_UP, chained, fruitless, progress
from vmsbench.processes import adopt, die_with_parent, disable_core_dumps, end_descendants, kills_for_memory
from vmsbench.store.job_events import note, notes
from vmsbench.versions import commit

SWEEPS = ("tune", "resume", "final", "ablate")
"""The commands that a job runs."""
STEPS_END = 10.0
"""Seconds in which the steps on other nodes end by themselves, once the command that started them has ended."""
ANSWER = 10.0
"""Seconds that a cluster has to say how the job stands, each time."""
ASK_AGAIN, LAST, LONGEST_WAIT = 3.0, 5.0, 300.0
"""Seconds between two questions to a cluster that does not answer, before the job's end, and at most, where a
preemption may kill the job at any time."""
CRASHES = 3
"""Deaths in a row that saw the same `progress`, after which it is not restarted."""
SIGNALS: Mapping[int, str] = {
    signal.SIGUSR1: TIME_UP,
    signal.SIGUSR2: TIME_UP,
    signal.SIGALRM: TIME_UP,
    signal.SIGHUP: TIME_UP,
    signal.SIGINT: TIME_UP,
    signal.SIGTERM: "asked to stop",
}
"""The signals by which a cluster ends a job, and our own alarm where it sends none, and their meaning."""

OF_TERMINALS = (signal.SIGINT, signal.SIGHUP)
"""Those that end this process outside of a job, and in one at a terminal."""


def supervise(
    command: Sequence[str], folder: Path, program: Sequence[str] = (sys.executable, "-u", "-m", "vmsbench")
) -> int:
    """Run a command of vmsbench to its end, or let it continue in another job; returns the exit code for the cluster.

    folder  of its sweep
    Raises UserError in a process that is not the one of its job to run it.
    """
    refuse_misplaced()
    return Supervisor(list(command), list(program), allocation(), folder).run()


class Supervisor:
    """One command in one job (`given` is None outside of a cluster, where nothing can be queued)."""

    def __init__(self, command: list[str], program: list[str], given: Allocation | None, folder: Path) -> None:
        self.command, self.program, self.given, self.folder = command, program, given, folder
        self.child: subprocess.Popen[bytes] | None = None
        self.signalled: str | None = None
        self.notice = notice() + (given.early if given else 0.0)
        self.most_restarts = max_restarts()
        if given:
            given.check_limits()
        self.over_since, self.waited = 0.0, False
        self.before, self.kills = 0, 0
        self.short_of: str | None = None
        self.code: str | None = None

    def run(self) -> int:
        adopt()
        disable_core_dumps()
        for number in SIGNALS:
            if number not in OF_TERMINALS or (self.given and not of_a_terminal(number)):
                signal.signal(number, self.pass_on)
        print("\n".join(self.first_lines()), flush=True)
        self.remember_lost_nodes()
        self.before = progress(self.folder)
        try:
            refuse_unfit(self.command, self.folder, len(self.given.nodes) if self.given else 1)
            self.run_submitted_code()
        except UserError as error:
            return self.end(error.exit_code, f"error: {error}")
        self.note("began", **self.where())
        refused = self.why_not()
        return refused if refused is not None else self.until_finished(self.before)

    def run_submitted_code(self) -> None:
        """From here on, in a job, this process's children run the code of the submission: what the sweep's folder has
        of it, else what is here at the job's first start."""
        if self.given is None:
            return
        self.code = archive_of(self.folder, self.given.job) or archived(self.folder)
        os.environ |= running(unpacked(self.folder, self.code))

    def why_not(self) -> int | None:
        """The exit code where a start is pointless."""
        if (tries := fruitless(self.folder)) > CRASHES:
            words = f"error: {tries - 1} jobs ended here without progress; see the lines above"
            return self.end(1, f"{words}; if their time was up, ask for more by --time")
        if self.deadline is not None and self.deadline < time.time() + self.notice:
            if self.given and self.given.larger("time"):
                self.signalled = TIME_UP
                return self.continued()
            end = time.strftime("%H:%M:%S", time.localtime(self.deadline))
            words = (
                f"error: this job is too short: it ends at {end}, and starts nothing in its last {self.notice:.0f} s"
            )
            return self.end(WRONG, f"{words}; ask for more by --time, or for less notice (launcher.notice)")
        return None

    def until_finished(self, before: int) -> int:
        """Restart the command until it ends normally, or dies without progress."""
        deaths = 0
        while True:
            code = self.once()
            if code in (0, WRONG):
                if code == 0:
                    self.report()
                return self.end(code, "")
            if code == TAKEN_OVER:
                say("another process continues this sweep; this job ends")
                return UNFINISHED
            self.ask_what_was_missed()
            if code == UNFINISHED or self.signalled is not None:
                return self.continued()
            if self.given and kills_for_memory() > self.kills and self.given.larger("memory"):
                self.short_of = "memory"
                return self.continued()
            now = progress(self.folder)
            deaths, before = (1 if now > before else deaths + 1), now
            words = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            if deaths >= CRASHES or (self.given is None and code > 0):
                return self.end(1, f"error: it died {deaths} times without progress ({words})")
            say(f"died ({words}); restarting")
            self.note("died", code=code)

    def once(self) -> int:
        """Run the command until it and all that it started have ended."""
        os.environ |= {"PYTHONUNBUFFERED": "1", SUPERVISED: "1"}
        os.environ.pop(UNTIL, None)  # that of a job before
        if self.deadline is not None:
            os.environ[UNTIL] = f"{self.deadline - self.notice:.0f}"
            signal.alarm(max(1, int(self.deadline - notice() - time.time())))
        if self.given and ELASTIC in os.environ and container_here():
            with contextlib.suppress(OSError):
                os.environ[ADDRESS] = self.given.address
        self.kills = kills_for_memory()
        begin = inside([*self.program, *self.command], self.folder)
        self.child = subprocess.Popen(begin, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        if self.signalled is not None:
            self.child.send_signal(signal.SIGUSR1)
        code = self.child.wait()
        self.child = None
        if self.given:
            self.given.end_steps(STEPS_END)
        else:
            end_descendants()
        return code

    def report(self) -> None:
        """Write reports/NAME; a sweep whose report fails is still finished."""
        report = ["report", self.folder.name, "--runs", str(self.folder.parent)]
        begin = inside([*self.program, *report], self.folder)
        code = subprocess.run(begin, stdin=subprocess.DEVNULL, check=False).returncode
        end_descendants()
        if code:
            say(f"no report (exit code {code}); to write it: `vmsbench {shlex.join(report)}`")

    def pass_on(self, number: int, frame: Any) -> None:
        if number == signal.SIGALRM and self.signalled is not None:
            return
        self.signalled = SIGNALS[number]
        say(f"{signal.Signals(number).name}: {self.signalled}, saving")
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                self.child.send_signal(signal.SIGUSR1 if self.signalled == TIME_UP else signal.SIGTERM)

    @property
    def deadline(self) -> float | None:
        return self.given.deadline if self.given else None

    # Going on

    def continued(self) -> int:
        """Exit with 75, and requeue the work unless it was cancelled."""
        if self.given is None:
            return UNFINISHED
        self.over_since = time.time()
        self.remember_lost_nodes()
        launcher = launcher_for(self.given)
        status = self.own_status(launcher, self.given.job)
        if status.phase not in (JobPhase.RUNNING, JobPhase.UNKNOWN):
            words = f"the job is {status.state}: cancelled (to continue, submit it again), or requeued by the cluster"
            return self.end(UNFINISHED, f"not finished; {words}", final=False)
        if chained(self.folder) + self.given.restarts >= self.most_restarts:
            words = f"not finished after {self.most_restarts} restarts; to continue, submit it again"
            return self.end(UNFINISHED, words)
        try:
            words = self.queue_again(launcher)
        except UserError as error:
            return self.end(UNFINISHED, f"not finished, and the cluster does not requeue it ({error}); submit it again")
        say(f"not finished; {words}")
        return UNFINISHED

    def own_status(self, launcher: Launcher, job: str) -> JobStatus:
        """The status of this job. A cluster that does not answer is asked until the job's time is up: it knows nothing
        of a cancelled job's end either, and a requeue of that one is refused."""
        while True:
            with answers_within(ANSWER):
                status = launcher.status(job)
            if status.phase != JobPhase.UNKNOWN or not self.may_wait():
                return status

    def ask_what_was_missed(self) -> None:
        """A cluster that was away as the job began may say now what the job is like."""
        if self.given:
            with answers_within(ANSWER):
                self.given = self.given.informed()

    def may_wait(self) -> bool:
        """Wait a moment for a cluster that does not answer, once said; False where the job is about to be killed."""
        if time.time() > self.leave_by:
            return False
        if not self.waited:
            say("the cluster does not answer; asking again until it does, or until the time is up")
        self.waited = True
        time.sleep(ASK_AGAIN)
        return True

    @property
    def leave_by(self) -> float:
        """When this job must have asked for its continuation, in seconds since 1970."""
        limit = self.deadline if self.deadline is not None else math.inf
        return min(limit - LAST, self.over_since + (self.notice if self.signalled == TIME_UP else LONGEST_WAIT))

    def queue_again(self, launcher: Launcher) -> str:
        """Requeue the job, or submit its continuation; returns which, as text. A cluster that does not answer is asked
        again. Raises UserError."""
        while True:
            assert self.given
            try:
                return self.queue_once(launcher, self.given)
            except NoAnswer:
                if not self.may_wait():
                    raise
                self.ask_what_was_missed()

    def queue_once(self, launcher: Launcher, given: Allocation) -> str:
        """A job that had too little time or memory is continued by one that asks for more, where it may."""
        more = given.larger(self.too_little or "")
        if given.requeues and not more:
            self.note("ended", code=UNFINISHED, final=False, why=self.signalled)
            try:
                launcher.requeue(given.job)
                return "requeued"
            except NoAnswer:
                raise
            except Refused:
                status = self.own_status(launcher, given.job)  # a cancelled job's requeue is refused too
                if status.phase not in (JobPhase.RUNNING, JobPhase.UNKNOWN):
                    raise
        asks = (self.command, self.folder, failing_nodes(self.folder))
        job = given.submit_again(*asks, more=more) if more else given.submit_again(*asks)
        self.note("ended", code=UNFINISHED, final=True, why=self.signalled, continued_by=job)
        facts = {"launcher": dict(given.settings), "more": dict(more), "archive": self.code}
        note(self.folder, "submitted", job=job, after=given.job, **facts)
        return f"continues as job {job}" + (f", which asks for {asked_more(self.folder, more, job)}" if more else "")

    @property
    def too_little(self) -> str | None:
        """What this job had too little of: `memory`, or `time` where it ended without any progress; None where it was
        enough."""
        stuck = self.signalled == TIME_UP and progress(self.folder) == self.before
        return self.short_of or ("time" if stuck else None)

    # Words and notes

    def first_lines(self) -> list[str]:
        """The environment: host, job, restarts, GPUs, commit; then the command."""
        given = self.given
        gpus = given.gpus if given else accelerators.visible()
        facts = {
            "host": socket.gethostname(),
            "job": given.job if given else "none",
            "restarts": given.restarts if given else 0,
            "nodes": ",".join(given.nodes) if given else "this one",
            "GPUs": "all" if gpus is None else ",".join(gpus) or "none",
            "commit": commit() or "unknown",
        }
        words = "  ".join(f"{name} {value}" for name, value in facts.items())
        return [f"{time.strftime('%F %T')}  {words}", f"vmsbench {shlex.join(self.command)}"]

    def where(self) -> dict[str, Any]:
        """What this job records of itself in the sweep's folder."""
        if self.given is None:
            return {"log": None}
        given = self.given
        return {
            "log": given.log,
            "restarts": given.restarts,
            "nodes": given.nodes,
            "launcher": dict(given.settings),
            "archive": self.code,
        }

    def remember_lost_nodes(self) -> None:
        """Record once which nodes of this job's last run the cluster has marked as failed."""
        lines = notes(self.folder)
        begun = max((at for at, line in enumerate(lines) if line["event"] == "began"), default=None)
        if self.given is None or begun is None or lines[begun]["job"] != self.given.job:
            return
        known = {line["node"] for line in lines[begun:] if line["event"] == "node failed"}
        for node in sorted({*self.given.lost(lines[begun]["nodes"])} - known):
            self.note("node failed", node=node)

    def note(self, event: str, **facts: Any) -> None:
        with contextlib.suppress(OSError):
            job = self.given.job if self.given else None
            note(self.folder, event, job=job, progress=progress(self.folder), **facts)

    def end(self, code: int, words: str, final: bool = True) -> int:
        if words:
            say(words)
        if final and self.given and ELASTIC in os.environ:
            with contextlib.suppress(Refused):
                launcher_for(self.given).cancel(*workers_of(self.folder, self.given.job))
        if code == 0 and self.given:  # another job that finds the sweep in use ends otherwise
            remove_unpacked(self.folder)
        self.note("ended", code=code, final=final)
        return code


def of_a_terminal(number: int) -> bool:
    """Whether a signal means what it means to whoever typed the command: it reaches the command itself too, or, under
    nohup, nobody."""
    return sys.stdin.isatty() or (number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN)


def launcher_for(given: Allocation) -> Launcher:
    """The launcher of this job."""
    launcher: Launcher = build(dict(given.settings), "launcher")
    return launcher


def say(text: str) -> None:
    print(f"{time.strftime('%F %T')}  {text}", flush=True)


def finish(command: Sequence[str], folder: str) -> None:
    """`supervise`, for launchers: raises JobError where the command did not complete."""
    code = supervise(command, Path(folder))
    if code:
        raise JobError(f"exit code {code}" + (" (not finished)" if code == UNFINISHED else ""))
