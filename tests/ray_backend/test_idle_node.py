"""When a node that joined Ray has no trial."""

import subprocess
import sys
from pathlib import Path

import pytest

from vmsbench.processes import descendants
from vmsbench.ray_backend.cluster import without_work


class Clock:
    """A clock that goes on while somebody sleeps; at `until` the node's work ends, and the node with it."""

    def __init__(self, node: "subprocess.Popen[bytes]", until: float) -> None:
        self.node, self.until, self.now = node, until, 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.until and self.node.stdin:
            self.node.stdin.close()
            self.node.wait()


def begun(node: "subprocess.Popen[bytes]") -> bool:
    """Whether its child is the program that it is to be, and no longer a shell."""
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(node.pid)]
    return any(b"ray" in one and not one.startswith(b"bash") for one in commands)


READS = "import sys; sys.stdin.read()"


@pytest.mark.parametrize(
    ("child", "idle"),
    [
        ("exec -a ray::IDLE cat", True),
        ("exec -a ray::ImplicitFunc cat", True),
        ("exec -a ray::ImplicitFunc.train cat", False),
        ("exec -a ray::ImplicitFunc.__init__ cat", False),
        (f"exec {sys.executable} -c '{READS}' /ray/default_worker.py --node-ip", False),
        (f"exec {sys.executable} -c '{READS}' '--python_worker_command=python /ray/default_worker.py'", True),
    ],
)
def test_a_node_is_idle_while_none_of_its_processes_runs_a_trial(
    child: str, idle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in for Ray's node ends with its child, which ends with its input."""
    node = subprocess.Popen(["bash", "-c", f"exec 3<&0; ({child}) <&3 & wait"], stdin=subprocess.PIPE)
    while not begun(node):
        assert node.poll() is None
    monkeypatch.setattr("vmsbench.ray_backend.cluster.time", Clock(node, until=50.0))
    assert without_work(node, 10.0) == idle
    assert node.stdin
    node.stdin.close()
    node.wait()
