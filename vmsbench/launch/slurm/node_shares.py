"""What each node of a Slurm job contributes: totals (--gpus, --ntasks) are split as Slurm likes, not evenly."""

import re
from itertools import product

from vmsbench.launch.slurm.commands import ask

PART = re.compile(r"\bNodes=(\S+) CPU_IDs=(\S+) Mem=\S* GRES=(\S*)")
GPUS = re.compile(r"\bgpu(?::[^:,(]+)?:(\d+)")


def node_shares(job: str) -> dict[str, tuple[int, int]]:
    """CPUs and GPUs of each node of a job, by its name; empty where Slurm does not say."""
    said = ask("scontrol", "show", "job", job, "--oneliner", "--details") or ""
    found: dict[str, tuple[int, int]] = {}
    for listed, cpus, gres in PART.findall(said):
        share = (counted(cpus), sum(map(int, GPUS.findall(gres))))
        found |= dict.fromkeys(node_names(listed), share)
    return found


def node_names(listed: str) -> list[str]:
    """The nodes of a list in Slurm's form, `n[08-10,12],login1`. It is read here, as `scontrol show hostnames` may be
    a site's own, which prints more than names."""
    names = re.findall(r"(?:[^,\[]|\[[^]]*\])+", listed)
    return ["".join(parts) for name in names for parts in product(*map(spelled, re.split(r"(\[[^]]*\])", name)))]


def spelled(part: str) -> list[str]:
    """The numbers of `[08-10,12]`, as wide as the first; else the part itself."""
    if not part.startswith("["):
        return [part]
    ranges = [one.partition("-") for one in part[1:-1].split(",")]
    return [
        f"{number:0{len(first)}d}" for first, _, last in ranges for number in range(int(first), int(last or first) + 1)
    ]


def counted(numbers: str) -> int:
    """How many there are in `0-3,8`."""
    ranges = (part.partition("-") for part in numbers.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)
