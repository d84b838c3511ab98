"""Options and arguments that several commands take, and the check of the folder that they name."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.config.plugins import add_folders, groups, options
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.files import with_home

ROOM = 1_000_000  # bytes that must be free in the runs folder before anything starts


def use_folders(folders: list[Path] | None) -> list[Path] | None:
    """Search the folders of --config-dir for options, here and in every process that the command starts."""
    add_folders(folders or [])
    return folders


def listed(group: str, between: str = "|") -> str:
    """The options of a group, for help; an error of $VMSBENCH_CONF is reported by the command itself."""
    try:
        return between.join(options(group) if group else groups())
    except ConfigurationError:
        return "NAME"


Exp = Annotated[str, typer.Option("--exp", help=f"The experiment: {listed('exp', ', ')}.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OVERRIDE]...",
        help=f"key=value, or group=option: network={listed('network')}, searcher={listed('searcher')}, ... "
        f"Groups: {listed('', ', ')}.",
    ),
]
ConfigDir = Annotated[
    list[Path] | None,
    typer.Option(
        "--config-dir",
        callback=use_folders,
        is_eager=True,
        help="A folder with your own options, such as network/mine.yaml; may be repeated (default: $VMSBENCH_CONF).",
    ),
]


def expanded(path: Path | None) -> Path | None:
    """A path that was given, with ~ put in."""
    return None if path is None else with_home(path)


def runs_folder(runs: Path) -> Path:
    """The folder, with ~ put in.

    Raises UserError where it is a file, or its full path cannot be written as one line of text.
    """
    from vmsbench.data.sources.names import is_text, printable

    runs = with_home(runs)
    path = os.path.realpath(runs)
    if not is_text(path) or "\n" in path:
        raise UserError(f"--runs {printable(path)}: this path is not UTF-8 on one line; choose another folder")
    if runs.exists() and not runs.is_dir():
        raise UserError(f"--runs {runs} is a file: give the folder of all sweeps, such as --runs runs")
    return runs


Runs = Annotated[
    Path,
    typer.Option("--runs", envvar="VMSBENCH_RUNS", help="The folder of all sweeps.", callback=runs_folder),
]
OnLogin = Annotated[bool, typer.Option("--allow-login-node", help="Train on this machine even if it is a login node.")]
AcceptCode = Annotated[
    bool, typer.Option("--accept-code", help="Continue a sweep that was started with other numeric code.")
]
EncoderWeights = Annotated[
    Path | None,
    typer.Option(help="Where the file of the encoder's weights is now, if it was moved.", callback=expanded),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Epochs of each training; the same as trainer.epochs=N.")]

Gpus = Annotated[int | None, typer.Option(help="GPUs to use (default: all).")]
Cpus = Annotated[int | None, typer.Option(help="CPU cores to use (default: all).")]
PerGpu = Annotated[int | None, typer.Option(help="Trials on each GPU; the same as slots.gpus=1/N.")]
SweepName = Annotated[str | None, typer.Option(help="The sweep's name (default: that of --exp).")]
Nodes = Annotated[int | None, typer.Option(help="On a cluster: nodes of the job; --gpus and --cpus are per node.")]
Hours = Annotated[str | None, typer.Option("--time", help="On a cluster: time limit of the job, such as 8:00:00.")]


def writable(runs: Path) -> Path:
    """The runs folder, created if missing. Raises UserError where nothing can be written into it."""
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs) as file:
            file.write(bytes(ROOM))
            file.flush()
            return runs
    except OSError as error:
        raise UserError(f"cannot write into {runs} ({error.strerror}); choose another folder by --runs") from error
