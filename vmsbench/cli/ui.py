"""`vmsbench ui`: MLflow's pages over the runs, and how to see them from elsewhere."""

import getpass
import signal
import socket
from contextlib import suppress
from pathlib import Path

from vmsbench.cli.sweeping import mirror
from vmsbench.signals import stoppable
from vmsbench.store.sweeps import sweeps_in
from vmsbench.tracking.mlflow.server import compared, free_port, links, serving
from vmsbench.tracking.mlflow.tracker import EXPERIMENT, where


def show_ui(runs: Path, port: int, sync: bool) -> None:
    """Bring MLflow up to the folders, show where it is to be seen, and serve it until Ctrl-C."""
    sweeps = sweeps_in(runs)
    if sync:
        mirror(runs, [], quiet=True)
    address = where(None, runs)
    if address.startswith(("http://", "https://")):
        show(links(address, address, EXPERIMENT, compared(sweeps)))
        return
    port = free_port(port)
    log = runs / "mlflow-server.log"
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # an ssh that ends ends the server
    with suppress(KeyboardInterrupt), stoppable(), serving(address, port, log) as base:
        show(links(base, address, EXPERIMENT, compared(sweeps)))
        print("from another machine, first:")
        print(f"  ssh -L {port}:127.0.0.1:{port} {getpass.getuser()}@{socket.getfqdn()}")
        print("Ctrl-C ends it", flush=True)
        signal.pause()


def show(found: dict[str, str]) -> None:
    for what, link in found.items():
        print(f"{what}:\n  {link}", flush=True)
