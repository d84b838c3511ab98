"""Run by test_memory.py in a process of its own: the pages that the kernel hands out for memory that was freed before.

The words after it are an experiment's config.json and a new folder, in which it is trained first; or the folder of one
that is trained, which is loaded first; or none.
"""

import resource
import sys
from pathlib import Path

from vmsbench.processes import keep_freed_memory

BLOCK, BLOCKS, TURNS = 8 << 20, 6, 10


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
