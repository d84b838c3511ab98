"""What each node of a Slurm job contributes: totals (--gpus, --ntasks) are split as Slurm likes, not evenly."""

import re

from vmsbench.launch.slurm.commands import ask

PART = re.compile(r"\bNodes=(\S+) CPU_IDs=(\S+) Mem=\S* GRES=(\S*)")
GPUS = re.compile(r"\bgpu(?::[^:,(]+)?:(\d+)")


def node_shares(job: str) -> dict[str, tuple[int, int]]:
    """CPUs and GPUs of each node of a job, by its name; empty where Slurm does not say."""
    said = ask("scontrol", "show", "job", job, "--oneliner", "--details") or ""
    found: dict[str, tuple[int, int]] = {}
    for listed, cpus, gres in PART.findall(said):
        share = (counted(cpus), sum(map(int, GPUS.findall(gres))))
        names = ask("scontrol", "show", "hostnames", listed) if "[" in listed or "," in listed else listed
        found |= dict.fromkeys((names or "").split(), share)
    return found


def counted(numbers: str) -> int:
    """How many there are in `0-3,8`."""
    ranges = (part.partition("-") for part in numbers.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)
