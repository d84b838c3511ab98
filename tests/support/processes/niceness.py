"""Run by test_niceness.py in a process of its own: what a trial's process is given, on this machine and on a node."""

import json
import os
import sys
from pathlib import Path

from vmsbench.ray_backend.cluster import head, token_file


def of_a_trial() -> tuple[int, str | None]:
    """The niceness of a worker's process, on top of the driver's, and how its threads wait."""
    import ray

    def seen() -> tuple[int, str | None]:
        return os.getpriority(os.PRIO_PROCESS, 0), os.environ.get("OMP_WAIT_POLICY")

    niceness, policy = ray.get(ray.remote(seen).remote())
    return niceness - os.getpriority(os.PRIO_PROCESS, 0), policy


def on_this_machine() -> list[tuple[int, str | None]]:
    from vmsbench.ray_backend.session import local_cluster

    with local_cluster(1, 0):
        usual = of_a_trial()
    with local_cluster(1, 0, niceness=2):
        return [usual, of_a_trial()]


def on_a_node(folder: Path) -> list[tuple[int, str | None]]:
    from vmsbench.ray_backend.session import joined

    token = token_file(folder)
    with head("127.0.0.1", token, "test", 1, 0, niceness=2) as address, joined(address, token):
        return [of_a_trial()]


if __name__ == "__main__":
    print(json.dumps(on_a_node(Path(sys.argv[1])) if sys.argv[1:] else on_this_machine()))
