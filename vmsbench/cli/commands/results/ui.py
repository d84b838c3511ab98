"""`vmsbench ui`: MLflow's user interface over the runs, and how to reach it over ssh."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from vmsbench.cli.options import (
    Runs,
)
from vmsbench.errors import masked
from vmsbench.processes import user_name


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
    from vmsbench.api.tracking import ui as start
    from vmsbench.signals import stoppable

    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # the server ends with its ssh session
    with suppress(KeyboardInterrupt), stoppable(), start(port=port, sync=sync, tcp=tcp, runs=runs) as server:
        if server.port is not None:
            show_way(server.port, server.socket)
        for what, link in server.links.items():
            print(f"{what}:\n  {masked(link)}", flush=True)
        if server.port is not None:
            print("Ctrl-C ends it", flush=True)
            signal.pause()


def show_way(port: int, at: Path | None) -> None:
    """Print how a browser gets to the server."""
    print("from your own machine, first:" if at else "from another machine, first:")
    print(f"  ssh -L {port}:{at or f'127.0.0.1:{port}'} {user_name()}@{socket.getfqdn()}")
    if at:
        print("in a browser on this machine: vmsbench ui --tcp")
