"""Run by test_memory.py in a process of its own: the pages that the kernel hands out for memory that was freed before.

The words after it are an experiment's config.json and a new folder, in which it is trained first; or the folder of one
that is trained, which is loaded first; or none.
"""

import resource
import sys
from pathlib import Path

from vmsbench.processes import control, keep_freed_memory

BLOCK, BLOCKS, TURNS = 8 << 20, 6, 10
SET_THP_DISABLE = 41  # of prctl: with huge pages, one fault covers 512 pages


def allocate() -> None:
    """Take and free more at once than glibc keeps by itself."""
    blocks = [bytearray(b"x") * BLOCK for _ in range(BLOCKS)]
    del blocks


def faults() -> int:
    allocate()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TURNS):
        allocate()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


if __name__ == "__main__":
    control(SET_THP_DISABLE, 1)
    match sys.argv[1:]:
        case [config, folder]:
            from vmsbench.experiment import run
            from vmsbench.files import read_json

            run(read_json(Path(config)), folder)
        case [folder]:
            from vmsbench.inference.predictor import load

            load(Path(folder), "cpu")
        case []:
            keep_freed_memory()
    print(faults())
