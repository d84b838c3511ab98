"""A private Ray over the nodes of a cluster: a head next to the driver, and nodes that join it.

    python -m vmsbench.ray_backend.cluster join ADDRESS --token FILE --job 4711 --cpus 8 --gpus 4

Joining needs the token, every port lies in a block that was found free, all files lie in a private directory, and
processes are ended by their own numbers. Measured: `ray stop` and `ray symmetric-run` end other people's Ray; Ray
makes its directories 0777, hence the 0700 parent; a path of a socket may have 107 bytes; on SIGTERM, a node drains for
30 s, with nothing of ours to save.
"""

import argparse
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from vmsbench import accelerators
from vmsbench.errors import UserError
from vmsbench.files import restrict_umask
from vmsbench.launch.environment import drop_unusable_threads
from vmsbench.launch.worker import PAUSE, TOKEN, WITHOUT_WORK
from vmsbench.processes import adopt, descendants, die_with_parent, disable_core_dumps, end_descendants, kill
from vmsbench.ray_backend.private_dir import private_folder, remove_leftovers
from vmsbench.versions import PUBLIC

FIRST, BLOCK, BLOCKS = 10_000, 200, 110  # below the ports that systems hand out by themselves
FIXED = ("node-manager", "object-manager", "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent")
START = 120.0  # seconds that a node may take to start
PRIVATE = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_enable_metrics_collection": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "3",
}
LOOPBACK = "127.0.0.1"
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray takes 127.0.0.1 for the host's own address, and listens on all interfaces, but where it expects no other node."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def system_config(niceness: int) -> dict[str, int]:
    """What every node of a Ray learns from its head: trials are `niceness` nicer than the process that starts them.

    Ray's own default is 15: next to two busy processes on two cores a trial got 3 % of a core.
    """
    return {"worker_niceness": niceness}


class NotStarted(UserError):
    """A Ray node that did not start."""


def token_file(folder: Path) -> Path:
    """The secret of the sweep in `folder`, created where it is missing; readable by its owner alone."""
    file = folder / TOKEN
    with suppress(FileExistsError), open(file, "x", opener=owners_alone) as opened:
        opened.write(secrets.token_hex(32))
        opened.flush()
        os.fsync(opened.fileno())
    return file


def owners_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def ports(job: str) -> Iterator[range]:
    """Blocks of ports that are free on this machine, the job's own first."""
    for attempt in range(BLOCKS):
        first = FIRST + BLOCK * ((zlib.crc32(job.encode()) + attempt * 17) % BLOCKS)
        block = range(first, first + BLOCK)
        if all(map(free, block)):
            yield block


def free(port: int) -> bool:
    with socket.socket() as tried:
        try:
            tried.bind(("", port))
        except OSError:
            return False
        return True


@contextmanager
def private_directory() -> Iterator[Path]:
    """A private directory with a short path on this node, removed after the block."""
    remove_leftovers()
    private = private_folder()
    try:
        yield private
    finally:
        shutil.rmtree(private, ignore_errors=True)


