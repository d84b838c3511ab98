"""Work in this process, or a job of a cluster that runs the command for it."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from vmsbench.config.commands import command_on
from vmsbench.config.instantiate import build, find
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launch.allocation import allocation, launchers, refuse_login_node
from vmsbench.launch.code.archive import archived
from vmsbench.launch.container.binds import configured
from vmsbench.launch.container.runtime import shown
from vmsbench.launch.environment import ELASTIC, SUPERVISED, Workers
from vmsbench.launch.follow import follow, print_text
from vmsbench.launch.job_log import (
    asked_more,
    cancel,
    continued_as,
    failing_nodes,
    going_jobs,
    job_status,
    more_than_last,
    note_submitted,
    of_driver,
)
from vmsbench.launch.launcher import Job, JobRequest, JobStatus, Launcher, answers_within
from vmsbench.launch.site_profile import of_launcher, with_profile
from vmsbench.launch.supervisor import finish
from vmsbench.launch.worker import work as lend_node

Result = TypeVar("Result")
SIZES = ("--nodes", "--gpus", "--cpus", "--time")
"""The options of a command that are of the machine or the job; a value follows each."""
DRIVER_CPUS = 2


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where a command runs; None is the launcher's setting.

    nodes, time        of the job
    gpus, cpus         of each node, or of this machine
    submit             False makes the job, to be looked at, and does not submit it
    allow_login_node   run in this process on a cluster's login node too
    """

    nodes: int | None = None
    gpus: int | None = None
    cpus: int | None = None
    time: str | None = None
    submit: bool = True
    allow_login_node: bool = False

    @property
    def sizes(self) -> dict[str, int | str]:
        """The launcher's settings that are given."""
        found = {"nodes": self.nodes, "gpus": self.gpus, "cpus": self.cpus, "time": self.time}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, repr=False)
class SweepJob:
    """A job that runs a command of a sweep.

    folder    of the sweep
    command   of vmsbench, as words
    more      time and memory that it asks for beyond the launcher's settings, as an earlier job had too little
    asks      the same in words; '' where there are none
    job       None where it was not submitted
    """

    folder: Path
    command: tuple[str, ...]
    launcher: Launcher
    more: Mapping[str, Any] = field(default_factory=dict)
    asks: str = ""
    job: Job | None = None

    def __repr__(self) -> str:
        return f"<SweepJob: {self.job.description if self.job else 'not submitted'}>"

    @property
    def number(self) -> str | None:
        """On the cluster; of an elastic sweep, that of the job that drives it."""
        return self.job.number if self.job else None

    @property
    def log(self) -> Path | None:
        """The file that it writes to."""
        return self.job.log if self.job else None

    @property
    def status(self) -> JobStatus | None:
        """What the cluster says now of it, or of the job that continues it; None where it was not submitted."""
        with answers_within():
            return job_status(self.folder, continued_as(self.folder, self.job.number)) if self.job else None

    @property
    def script(self) -> str:
        """The batch script, with the command that it runs; inside a container, with how that is started."""
        container = shown(self.launcher.settings, self.command, self.folder)
        which = f"# which is: vmsbench job {shlex.join(self.command)}\n"
        return f"{self.launcher.script()}{which}{self.shares}{container}"

    @property
    def shares(self) -> str:
        """How an elastic sweep's jobs differ from the script; empty for a sweep in one job."""
        size = self.launcher.resources if self.launcher.elastic else None
        if size is None:
            return ""
        return (
            f"# elastic: the job that drives it has 1 node, {DRIVER_CPUS} cores and no GPU; "
            f"workers: {size.nodes}, each a job with 1 node, which lends its GPUs\n"
        )

    def check(self) -> str:
        """The cluster's answer to such a job, without submitting it. Raises UserError where it refuses."""
        return self.launcher.check()

    def submit(self) -> "SweepJob":
        """The same, submitted. Raises UserError where the sweep has a job, or the cluster refuses this one."""
        refuse_second(self.folder)
        shape = submit_elastic if self.launcher.elastic else submit_allocation
        return replace(self, job=shape(self.launcher, self.folder, list(self.command), dict(self.more)))

    def wait(self, show: Callable[[str], None] = print_text) -> JobStatus | None:
        """Show its log as it grows, until it is over with all its restarts and continuations, and how it ended; None
        where it was not submitted."""
        return follow(self.job.number, self.job.log, self.folder, self.launcher.poll, show=show) if self.job else None

    def cancel(self) -> None:
        """End it, what continues it and its workers: the trials save, and the same sweep can be continued. Raises
        UserError where the cluster refuses."""
        if self.job:
            cancel(self.folder, jobs=of_driver(self.folder, self.job.number))


def dispatch(
    *,
    settings: Mapping[str, Any],
    overrides: Sequence[str],
    folder: Path,
    command: Sequence[str],
    options: RunOptions,
    work: Callable[[], Result],
    check: Callable[[], None],
) -> Result | SweepJob:
    """The result of `work` in this process, or the job that runs `command` elsewhere, submitted.

    settings  of the sweep; its `launcher` decides
    folder    of the sweep
    command   of vmsbench that does the same as `work`, as words
    check     raises UserError for what the job would refuse
    Raises UserError on a login node, and where the job cannot be submitted.
    """
    launcher = launcher_of(
        settings=settings["launcher"], overrides=overrides, folder=folder, options=options, paths=configured(settings)
    )
    if launcher.in_process:
        refuse_login_node(options.allow_login_node)
        note_unsupervised(command)
        result: Result = launcher.submit(work).result()
        return result
    check()
    launcher, more = asking_for_more(launcher, folder)
    asks = asked_more(folder, more) if more else ""
    job = SweepJob(folder, tuple(job_command(command)), launcher, more, asks)
    return job.submit() if options.submit else job


