"""A node whose Ray died joins again, a few times; a node's end leaves no core file."""

import subprocess
import sys
from pathlib import Path

import pytest

from vmsbench.errors import UserError
from vmsbench.ray_backend import node_step
from vmsbench.ray_backend.node_step import NodeStep

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_step, "PAUSES", (0.01, 0.01, 0.01))


def step(folder: Path, program: str) -> NodeStep:
    """A step that runs a line of shell and adds a line to `starts` each time."""
    line = f"echo >> {folder}/starts; {program}"
    return NodeStep("n2", lambda: subprocess.Popen(["bash", "-c", line], stdin=subprocess.PIPE))


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text().splitlines())


def test_a_step_that_dies_is_started_again_until_it_stays(tmp_path: Path) -> None:
    stays = f"[ $(wc -l < {tmp_path}/starts) -ge 3 ] || exit 1; touch {tmp_path}/there; read -r nothing"
    kept = step(tmp_path, stays)
    while not (tmp_path / "there").exists():
        assert kept.thread.is_alive()
    kept.close()
    kept.wait(10)
    assert not kept.thread.is_alive()
    assert starts(tmp_path) == 3


def test_a_step_that_always_dies_is_given_up(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kept = step(tmp_path, "exit 1")
    kept.wait(30)
    assert starts(tmp_path) == 4
    said = capfd.readouterr()
    assert said.out.count("n2 has left Ray; it joins again") == 3
    assert "n2 has left Ray 4 times, and is left out" in said.err


def test_a_step_that_is_closed_is_not_started_again(tmp_path: Path) -> None:
    kept = step(tmp_path, f"touch {tmp_path}/there; read -r nothing")
    while not (tmp_path / "there").exists():
        pass
    kept.close()
    kept.wait(10)
    assert starts(tmp_path) == 1


def test_a_step_that_cannot_be_started_is_tried_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tries = []

    def begin() -> "subprocess.Popen[bytes]":
        tries.append(1)
        if len(tries) < 2:
            raise UserError("srun not found")
        return subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE)

    kept = NodeStep("n2", begin)
    while len(tries) < 2 or kept.process is None:
        pass
    kept.closing.set()
    kept.process.kill()
    kept.wait(10)
    assert "warning: n2: srun not found" in capfd.readouterr().err


def test_a_thread_that_waits_for_the_drivers_end_does_not_crash_the_node_as_it_exits() -> None:
    program = (
        "import threading, types; from vmsbench.ray_backend.cluster import until_closed\n"
        "process = types.SimpleNamespace(kill=lambda: None)\n"
        "threading.Thread(target=until_closed, args=(process,), daemon=True).start()\n"
        "import time; time.sleep(0.2)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as node:
        assert node.wait(60) == 0, node.stderr and node.stderr.read()
