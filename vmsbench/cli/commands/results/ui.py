"""`vmsbench ui`: MLflow's user interface over the runs, and how to reach it over ssh."""

from __future__ import annotations

import getpass
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
    Runs,
)
from vmsbench.store.sweeps import sweeps_in


def ui(
    port: Annotated[int, typer.Option(help="The first port to try.")] = 5000,
    sync: Annotated[bool, typer.Option(help="Bring MLflow up to date with the folders first.")] = True,
    runs: Runs = Path("runs"),
) -> None:
    """Start MLflow's user interface. Prints the link to the comparison, and how to reach it over ssh."""
    show_ui(runs, port, sync)


def show_ui(runs: Path, port: int, sync: bool) -> None:
    """Bring MLflow up to date with the folders, print its address, and serve it until Ctrl-C."""

    from vmsbench.api.tracking import sync as bring_up_to_date
    from vmsbench.signals import stoppable
    from vmsbench.tracking.mlflow.server import compared, free_port, links, serving
    from vmsbench.tracking.mlflow.tracker import EXPERIMENT, where

    sweeps = sweeps_in(runs)
    if sync:
        bring_up_to_date(runs=runs)
    address = where(None, runs)
    if address.startswith(("http://", "https://")):
        show(links(address, address, EXPERIMENT, compared(sweeps)))
        return
    port = free_port(port)
    log = runs / "mlflow-server.log"
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # the server ends with its ssh session
    with suppress(KeyboardInterrupt), stoppable(), serving(address, port, log) as base:
        show(links(base, address, EXPERIMENT, compared(sweeps)))
        print("from another machine, first:")
        print(f"  ssh -L {port}:127.0.0.1:{port} {getpass.getuser()}@{socket.getfqdn()}")
        print("Ctrl-C ends it", flush=True)
        signal.pause()


def show(found: dict[str, str]) -> None:
    for what, link in found.items():
        print(f"{what}:\n  {link}", flush=True)
