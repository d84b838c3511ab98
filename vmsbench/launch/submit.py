"""Run a command in this process, or submit it as a job of a cluster."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.config.instantiate import build, find
from vmsbench.errors import UNFINISHED, ConfigurationError, UserError
from vmsbench.launch.allocation import allocation, launchers, refuse_login_node
from vmsbench.launch.code.archive import archived
from vmsbench.launch.container.binds import configured
from vmsbench.launch.container.runtime import shown
from vmsbench.launch.environment import ELASTIC, SUPERVISED, Workers
from vmsbench.launch.follow import follow
from vmsbench.launch.job_log import (
    asked_more,
    cancel,
    failing_nodes,
    job_status,
    live_jobs,
    more_than_last,
    note_submitted,
)
from vmsbench.launch.launcher import Job, JobRequest, Launcher, answers_within
from vmsbench.launch.site_profile import with_profile
from vmsbench.launch.supervisor import finish
from vmsbench.launch.worker import work as lend_node

OURS = {
    "--nodes": 1,
    "--time": 1,
    "--gpus": 1,
    "--cpus": 1,
    "--wait": 0,
    "--print": 0,
    "--check": 0,
    "--allow-login-node": 0,
}
"""The options of submission alone, and how many arguments follow each."""
DRIVER_CPUS = 2


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where a command runs, from its options; None is the launcher's setting.

    nodes, time        of the job
    gpus, cpus         of each node, or of this machine
    wait               show the job's log until the job is over
    show               print the batch script and submit nothing
    check              ask the cluster whether it accepts the job, and submit nothing
    allow_login_node   run in this process on a cluster's login node too
    """

    nodes: int | None = None
    gpus: int | None = None
    cpus: int | None = None
    time: str | None = None
    wait: bool = False
    show: bool = False
    check: bool = False
    allow_login_node: bool = False

    @property
    def sizes(self) -> dict[str, int | str]:
        """The launcher's settings that are given."""
        found = {"nodes": self.nodes, "gpus": self.gpus, "cpus": self.cpus, "time": self.time}
        return {name: value for name, value in found.items() if value is not None}


def dispatch(
    *,
    settings: Mapping[str, Any],
    overrides: Sequence[str],
    folder: Path,
    options: RunOptions,
    work: Callable[[], bool],
    check: Callable[[], None],
) -> int:
    """Do `work` in this process, or submit this command as a job. Returns the exit code: 75 where it was interrupted.

    settings  of the sweep; its `launcher` decides
    folder    of the sweep
    work      returns whether it is complete
    check     raises UserError for what the job would refuse
    Raises UserError on a login node, and where the job cannot be submitted.
    """
    launcher = launcher_of(
        settings=settings["launcher"], overrides=overrides, folder=folder, options=options, paths=configured(settings)
    )
    if launcher.in_process:
        refuse_login_node(options.allow_login_node)
        note_unsupervised()
        return 0 if launcher.submit(work).result() else UNFINISHED
    check()
    command = job_command(sys.argv[1:])
    launcher, more = asking_for_more(launcher, folder)
    if more:
        print(f"# asks for {asked_more(folder, more)}", flush=True)
    container = shown(launcher.settings, command, folder)
    if options.show:
        print(f"{launcher.script()}# which is: vmsbench job {shlex.join(command)}")
        print(container, end="")
        return 0
    if options.check:
        print(launcher.check())
        return 0
    return hand_over(launcher=launcher, folder=folder, command=command, wait=options.wait, more=more)


def note_unsupervised() -> None:
    """Say in a job that nothing looks after this command, and how it is looked after."""
    if SUPERVISED not in os.environ and (given := allocation()) is not None:
        line = shlex.join(["exec", "vmsbench", "job", *sys.argv[1:]])
        print(
            f"note: when the time of job {given.job} is up nothing saves this sweep or requeues the job; `{line}` as "
            "the last line of the batch script does both",
            file=sys.stderr,
            flush=True,
        )


def job_command(arguments: Sequence[str]) -> list[str]:
    """The command for the job: the arguments without the options of submission."""
    kept, skip = [], 0
    for word in arguments:
        if skip:
            skip -= 1
        elif word.partition("=")[0] in OURS:
            skip = OURS[word.partition("=")[0]] if "=" not in word else 0
        elif word.partition("=")[0] != "launcher" and not word.startswith("launcher."):
            kept.append(word)
    return kept


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
        if options.nodes is not None or options.time is not None or options.show or options.check:
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


def hand_over(
    *, launcher: Launcher, folder: Path, command: Sequence[str], wait: bool, more: Mapping[str, Any] | None = None
) -> int:
    """Submit a command of vmsbench, and print what to do next; with `wait` show its log until it is over."""
    refuse_second(folder)
    shape = submit_elastic if launcher.elastic else submit_allocation
    job = shape(launcher, folder, list(command), dict(more or {}))
    print(job.description)
    runs = f" --runs {shlex.quote(str(folder.parent))}" if folder.parent.resolve() != Path("runs").resolve() else ""
    for step in ("status", "logs", "cancel"):
        print(f"  vmsbench {step} {shlex.quote(folder.name)}{runs}", flush=True)
    return follow(job.number, job.log, folder, launcher.poll) if wait else 0


def refuse_second(folder: Path) -> None:
    """Raises UserError where a job of the sweep waits or runs: a second one would only find it in use."""
    with answers_within():
        live = [job for job in live_jobs(folder) if job_status(folder, job).live]
    if live:
        raise UserError(
            f"{folder.name} has been submitted: {job_status(folder, live[0])}; "
            f"`vmsbench cancel {shlex.quote(folder.name)}` ends that, --name gives this one another name"
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
