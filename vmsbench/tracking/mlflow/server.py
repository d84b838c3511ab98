"""MLflow's user interface: a small server on this machine, and links to the runs."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote

from vmsbench.store.reader import read_sweep
from vmsbench.store.sweep_folder import PUSHED, SweepFolder
from vmsbench.store.values import mapping
from vmsbench.tracking.mlflow.tracker import QUIET_AND_QUICK, client_of
from vmsbench.tracking.tracker import TrackingError

PATIENCE = 90.0  # seconds that a server may take to answer for the first time
MOST_COMPARED = 20  # runs; MLflow's page becomes slow beyond
LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # 0.5 GB and 9 s instead of 1.9 GB and 34 s


def compared(sweeps: list[Path]) -> list[str]:
    """The runs worth comparing: each sweep's finals, or its winner while it has none; where that is one, all trials."""
    chosen, trials = [], []
    for sweep in sweeps:
        noted = mapping(SweepFolder(sweep).document(PUSHED).get("runs"))
        finals = [entry["run"] for key, entry in noted.items() if key.startswith("final/")]
        winner = noted.get(f"trials/{read_sweep(sweep).winner.get('trial')}")
        trials += [entry["run"] for key, entry in noted.items() if key.startswith("trials/")]
        chosen += finals or ([winner["run"]] if winner else [])
    return (chosen if len(chosen) > 1 else [*chosen, *(run for run in trials if run not in chosen)])[:MOST_COMPARED]


def links(base: str, address: str, experiment: str, runs: list[str]) -> dict[str, str]:
    """The addresses of all runs, and of the comparison of `runs`, on the server at `base`."""
    known = client_of(address).get_experiment_by_name(experiment)
    if known is None:
        return {"MLflow": base}
    number, base = known.experiment_id, base.rstrip("/")
    found = {"all runs": f"{base}/#/experiments/{number}/runs?workflowType=machine_learning"}
    if len(runs) > 1:
        ids, experiments = quote(json.dumps(runs, separators=(",", ":"))), quote(json.dumps([number]))
        found["comparison"] = f"{base}/#/compare-runs?runs={ids}&experiments={experiments}"
    return found


def free_port(first: int, host: str = "127.0.0.1") -> int:
    """The first free port from `first` on. Raises TrackingError after 100."""
    for port in range(first, first + 100):
        with socket.socket() as one, suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((host, port))
            return port
    raise TrackingError(f"no free port from {first} to {first + 99}; --port takes another")


@contextmanager
def private_socket() -> Iterator[Path]:
    """The path of a Unix socket in a folder that its owner alone can enter; removed after the block."""
    folder = Path(tempfile.mkdtemp(prefix="vmsbench-ui-"))
    try:
        yield folder / "socket"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def serving(address: str, port: int, log: Path, at: Path | None = None) -> Iterator[str]:
    """An MLflow server over a store, for this machine alone, with telemetry off; stopped after the block.

    at   the Unix socket that it listens on; None for the port, which all users of this machine can reach
    Yields the address for a browser: with `at`, once ssh forwards the port to the socket. Raises TrackingError, naming
    its log, where it does not answer.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--uvicorn-opts", f"--uds {shlex.quote(str(at))}"] if at else []
    environment = os.environ | QUIET_AND_QUICK | LEAN | {"MLFLOW_BACKEND_STORE_URI": address}  # not for `ps` to show
    environment.pop("MLFLOW_TRACKING_URI", None)
    base = f"http://127.0.0.1:{port}"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        await_answer(server, port, at, log)
        yield base
    finally:
        for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError):
                os.killpg(server.pid, number)
            with suppress(subprocess.TimeoutExpired):
                server.wait(patience)
                break


def await_answer(server: "subprocess.Popen[bytes]", port: int, at: Path | None, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError, HTTPException):
            if healthy(port, at):
                return
        time.sleep(0.2)
    raise TrackingError(f"MLflow's server does not start; {log} says why")


def healthy(port: int, at: Path | None) -> bool:
    """Whether the server answers. Raises OSError or HTTPException where nobody does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    if at is not None:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(5)
        connection.sock.connect(str(at))
    with closing(connection):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