def begin(
    private: Path, ip: str, address: str | None, token: Path, job: str, cpus: int, gpus: int, niceness: int = 0
) -> tuple[Any, str]:
    """Start a Ray node on this machine: the head, or one that joins `address`. Returns its process and the address.

    niceness  of the trials on all nodes, which the head tells the others

    Raises NotStarted with Ray's last line.
    """
    said = private / "said.txt"
    words = ""
    for attempt, block in enumerate(ports(job)):
        if attempt == 5:
            break
        directory = private / str(attempt)
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--node-ip-address={ip}"]
        command += [f"--{name}-port={block[1 + n]}" for n, name in enumerate(FIXED)]
        command += [f"--min-worker-port={block[10]}", f"--max-worker-port={block[-1]}", f"--num-cpus={cpus}"]
        command += [f"--num-gpus={gpus}", "--object-store-memory=200000000", "--include-log-monitor=false"]
        command += ["--disable-usage-stats", "--log-color=false"]
        if address is None:
            command += ["--head", f"--port={block[0]}", "--include-dashboard=false", f"--temp-dir={directory}"]
            command += [f"--system-config={json.dumps(system_config(niceness))}"]
        else:
            command += [f"--address={address}", f"--temp-dir={directory}"]
        alone = ALONE if ip == LOOPBACK else {}
        with said.open("w") as log:
            process = subprocess.Popen(
                command,
                env=os.environ | PRIVATE | alone | {"RAY_AUTH_TOKEN_PATH": str(token)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=deaf_child,
            )
        if began(process, directory, said):
            return process, address or f"{ip}:{block[0]}"
        end_process(process)
        words = said.read_text()
        if "already" not in words and "in use" not in words.lower() and "conflict" not in words.lower():
            break
    lines = [line.strip() for line in words.splitlines() if line.strip()] or ["it printed nothing"]
    raise NotStarted(f"Ray did not start on {socket.gethostname()} ({ip}): {lines[-1][:300]}")


def deaf_child() -> None:
    """Ray's processes ignore the signals that ask us to save; they end when we end them, or when we die."""
    disable_core_dumps()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    die_with_parent()


def began(process: "subprocess.Popen[bytes]", directory: Path, said: Path) -> bool:
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        if "Ray runtime started" in said.read_text():
            return True
        time.sleep(0.1)
    return False


def end_process(process: "subprocess.Popen[bytes]") -> None:
    """Kill a node and all its child processes."""
    kill([process.pid, *descendants(process.pid)], 5.0)
    process.wait()


@contextmanager
def head(ip: str, token: Path, job: str, cpus: int, gpus: int, niceness: int = 0) -> Iterator[str]:
    """A head node next to this process within the block; yields its address. `ip` is 127.0.0.1 where no other node
    will join."""
    adopt()
    drop_unusable_threads()
    accelerators.name_for_ray()
    with private_directory() as private:
        process, address = begin(private, ip, None, token, job, cpus, gpus, niceness)
        try:
            yield address
        finally:
            end_process(process)


def address_towards(host: str) -> str:
    """The address of this machine as seen from `host`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((socket.gethostbyname(host), 9))
        return str(probe.getsockname()[0])


def join(
    address: str, token: Path, job: str, cpus: int, gpus: int, patient: bool = False, idle: float | None = None
) -> int:
    """Run a node of the Ray at `address` until that ends, or standard input is closed; 0 where it had started,
    WITHOUT_WORK where it had no trial for `idle` seconds.

    patient  stay through SIGTERM and SIGUSR1, which are for the driver; else end at once
    """
    adopt()
    drop_unusable_threads()
    accelerators.name_for_ray()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN if patient else leave)
    with private_directory() as private:
        try:
            process, _ = begin(private, address_towards(address.partition(":")[0]), address, token, job, cpus, gpus)
            if patient:
                threading.Thread(target=until_closed, args=(process,), daemon=True).start()
            if idle and without_work(process, idle):
                return WITHOUT_WORK
            process.wait()
        finally:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            end_descendants(0.0)
    return 0


def without_work(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Wait until a node has ended, or has had no trial for so many seconds: then True."""
    worked = time.monotonic()
    while process.poll() is None:
        if any(map(trains, descendants(process.pid))):
            worked = time.monotonic()
        if time.monotonic() - worked > seconds:
            return True
        time.sleep(min(PAUSE, seconds / 4))
    return False


WORKING = re.compile(rb"ray::\w+\.(train|__init__)|.*\0[^\0 =]*default_worker\.py", re.DOTALL)
"""The names of Ray's processes that run a trial, or are about to: `ray::ImplicitFunc.train`, a Python that is still
importing; the others are `ray::IDLE`, an actor between two trials, or the raylet, which knows how to start one."""


def trains(pid: int) -> bool:
    """Whether a process runs a trial, or starts to."""
    with suppress(OSError):
        return WORKING.match(Path(f"/proc/{pid}/cmdline").read_bytes()) is not None
    return False


def leave(*_: Any) -> NoReturn:
    raise SystemExit(0)


def until_closed(process: "subprocess.Popen[bytes]") -> None:
    """The driver holds the other end of our standard input: it closes when the driver ends or dies.

    Read without Python's buffer: a thread that holds its lock as Python exits aborts the process, with a core file.
    """
    while os.read(0, 1024):
        pass
    process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {PUBLIC['Ray node']}", description=__doc__)
    parser.add_argument("what", choices=["join"])
    parser.add_argument("address")
    parser.add_argument("--token", type=Path, required=True)
    parser.add_argument("--job", required=True)
    parser.add_argument("--cpus", type=int, required=True)
    parser.add_argument("--gpus", type=int, required=True)
    parser.add_argument("--patient", action="store_true")
    parser.add_argument("--idle", type=float)
    options = parser.parse_args()
    restrict_umask()
    disable_core_dumps()
    try:
        size = (options.cpus, options.gpus)
        sys.exit(join(options.address, options.token, options.job, *size, options.patient, options.idle))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
