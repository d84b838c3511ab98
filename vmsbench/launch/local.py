"""The local launcher: runs the function in this process, on this machine."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

from vmsbench.launch.launcher import (
    AS_SET,
    Job,
    JobPhase,
    JobRequest,
    JobResources,
    JobStatus,
    Launcher,
    Unsupported,
    unknown,
)


@final
class LocalLauncher(Launcher):
    """Runs the function at once; `submit` returns when it has ended."""

    in_process = True

    def __init__(self) -> None:
        self._jobs: dict[str, EndedJob] = {}

    @property
    def resources(self) -> JobResources | None:
        return None

    def submit(self, function: Callable[..., Any], *arguments: Any, request: JobRequest = AS_SET) -> Job:
        if request != AS_SET:
            raise Unsupported("launcher=local runs everything on this machine: leave out the resources of a job")
        name, number = getattr(function, "__name__", type(function).__name__), f"local-{len(self._jobs) + 1}"
        try:
            job = EndedJob(name, number, value=function(*arguments))
        except Exception as error:  # of the caller's function: result() raises it again
            job = EndedJob(name, number, error=error)
        self._jobs[number] = job
        return job

    def script(self, command: Sequence[str] | None = None) -> str:
        return f"#!/bin/bash\n{shlex.join(command or ['true'])}\n"

    def check(self) -> str:
        return "launcher=local runs it on this machine at once"

    def status(self, job: str) -> JobStatus:
        if job not in self._jobs:
            return unknown(job)
        error = self._jobs[job].error
        phase = JobPhase.FAILED if error else JobPhase.COMPLETED
        return JobStatus(job, phase, phase.upper(), str(error or ""), source="this process")

    def cancel(self, *jobs: str) -> None:
        """Its jobs are over before they can be cancelled."""

    def logs(self, job: str) -> Path | None:
        return None

    def requeue(self, job: str) -> None:
        raise Unsupported("launcher=local has no queue; run the same command again")


@final
class EndedJob(Job):
    """A job that ran in this process and is over."""

    def __init__(self, name: str, number: str, value: Any = None, error: Exception | None = None) -> None:
        self._name, self._number, self._value, self.error = name, number, value, error

    @property
    def description(self) -> str:
        how = "ran here" if self.error is None else f"failed here: {type(self.error).__name__}: {self.error}"
        return f"{self._name} {how}"

    @property
    def number(self) -> str:
        return self._number

    @property
    def log(self) -> Path:
        return Path("/dev/stdout")

    def wait(self) -> None:
        pass

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self._value
