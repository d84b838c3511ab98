"""The continuation of a job that its site does not requeue: a job that asks for what the first one asked for.

The flags are read from Slurm, as some were given on sbatch's command line or by the site. The batch script's own lines
are left out where Slurm has shown the flag, and stay where it does not, as --signal and --mail-type.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

Facts = Mapping[str, str]

NOTHING = ("", "(null)", "N/A", "*", "0:0:*:*")
PLAIN = {
    "job-name": "JobName",
    "account": "Account",
    "partition": "Partition",
    "qos": "QOS",
    "nodes": "NumNodes",
    "ntasks": "NumTasks",
    "time": "TimeLimit",
    "time-min": "TimeMin",
    "constraint": "Features",
    "reservation": "Reservation",
    "licenses": "Licenses",
    "network": "Network",
    "comment": "Comment",
    "wckey": "WCKey",
    "nodelist": "ReqNodeList",
    "mem": "MinMemoryNode",
    "mem-per-cpu": "MinMemoryCPU",
    "output": "StdOut",
    "chdir": "WorkDir",
}
"""Flags that Slurm shows as they were given; of these zero is a value."""
COUNTS = {"nice": "Nice", "tmp": "MinTmpDiskNode", "core-spec": "CoreSpec", "thread-spec": "ThreadSpec"}
"""Flags of which zero is none."""
PER_GPU = {
    "gpus": "TresPerJob",
    "gpus-per-socket": "TresPerSocket",
    "gpus-per-task": "TresPerTask",
    "cpus-per-gpu": "CpusPerTres",
    "mem-per-gpu": "MemPerTres",
}
SHARING = {"NO": "exclusive", "USER": "exclusive=user", "MCS": "exclusive=mcs", "YES": "oversubscribe"}
OTHERS = (
    *("array", "contiguous", "cpus-per-task", "dependency", "exclude", "exclusive", "gres", "gpus-per-node", "mincpus"),
    *("ntasks-per-node", "oversubscribe", "requeue", "no-requeue", "error"),
)
SHORT = {
    **{"a": "array", "A": "account", "c": "cpus-per-task", "C": "constraint", "d": "dependency", "D": "chdir"},
    **{"e": "error", "G": "gpus", "J": "job-name", "L": "licenses", "n": "ntasks", "N": "nodes", "o": "output"},
    **{"p": "partition", "q": "qos", "s": "oversubscribe", "S": "core-spec", "t": "time", "w": "nodelist"},
    "x": "exclude",
}
SHOWN = frozenset({*PLAIN, *COUNTS, *PER_GPU, *OTHERS})


def continuation_flags(facts: Facts, job: str, exclude: Sequence[str]) -> list[str]:
    """sbatch's flags for a job like the one of these facts (`scontrol show job`) that starts after it.

    job      its number; ARRAY_TASK of an array, of which the task alone continues
    exclude  nodes to leave out, where the job does not name its nodes
    """
    flags: dict[str, str | None] = {"dependency": f"afterany:{job}"}
    flags |= {flag: facts.get(name) for flag, name in PLAIN.items()}
    flags |= {flag: nonzero(facts.get(name)) for flag, name in COUNTS.items()}
    flags |= {flag: gres(facts.get(name)).removeprefix("gpu:") for flag, name in PER_GPU.items()}
    flags["gres"] = gres(facts.get("TresPerNode"))
    flags["cpus-per-task"] = None if flags["cpus-per-gpu"] else facts.get("CPUs/Task")
    flags["ntasks-per-node"] = nonzero(facts.get("NtasksPerN:B:S:C", "").partition(":")[0])
    flags["exclude"] = ",".join(excluded(facts, exclude))
    flags["array"] = job.partition("_")[2]
    if flags["mem-per-gpu"]:
        flags["mem"] = flags["mem-per-cpu"] = None
    words = [SHARING[facts["OverSubscribe"]]] if facts.get("OverSubscribe") in SHARING else []
    words += ["contiguous"] if facts.get("Contiguous") == "1" else []
    return [f"--{flag}={value}" for flag, value in flags.items() if given(value)] + [f"--{word}" for word in words]


def given(value: str | None) -> bool:
    return value is not None and value not in NOTHING


def nonzero(value: str | None) -> str | None:
    return None if value == "0" else value


def excluded(facts: Facts, more: Sequence[str]) -> list[str]:
    """The nodes that the job left out; and more of them, where it does not name its own."""
    before = facts.get("ExcNodeList", "")
    return [*([before] if given(before) else []), *([] if given(facts.get("ReqNodeList")) else more)]


def gres(shown: str | None) -> str:
    """`gres:gpu:a100:2`, or `gres/gpu:a100=2` as later versions write it, as a flag takes it: `gpu:a100:2`."""
    return re.sub(r"gres[:/]", "", shown).replace("=", ":") if shown is not None and given(shown) else ""


def without_shown(script: str) -> str:
    """A batch script without the flags that `continuation_flags` gives: some exclude each other."""
    return "".join(f"{line}\n" for line in map(kept_line, script.splitlines()) if line is not None)


def kept_line(line: str) -> str | None:
    """A line of a batch script with the flags that Slurm does not show; None where nothing is left of it."""
    if not line.startswith("#SBATCH"):
        return line
    words = [shlex.join(flag) for flag in flags_of(line) if name_of(flag[0]) not in SHOWN]
    return f"#SBATCH {' '.join(words)}" if words else None


def flags_of(line: str) -> Iterator[list[str]]:
    """The flags of an #SBATCH line, each with its value where that is a word of its own."""
    flag: list[str] = []
    for word in shlex.split(line.removeprefix("#SBATCH"), comments=True):
        if word.startswith("-") and flag:
            yield flag
            flag = []
        flag.append(word)
    if flag:
        yield flag


def name_of(word: str) -> str:
    """The long name of a flag: `-N2`, `--nodes=2`."""
    return word[2:].partition("=")[0] if word.startswith("--") else SHORT.get(word[1:2], word)


def batch_arguments(facts: Facts, command: Sequence[str]) -> list[str]:
    """The arguments that the batch script was given, which Slurm shows without their quotes: they are the last words of
    vmsbench's command where the script passes them on."""
    words = facts.get("Command", "").split(" ", 1)[1:]
    rest = words[0] if words else ""
    ends = (list(command[at:]) for at in range(len(command)))
    return next((end for end in ends if " ".join(end) == rest), rest.split())
