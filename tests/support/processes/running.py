"""Commands of vmsbench as a user types them, each in a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vmsbench.files import read_lines

ROOT = Path(__file__).parents[3]
SMALL = [
    *("data=standin", "data.count=60", "data.size=32", "preset=quick", "trainer.epochs=3", "model.network.width=8"),
    *("pruner=none", "tracker=none"),  # which trials are pruned depends on which of two is faster
]
TWO_TRIALS = "space.parameters=[{param: model.network.width, values: [4, 8]}]"


def vmsbench(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=cwd, env=surroundings(**environment), capture_output=True, text=True)


def command(*arguments: str) -> list[str]:
    program = "import sys; sys.argv[0] = 'vmsbench'; from vmsbench.__main__ import main; main()"
    return [sys.executable, "-c", program, *arguments]


def surroundings(**environment: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VMSBENCH", "MLFLOW"))}
    return kept | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_lines(folder / "journal.jsonl") if event["event"] == kind]


def started(arguments: list[str], cwd: Path) -> subprocess.Popen[bytes]:
    log = (cwd / "log").open("ab")
    return subprocess.Popen(
        command(*arguments), cwd=cwd, env=surroundings(), stdout=log, stderr=log, start_new_session=True
    )


def wait_for(condition: Any, process: subprocess.Popen[bytes], cwd: Path) -> None:
    """Until the condition holds, which it must before the process ends."""
    while not condition():
        assert process.poll() is None, (cwd / "log").read_text()
        time.sleep(0.05)


def family_of(process: subprocess.Popen[bytes]) -> set[int]:
    """The driver and all that it started, Ray's own processes too."""
    family = {process.pid}
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    grown = True
    while grown:
        grown = False
        for child, parent in parents.items():
            if parent in family and child not in family:
                family.add(child)
                grown = True
    return family


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_everything(process: subprocess.Popen[bytes]) -> None:
    send(signal.SIGKILL, family_of(process))
    process.wait()


def is_done(trial: Path) -> bool:
    return (trial / "results.json").exists()
