"""Run by test_packing.py in a process of its own: trials that wait for each other, on GPUs that Ray only counts."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.sweeps.in_process import CONFIG
from tests.support.tiny import dataset as tiny
from vmsbench.config.settings import with_settings
from vmsbench.data.pairs import Dataset
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.pruners import NoPruner
from vmsbench.search.space import Parameter, Space
from vmsbench.sweep.sweep import Sweep
from vmsbench.sweep.trial import Callback

AT_ONCE = 8


def dataset(root: str, cache: Any, digest: str) -> Dataset:
    """Says on which GPU it is, and waits until eight have said so."""
    own = Path(root) / f"{os.getpid()}-{time.time_ns()}"
    own.write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    deadline = time.monotonic() + 240
    while len(list(Path(root).iterdir())) < AT_ONCE:
        if time.monotonic() > deadline:
            raise TimeoutError(f"fewer than {AT_ONCE} trials ran at once")
        time.sleep(0.1)
    return tiny()


def main(folder: Path) -> None:
    from vmsbench.ray_backend.driver import run_trials
    from vmsbench.ray_backend.session import local_cluster
    from vmsbench.ray_backend.slots import Slots

    meeting = folder / "meeting"
    meeting.mkdir()
    data = {
        "_target_": "tests.support.processes.packing.dataset",
        "root": str(meeting),
        "cache": None,
        "digest": "tiny",
    }
    config = with_settings(CONFIG, {"data": data, "trainer.epochs": 1, "trainer.clip": 0.5})
    space = Space([Parameter("trainer.clip", [0.5 + n for n in range(AT_ONCE)])], config)
    sweep = Sweep(folder, space, CoordinateSearch(space), Callback())
    slots = Slots(cpus=8, gpus=4, cpus_per_trial=1, gpus_per_trial=0.5)
    with local_cluster(slots.cpus, slots.gpus):
        finished = run_trials(sweep, NoPruner(), slots, Callback(), "crps", 1)
    print(f"finished {finished}, at once {slots.count}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
