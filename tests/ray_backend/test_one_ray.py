"""Sweeps in a row may share the Ray that the first of them starts."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os
from pathlib import Path
from vmsbench.processes import descendants
from vmsbench.ray_backend.resources import one_ray, ray_for
from vmsbench.ray_backend.slots import Slots

def node(cpus):
    with ray_for(Slots(cpus, 0), Path()):
        import ray
        return ray.get_runtime_context().get_node_id()

with one_ray():
    first = node(1)
    print(node(1) == first, node(2) == first, bool(descendants(os.getpid())))
print(*descendants(os.getpid()))
"""


@pytest.mark.slow
def test_one_ray_serves_sweeps_that_ask_for_as_much_and_ends_after_them() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True False True\n\n"
