"""Options and arguments that several commands take, and the check of the folder that they name."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.config.compose import options
from vmsbench.errors import UserError

ROOM = 1_000_000  # bytes that must find room in the runs folder before anything is begun

Exp = Annotated[str, typer.Option("--exp", help=f"The experiment: {', '.join(options('exp'))}.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[OVERRIDE]...", help="group=option or key=value")]
Runs = Annotated[Path, typer.Option("--runs", envvar="VMSBENCH_RUNS", help="The folder of all sweeps.")]
OnLogin = Annotated[bool, typer.Option("--allow-login-node", help="Train on this machine even if it is a login node.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="The same as trainer.epochs=N.")]

Gpus = Annotated[int | None, typer.Option(help="GPUs to use; all, unless told.")]
Cpus = Annotated[int | None, typer.Option(help="CPU cores to use; all, unless told.")]
PerGpu = Annotated[int | None, typer.Option(help="Trials on each GPU; the same as slots.gpus=1/N.")]
SweepName = Annotated[str | None, typer.Option(help="The sweep's name; --exp's, unless told.")]
Nodes = Annotated[int | None, typer.Option(help="launcher=slurm: nodes of the job; --gpus and --cpus of each.")]
Hours = Annotated[str | None, typer.Option("--time", help="launcher=slurm: of the job, such as 8:00:00.")]


def writable(runs: Path) -> Path:
    """The runs folder, made where it is not there. Raises UserError where nothing can be written into it."""
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs) as file:
            file.write(bytes(ROOM))
            file.flush()
            return runs
    except OSError as error:
        raise UserError(f"cannot write into {runs} ({error.strerror}); choose another folder by --runs") from error
