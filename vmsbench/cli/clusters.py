"""The commands around a cluster's jobs. Heavy imports happen inside them."""

from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import Gpus, Hours, Json, Nodes, OnLogin, Overrides, Runs, writable

app = typer.Typer(rich_markup_mode=None)


@app.command(hidden=True, context_settings={"ignore_unknown_options": True, "help_option_names": []})
def job(command: Annotated[list[str], typer.Argument()]) -> None:
    """What a batch script runs: a command of vmsbench, watched over, and continued when the job's time is up."""
    from vmsbench.launch.supervisor import supervise

    raise typer.Exit(supervise(command))


@app.command(hidden=True)
def work(driver: Annotated[str, typer.Argument()], folder: Annotated[Path, typer.Argument()]) -> None:
    """What slurm/worker.sh runs: lend this job's node to the sweep in FOLDER until the job DRIVER is over."""
    from vmsbench.launch.worker import work as lend

    lend(driver, str(folder))


@app.command()
def drill(
    overrides: Overrides = None,
    gpus: Gpus = None,
    nodes: Nodes = None,
    hours: Hours = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of each training; more where it is over too soon.")] = 120,
    patience: Annotated[int, typer.Option(help="Seconds for a recovery, the queue included.")] = 180,
    runs: Runs = Path("runs"),
    as_json: Json = False,
    allow_login_node: OnLogin = False,
) -> None:
    """Strike a toy sweep as clusters do, and see it go on.

    Signal, requeue, kill -9 of a trial and of the driver.
    """
    from vmsbench.cli.drilling import drill as strike
    from vmsbench.launch.submit import RunOptions

    run_options = RunOptions(nodes=nodes, gpus=gpus, time=hours, allow_login_node=allow_login_node)
    if not strike(list(overrides or []), writable(runs), run_options, epochs, patience, as_json):
        raise typer.Exit(1)


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="A sweep that was submitted.")],
    lines: Annotated[int, typer.Option(help="How many of the last lines.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until its job is over.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """The last lines of what a sweep's jobs wrote."""
    from vmsbench.cli.jobs import show_logs

    show_logs(name, runs, lines, follow)


@app.command()
def cancel(
    name: Annotated[str, typer.Argument(help="A sweep that was submitted.")],
    runs: Runs = Path("runs"),
) -> None:
    """Cancel a sweep's jobs. Its trials save; the same command goes on with it later."""
    from vmsbench.cli.jobs import cancel_jobs

    cancel_jobs(name, runs)