def note_unsupervised(command: Sequence[str]) -> None:
    """Say in a job that nothing looks after this command, and how it is looked after."""
    if SUPERVISED not in os.environ and (given := allocation()) is not None:
        line = shlex.join(["exec", "vmsbench", "job", *command])
        print(
            f"note: when the time of job {given.job} is up nothing saves this sweep or requeues the job; `{line}` as "
            "the last line of a batch script does both",
            file=sys.stderr,
            flush=True,
        )


def job_command(command: Sequence[str]) -> list[str]:
    """The command for the job: without the launcher and the sizes, which are of its submission."""
    before = ["", *command]
    return [
        word
        for word, last in zip(command, before, strict=False)
        if word not in SIZES and last not in SIZES and not of_launcher(word)
    ]


def launcher_of(
    *,
    settings: Mapping[str, Any],
    overrides: Sequence[str],
    folder: Path,
    options: RunOptions,
    paths: Sequence[str] = (),
) -> Launcher:
    """The launcher that was chosen, with the site's profile and the options of the command line.

    paths  that the configuration names, for its container
    Raises ConfigurationError for an option that the launcher has no setting for.
    """
    if find(settings["_target_"], "launcher").in_process:
        if options.nodes is not None or options.time is not None or not options.submit:
            others = " or ".join(f"launcher={name}" for name, kind in launchers() if not kind.in_process)
            raise ConfigurationError(f"--nodes, --time, --print and --check are for a job: add {others}")
        return built(settings)
    chosen = with_profile(settings, overrides)
    for name in options.sizes:
        if name not in chosen:
            raise ConfigurationError(f"--{name}: {chosen['_target_']} has no setting {name}; leave out --{name}")
    chosen |= options.sizes
    if chosen.get("name") == "vmsbench":
        chosen["name"] = f"vmsbench-{folder.name}"
    if "exclude" in chosen:
        chosen["exclude"] = sorted({*chosen["exclude"], *failing_nodes(folder)})
    if chosen.get("container") and "binds" in chosen:
        chosen["binds"] = list(dict.fromkeys([*chosen["binds"], *paths]))
    return built(chosen)


def built(settings: Mapping[str, Any]) -> Launcher:
    launcher: Launcher = build(dict(settings), "launcher")
    launcher.settings = dict(settings)
    return launcher


def asking_for_more(launcher: Launcher, folder: Path) -> tuple[Launcher, dict[str, Any]]:
    """The launcher, with more time or memory where the sweep's jobs were killed for want of it; and these settings."""
    with answers_within():
        more = more_than_last(folder, launcher)
    return (built({**launcher.settings, **more}), more) if more else (launcher, {})


def refuse_second(folder: Path) -> None:
    """Raises UserError where a job of the sweep waits or runs, or may: a second one would only find it in use."""
    with answers_within():
        going = going_jobs(folder)
    another = "--name gives this one another name"
    if live := next((status for status in going if status.live), None):
        raise UserError(
            f"{folder.name} has been submitted: {live}; `{command_on('cancel', folder)}` ends that, {another}"
        )
    if silent := next((status for status in going if status.silent), None):
        raise UserError(
            f"{folder.name} has been submitted as job {silent.job}, and the cluster does not say whether that is over: "
            f"give the same command again when it answers, or {another}"
        )


def submit_allocation(launcher: Launcher, folder: Path, command: list[str], more: dict[str, Any]) -> Job:
    """One job, on whose nodes the whole sweep runs."""
    code = archived(folder)
    job = launcher.submit(finish, command, str(folder.resolve()))
    note_submitted(folder, job, launcher, command=command, more=more, archive=code)
    return job


def submit_elastic(launcher: Launcher, folder: Path, command: list[str], more: dict[str, Any]) -> Job:
    """A small driver job, and a worker job for each node; all of them, or none."""
    size = launcher.resources
    if size is None:
        raise ConfigurationError("an elastic sweep needs a launcher whose jobs can differ in size")
    share = {ELASTIC: str(Workers(size.nodes, size.cpus, size.gpus))}
    alone = JobRequest(nodes=1, cpus=DRIVER_CPUS, gpus=0, environment=share)
    code = archived(folder)
    driver = launcher.submit(finish, command, str(folder.resolve()), request=alone)
    note_submitted(folder, driver, launcher, command=command, shape="elastic", more=more, archive=code)
    node = JobRequest(nodes=1, after=driver.number)
    try:
        for _ in range(size.nodes):
            worker = launcher.submit(lend_node, driver.number, str(folder.resolve()), request=node)
            note_submitted(folder, worker, launcher, driver=driver.number)
    except UserError:
        cancel(folder, jobs=[driver.number])
        raise
    return driver
