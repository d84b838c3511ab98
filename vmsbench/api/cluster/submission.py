"""A sweep in this process, or in a job of the launcher that was chosen: what the commands and the functions share."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vmsbench.api.sweep_results import SweepResult
from vmsbench.config.commands import is_default
from vmsbench.config.plugins import own_folders
from vmsbench.config.settings import Config
from vmsbench.launch.follow import print_text
from vmsbench.launch.launcher import JobPhase
from vmsbench.launch.submit import RunOptions, SweepJob, dispatch
from vmsbench.store.sweep_folder import SweepFolder
from vmsbench.sweep.origin.numeric_code import check_code


def run_or_submit(
    run: Callable[[], SweepResult],
    settings: Config,
    overrides: Iterable[str],
    folder: Path,
    command: Sequence[str],
    options: RunOptions,
    accept_code: bool,
) -> SweepResult:
    """What `run` returns, or the sweep with the job that runs `command` for it, as the settings' launcher says.

    folder   of the sweep
    command  of vmsbench that does what `run` does, as words
    Raises UserError where the job would be refused, and on a login node.
    """

    def check() -> None:
        """What is accepted is recorded by the job, which owns the sweep."""
        if not accept_code and SweepFolder(folder).begun:
            check_code(folder, accept=False)

    where: dict[str, Any] = {"folder": folder, "options": options, "command": command}
    found = dispatch(settings=settings, overrides=list(overrides), work=run, check=check, **where)
    return SweepResult(folder, False, typed(command), found) if isinstance(found, SweepJob) else found


def waited(sweep: SweepResult, quiet: bool = False) -> SweepResult:
    """The sweep, once its job is over, with all its restarts and continuations; shows the job's log, or nothing."""
    if sweep.job is None:
        return sweep
    status = sweep.job.wait((lambda text: None) if quiet else print_text)
    return replace(sweep, finished=status is not None and status.phase == JobPhase.COMPLETED)


def command_words(words: Sequence[str], runs: Path | str, **options: Any) -> list[str]:
    """A command of vmsbench, as words: with options, your own folders of options, and the runs folder where it is not
    the default."""
    own = [word for folder in own_folders() for word in ("--config-dir", str(folder))]
    return [*option_words(words, **options), *own, *([] if is_default(runs) else ["--runs", str(runs)])]


def option_words(words: Sequence[str], **options: Any) -> list[str]:
    """The words with an option for each value that is not None or False; True is an option without a value."""
    found = list(words)
    for name, value in options.items():
        if value is not None and value is not False:
            found += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return found


def typed(command: Sequence[str]) -> str:
    """A command of vmsbench, to be pasted into a shell."""
    return shlex.join(["vmsbench", *command])
