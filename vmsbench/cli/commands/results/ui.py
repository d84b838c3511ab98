"""`vmsbench ui`: MLflow's user interface over the runs, and how to reach it over ssh."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
    Runs,
)
from vmsbench.errors import masked
from vmsbench.processes import user_name
from vmsbench.store.sweeps import sweeps_in


def ui(
    port: Annotated[int, typer.Option(help="The first port to try; without --tcp, the port on your machine.")] = 5000,
    sync: Annotated[bool, typer.Option(help="Bring MLflow up to date with the folders first.")] = True,
    tcp: Annotated[
        bool, typer.Option("--tcp", help="Serve a port of this machine, which all its users can reach.")
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Start MLflow's user interface, for you alone. Prints how to reach it over ssh, and the link to the comparison.

    It listens on a socket that only you can open; --tcp listens on a port, for a browser on this machine.
    """
    show_ui(runs, port, sync, tcp)


def show_ui(runs: Path, port: int, sync: bool, tcp: bool) -> None:
    """Bring MLflow up to date with the folders, print its address, and serve it until Ctrl-C."""

    from vmsbench.api.tracking import sync as bring_up_to_date
    from vmsbench.signals import stoppable
    from vmsbench.tracking.mlflow.server import compared, free_port, links, private_socket, serving
    from vmsbench.tracking.mlflow.tracker import EXPERIMENT, where

    sweeps = sweeps_in(runs)
    if sync:
        bring_up_to_date(runs=runs)
    address = where(None, runs)
    if address.startswith(("http://", "https://")):
        show(links(address, address, EXPERIMENT, compared(sweeps)))
        return
    log = runs / "mlflow-server.log"
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # the server ends with its ssh session
    with ExitStack() as stack:
        stack.enter_context(suppress(KeyboardInterrupt))
        stack.enter_context(stoppable())
        at = None if tcp else stack.enter_context(private_socket())
        port = free_port(port) if tcp else port
        base = stack.enter_context(serving(address, port, log, at))
        show_way(port, at)
        show(links(base, address, EXPERIMENT, compared(sweeps)))
        print("Ctrl-C ends it", flush=True)
        signal.pause()


def show_way(port: int, at: Path | None) -> None:
    """Print how a browser gets to the server."""
    print("from your own machine, first:" if at else "from another machine, first:")
    print(f"  ssh -L {port}:{at or f'127.0.0.1:{port}'} {user_name()}@{socket.getfqdn()}")
    if at:
        print("in a browser on this machine: vmsbench ui --tcp")


def show(found: dict[str, str]) -> None:
    for what, link in found.items():
        print(f"{what}:\n  {masked(link)}", flush=True)
