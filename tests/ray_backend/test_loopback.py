"""A sweep on one node listens on the loopback interface alone: other users of the host's network cannot reach it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.nightly import few_by_day

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, subprocess, sys
if sys.argv[1] == "local":
    import ray  # as a program may that uses Ray itself: what it has read of the environment is not ours
from pathlib import Path
from vmsbench.processes import descendants
from vmsbench.ray_backend.cluster import LOOPBACK, head, token_file
from vmsbench.ray_backend.session import joined, local_cluster, nodes_there

def listening():
    inodes = set()
    for pid in [os.getpid(), *descendants(os.getpid())]:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(os.readlink(fd).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                pass
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]

def show():
    import ray
    ray.get(ray.remote(lambda: 1).remote())
    print(nodes_there(), *listening())

if sys.argv[1] == "local":
    ours = subprocess.Popen(["sh", "-c", "sleep 0.1; exit 3"])
    with local_cluster(1, 0):
        show()
        there = descendants(os.getpid())
    print("LEFT", *descendants(os.getpid()))
    print("OURS", ours.wait(), bool(there))
else:
    token = token_file(Path(sys.argv[2]))
    with head(LOOPBACK, token, "12", 1, 0) as address, joined(address, token):
        show()
"""
SAID = {"lines": ["The node has been marked dead"], "pid": "raylet", "is_err": False, "ip": "n2"}
V4, V6 = "0100007F:", "00000000000000000000000001000000:"
MAPPED = "0000000000000000FFFF00000100007F:"


@pytest.mark.slow
@pytest.mark.parametrize("how", few_by_day(["local", "job"], "local"))
def test_one_node_listens_on_loopback_alone(how: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, how, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said, *after = done.stdout.splitlines()
    nodes, *places = said.split()
    assert nodes == "1"
    assert places, "Ray listens somewhere"
    assert [place for place in places if not place.startswith((V4, V6, MAPPED))] == []
    if how == "local":  # no process of Ray is left, and one of our own has its own exit code
        assert after == ["LEFT", "OURS 3 True"]


@pytest.mark.slow
def test_a_program_that_uses_ray_itself_is_told_to_end_that_first() -> None:
    program = (
        "import ray; ray.init(num_cpus=1, include_dashboard=False); from vmsbench.errors import UserError\n"
        "from vmsbench.ray_backend.session import local_cluster\n"
        "try:\n    with local_cluster(1, 0): print('started')\n"
        "except UserError as error: print(error); ray.shutdown()\n"
        "with local_cluster(1, 0): print('started')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    refused, started = done.stdout.splitlines()
    assert refused.endswith("call ray.shutdown() before it")
    assert started == "started"


def test_rays_paragraphs_about_lost_nodes_are_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    from vmsbench.ray_backend.session import ray_worker

    ray_worker.print_to_stdstream(SAID, ignore_prefix=False)
    assert capfd.readouterr() == ("", "")
