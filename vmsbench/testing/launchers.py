"""What every launcher promises: it runs a function that can be imported, and then gives the job's status, result and
log."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vmsbench.launch.launcher import JobPhase, JobStatus, Launcher, Refused

PATIENCE = 120.0
"""Seconds within which a cluster reports an ended job as over."""
NO_JOB = "999999"


def launcher_contract(make: Callable[[Path], Launcher], folder: Path) -> None:
    """`make(folder)` gives a launcher whose files lie in `folder`; it runs a few small jobs."""
    launcher = make(folder)
    job = launcher.submit(os.path.commonprefix, ["network.width", "network.depth"])
    assert job.description, "a job has a description"
    assert "\n" not in job.description, "a job's description is one line"
    assert job.number, "a job has a number"
    assert isinstance(job.log, Path), "a job's log is a path"
    job.wait()
    assert job.result() == "network.", "the result is what the function returns"
    assert job.result() == "network.", "the result can be read again"
    answers_for(launcher, job.number)
    says_before_it_submits(launcher)
    assert launcher.submit(partial(sorted, reverse=True), [1, 3, 2]).result() == [3, 2, 1], "a partial is run"
    errors_are_handed_back(launcher)
    if not launcher.in_process:
        a_running_job_is_cancelled(launcher)


def says_before_it_submits(launcher: Launcher) -> None:
    assert (launcher.resources is None) == launcher.in_process, "jobs elsewhere request resources"
    assert "echo of-a-command" in launcher.script(["echo", "of-a-command"]), "a script runs the command it is given"
    assert launcher.script().startswith("#!"), "script() returns a script"
    assert launcher.check(), "check() returns text"


def answers_for(launcher: Launcher, number: str) -> None:
    status = when_over(launcher, number)
    assert status.phase == JobPhase.COMPLETED, f"a job that returned is completed, not {status}"
    assert status.job == number, "a status has its job's number"
    log = launcher.logs(number)
    assert log is None or log.exists(), "a log that is returned exists"
    launcher.cancel(number)
    assert launcher.status(number).phase == JobPhase.COMPLETED, "cancelling a finished job changes nothing"
    assert launcher.status(NO_JOB).phase == JobPhase.UNKNOWN, "a job that does not exist is unknown, not over"
    together = [one.phase for one in launcher.statuses(number, NO_JOB)]
    assert together == [JobPhase.COMPLETED, JobPhase.UNKNOWN], "several jobs have the statuses of each, in their order"
    assert "\n" not in refusal_to_requeue(launcher, NO_JOB), "a refusal is one line"


def refusal_to_requeue(launcher: Launcher, number: str) -> str:
    try:
        launcher.requeue(number)
    except Refused as error:
        return str(error)
    raise AssertionError("requeue() raises Refused for a job that does not exist")


def errors_are_handed_back(launcher: Launcher) -> None:
    job = launcher.submit(int, "twelve")
    job.wait()
    words = ""
    try:
        job.result()
    except Exception as error:  # a launcher may hand it back as its own kind
        words = str(error)
    assert "twelve" in words, f"result() raises the function's error with its words, not {words!r}"
    assert when_over(launcher, job.number).phase == JobPhase.FAILED, "a job whose function raised has failed"


def a_running_job_is_cancelled(launcher: Launcher) -> None:
    job = launcher.submit(time.sleep, 600)
    until = time.monotonic() + PATIENCE
    while launcher.status(job.number).phase != JobPhase.RUNNING and time.monotonic() < until:
        time.sleep(0.1)
    assert launcher.status(job.number).live, "a running job is live"
    launcher.cancel(job.number)
    assert when_over(launcher, job.number).phase == JobPhase.FAILED, "a cancelled job is over, and did not complete"


def when_over(launcher: Launcher, number: str) -> JobStatus:
    """A job's status once it is over, or after SECONDS."""
    until = time.monotonic() + PATIENCE
    while not (status := launcher.status(number)).over and time.monotonic() < until:
        time.sleep(0.1)
    return status
