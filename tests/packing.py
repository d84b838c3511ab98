"""Run by test_packing.py in a process of its own: trials that wait for each other, on GPUs that Ray only counts."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.test_sweep import CONFIG
from tests.tiny import dataset as tiny
from vmsbench.data.pairs import Dataset
from vmsbench.experiment import with_settings
from vmsbench.tuning.coordinate import CoordinateSearch
from vmsbench.tuning.space import Coordinate, Space
from vmsbench.tuning.stopping import Never
from vmsbench.tuning.sweep import Sweep
from vmsbench.tuning.work import Watcher

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
    from vmsbench.tuning.ray_driver import Slots, drive, local_cluster

    meeting = folder / "meeting"
    meeting.mkdir()
    data = {"_target_": "tests.packing.dataset", "root": str(meeting), "cache": None, "digest": "tiny"}
    config = with_settings(CONFIG, {"data": data, "trainer.epochs": 1, "trainer.clip": 0.5})
    space = Space([Coordinate("trainer.clip", [0.5 + n for n in range(AT_ONCE)])], config)
    sweep = Sweep(folder, space, CoordinateSearch(space), Watcher())
    slots = Slots(cpus=8, gpus=4, cpus_per_trial=1, gpus_per_trial=0.5)
    with local_cluster(slots.cpus, slots.gpus):
        finished = drive(sweep, Never(), slots, Watcher(), "crps", 1)
    print(f"finished {finished}, at once {slots.count}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
