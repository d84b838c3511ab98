"""A sweep handed to Slurm from the login node: the site's profile, the job, and what to do next."""

import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.config.instantiate import build
from vmsbench.errors import UNFINISHED, ConfigurationError, UserError, did_you_mean
from vmsbench.launch.launcher import Job, Launcher
from vmsbench.launch.local import LocalLauncher
from vmsbench.launch.slurm.allocation import refuse_login_node
from vmsbench.launch.slurm.commands import POLL
from vmsbench.launch.slurm.jobs import cancel, failing_nodes, job_status, note
from vmsbench.launch.slurm.launcher import Slurm, Submitted
from vmsbench.launch.supervisor import finish
from vmsbench.launch.worker import work

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
DRIVER_CPUS = 2
TAIL = 2.0  # seconds between two looks at a job's log


def profile() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser() / "vmsbench" / "site.yaml"


def with_profile(launcher: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """The launcher's settings with those of the site; what was said on the command line wins.

    Raises ConfigurationError for a profile with settings that are none.
    """
    if not profile().exists() or "partition" not in launcher:
        return launcher
    import yaml

    try:
        site = yaml.safe_load(profile().read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{profile()} is not YAML: {' '.join(str(error).split())}") from error
    for name in site:
        if name not in launcher or name.startswith("_"):
            has = ", ".join(key for key in launcher if not key.startswith("_"))
            raise ConfigurationError(
                f"{profile()}: {name} is no setting{did_you_mean(name, launcher)}  (there are: {has})"
            )
    told = {override.partition("=")[0].removeprefix("launcher.").partition(".")[0] for override in overrides}
    return launcher | {name: value for name, value in site.items() if name not in told}


def job_command(arguments: list[str]) -> list[str]:
    """The command for the job: what was said here, without what only concerns the submission."""
    kept, skip = [], 0
    for word in arguments:
        if skip:
            skip -= 1
        elif word.partition("=")[0] in OURS:
            skip = OURS[word.partition("=")[0]] if "=" not in word else 0
        elif word.partition("=")[0] != "launcher" and not word.startswith("launcher."):
            kept.append(word)
    return kept


@dataclass(frozen=True)
class RunOptions:
    """What was said on the command line of where a command is to run. nodes, time, wait, show, check are of a job."""

    nodes: int | None = None
    gpus: int | None = None
    cpus: int | None = None
    time: str | None = None
    wait: bool = False
    show: bool = False
    check: bool = False
    allow_login_node: bool = False


def dispatch(
    settings: dict[str, Any],
    overrides: list[str],
    folder: Path,
    options: RunOptions,
    work: Callable[..., bool],
    *arguments: Any,
) -> int:
    """Do `work(*arguments)` here, or hand this command over to a job. Returns the exit code: 75 where it was stopped.

    Raises UserError on a login node, and where the job cannot be submitted.
    """
    launcher = launcher_of(settings["launcher"], overrides, folder, options)
    if isinstance(launcher, LocalLauncher):
        refuse_login_node(options.allow_login_node)
        return 0 if launcher.submit(work, *arguments).result() else UNFINISHED
    command = job_command(sys.argv[1:])
    if isinstance(launcher, Slurm) and (options.show or options.check):
        print(
            f"{launcher.script()}# which is: vmsbench job {shlex.join(command)}" if options.show else launcher.check()
        )
        return 0
    return hand_over(launcher, folder, command, options.wait)


def launcher_of(chosen: dict[str, Any], overrides: list[str], folder: Path, options: RunOptions) -> Launcher:
    """The launcher that was chosen, with the site's profile and this command's own options."""
    if "partition" not in chosen:
        if options.nodes is not None or options.time is not None or options.show or options.check:
            raise ConfigurationError("--nodes, --time, --print and --check are for a job: add launcher=slurm")
        return build(chosen)
    chosen = with_profile(chosen, overrides)
    told = {"nodes": options.nodes, "gpus": options.gpus, "cpus": options.cpus, "time": options.time}
    chosen |= {name: value for name, value in told.items() if value is not None}
    if chosen["name"] == "vmsbench":
        chosen["name"] = f"vmsbench-{folder.name}"
    return build(chosen | {"exclude": sorted({*chosen["exclude"], *failing_nodes(folder)})})


def hand_over(launcher: Launcher, folder: Path, command: list[str], wait: bool) -> int:
    """Submit a command, and say what to do next; with `wait` show its log until it is over."""
    if isinstance(launcher, Slurm) and launcher.elastic:
        job: Job = submit_elastic(launcher, folder, command)
    else:
        job = launcher.submit(finish, command, str(folder.resolve()))
        note(folder, "submitted", job=job.number, log=str(job.log), command=command)
    print(job.description)
    runs = f" --runs {shlex.quote(str(folder.parent))}" if folder.parent.resolve() != Path("runs").resolve() else ""
    for step in ("status", "logs", "cancel"):
        print(f"  vmsbench {step} {shlex.quote(folder.name)}{runs}", flush=True)
    return follow(job.number, job.log, folder, getattr(launcher, "poll", POLL)) if wait else 0


def submit_elastic(launcher: Slurm, folder: Path, command: list[str]) -> Submitted:
    """A small job that drives, and a job for each node that comes and goes; all of them, or none."""
    share = f"{launcher.nodes},{launcher.cpus},{launcher.gpus}"
    alone = {"nodes": 1, "cpus-per-task": DRIVER_CPUS, "gres": None, "gpus": None, "gpus-per-node": None}
    driver = launcher.send(alone, {"VMSBENCH_ELASTIC": share}, finish, command, str(folder.resolve()))
    note(folder, "submitted", job=driver.number, log=str(driver.log), command=command, shape="elastic")
    total = {"gpus": launcher.gpu_total(1)} if launcher.form == "gpus" else {}
    try:
        for _ in range(launcher.nodes):
            flags = {"nodes": 1, "dependency": f"after:{driver.number}", **total}
            worker = launcher.send(flags, {}, work, driver.number, str(folder.resolve()))
            note(folder, "submitted", job=worker.number, log=str(worker.log), driver=driver.number)
    except UserError:
        cancel(folder, jobs=[driver.number])
        raise
    return driver


def follow(job: str, log: Path, folder: Path, poll: float, shown: int = 0) -> int:
    """Show a job's log as it grows, until the job, with all its restarts and continuations, is over."""
    asked = time.monotonic()
    while True:
        shown = show_more(log, shown)
        if time.monotonic() - asked > poll:
            asked, now = time.monotonic(), job_status(job, folder)
            if now.over:
                show_more(log, shown)
                print(now)
                return 0 if now.state == "COMPLETED" else 1
        time.sleep(TAIL)


def show_more(log: Path, shown: int) -> int:
    if not log.exists():
        return shown
    with log.open("rb") as file:
        file.seek(shown)
        sys.stdout.write(file.read().decode(errors="replace"))
        sys.stdout.flush()
        return file.tell()
