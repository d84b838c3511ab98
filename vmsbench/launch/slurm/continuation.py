"""The continuation of a job that its site does not requeue: a job that asks for what the first one asked for, or for
more of what that had too little of.

The flags are read from Slurm, as some were given on sbatch's command line or by the site. The batch script's own lines
are left out where Slurm has shown the flag, and stay where it does not, as --signal.
"""

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from vmsbench.launch.slurm.flags import seconds_of, time_text

Facts = Mapping[str, str]

GROWTH = 2
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
    "nodelist": "ReqNodeList",
    "mem": "MinMemoryNode",
    "mem-per-cpu": "MinMemoryCPU",
    "output": "StdOut",
    "error": "StdErr",
    "chdir": "WorkDir",
}
"""Flags that Slurm shows as they were given; of these zero is a value."""
LATER = {"prefer": "Prefer", "batch": "BatchFeatures", "mail-user": "MailUser", "mail-type": "MailType"}
"""Likewise, but only later versions show them: they stay in the script too."""
COUNTS = {"nice": "Nice", "tmp": "MinTmpDiskNode", "core-spec": "CoreSpec", "thread-spec": "ThreadSpec"}
"""Flags of which zero is none."""
PARTS = {
    "ntasks-per-node": ("NtasksPerN:B:S:C", 0),
    "ntasks-per-socket": ("NtasksPerN:B:S:C", 2),
    "ntasks-per-core": ("NtasksPerN:B:S:C", 3),
    "ntasks-per-gpu": ("NtasksPerTRES", 0),
    "sockets-per-node": ("Socks/Node", 0),
    "cores-per-socket": ("ReqB:S:C:T", 2),
    "threads-per-core": ("ReqB:S:C:T", 3),
}
"""Flags that are one part of a field, and which."""
PER_GPU = {
    "gpus": "TresPerJob",
    "gpus-per-socket": "TresPerSocket",
    "gpus-per-task": "TresPerTask",
    "cpus-per-gpu": "CpusPerTres",
    "mem-per-gpu": "MemPerTres",
}
LAYOUT = ("sockets-per-node", "cores-per-socket", "threads-per-core", "ntasks-per-core")
EXCLUDES = {"hint": LAYOUT, "extra-node-info": LAYOUT, "ntasks-per-tres": ("ntasks-per-gpu",)}
"""Flags that stay in the script, and those that sbatch refuses next to each: Slurm shows what they mean as these."""
WORDS = {
    **{("Contiguous", "1"): "contiguous", ("Reboot", "1"): "reboot", ("SpreadJob", "Yes"): "spread-job"},
    ("GresEnforceBind", "Yes"): "gres-flags=enforce-binding",
    ("GresEnforceBind", "No"): "gres-flags=disable-binding",
}
"""Flags by a field and its value."""
SHARING = {"NO": "exclusive", "USER": "exclusive=user", "MCS": "exclusive=mcs", "YES": "oversubscribe"}
OTHERS = (
    *("array", "contiguous", "cpus-per-task", "dependency", "exclude", "exclusive", "gres", "gpus-per-node", "mincpus"),
    *("ntasks-per-node", "oversubscribe", "requeue", "no-requeue", "tres-per-task", "wckey"),
)
OF_SUBMISSION = ("begin", "hold", "wait")
"""Flags of one submission, which a continuation is without: `wait` holds sbatch's answer back until the job is over."""
SHORT = {
    **{"a": "array", "A": "account", "c": "cpus-per-task", "C": "constraint", "d": "dependency", "D": "chdir"},
    **{"e": "error", "G": "gpus", "J": "job-name", "L": "licenses", "n": "ntasks", "N": "nodes", "o": "output"},
    **{"p": "partition", "q": "qos", "s": "oversubscribe", "S": "core-spec", "t": "time", "w": "nodelist"},
    **{"x": "exclude", "b": "begin", "H": "hold", "W": "wait", "B": "extra-node-info"},
}
LEFT_OUT = frozenset({*PLAIN, *COUNTS, *PER_GPU, *OTHERS, *OF_SUBMISSION}) - {"partition"}
"""Flags that leave the script; a list of partitions stays for the next continuation, and the command line wins."""
OTHER_TRES = re.compile(r"(cpu|mem|node|billing|energy|vmem|pages|(bb|fs|ic|license)/.*)([:=]|$)")
"""Parts of a TRES list that are no GRES; versions before 20.11 write a GRES without `gres`."""


def continuation_flags(facts: Facts, job: str, exclude: Sequence[str]) -> list[str]:
    """sbatch's flags for a job like the one of these facts (`scontrol show job`) that starts after it.

    job      its number; ARRAY_TASK of an array, of which the task alone continues
    exclude  nodes to leave out, where the job does not name its nodes
    """
    flags: dict[str, str | None] = {"dependency": f"afterany:{job}"}
    flags |= {flag: facts.get(name) for flag, name in (PLAIN | LATER).items()}
    flags |= {flag: nonzero(facts.get(name)) for flag, name in COUNTS.items()}
    flags |= {flag: of_gpus(facts.get(name)) for flag, name in PER_GPU.items()}
    flags |= {flag: part(facts.get(name), at) for flag, (name, at) in PARTS.items()}
    flags["gres"] = gres(facts.get("TresPerNode"))
    flags["cpus-per-task"] = None if flags["cpus-per-gpu"] else facts.get("CPUs/Task")
    flags["mincpus"] = least_cpus(facts)
    flags["switches"] = facts.get("Switches", "").removesuffix("@UNLIMITED")
    flags["deadline"] = facts["Deadline"] if re.match(r"\d{4}-", facts.get("Deadline", "")) else None
    flags["delay-boot"] = None if facts.get("DelayBoot") == "00:00:00" else facts.get("DelayBoot")
    flags["input"] = None if facts.get("StdIn") == "/dev/null" else facts.get("StdIn")
    flags["wckey"] = None if facts.get("WCKey", "").startswith("*") else facts.get("WCKey")  # *: the user's default
    flags["error"] = None if facts.get("StdErr") == facts.get("StdOut") else facts.get("StdErr")
    flags["exclude"] = ",".join(excluded(facts, exclude))
    flags["array"] = job.partition("_")[2]
    if flags["mem-per-gpu"]:
        flags["mem"] = flags["mem-per-cpu"] = None
    if flags["ntasks-per-gpu"]:
        flags["ntasks-per-node"] = None
    words = [SHARING[facts["OverSubscribe"]]] if facts.get("OverSubscribe") in SHARING else []
    words += [word for (name, value), word in WORDS.items() if facts.get(name) == value]
    return [f"--{flag}={value}" for flag, value in flags.items() if given(value)] + [f"--{word}" for word in words]


def beside_script(flags: Sequence[str], script: str) -> list[str]:
    """The flags without those that the script's own EXCLUDES."""
    excluded = {name for flag in head_flags(script) for name in EXCLUDES.get(name_of(flag[0]), ())}
    return [flag for flag in flags if name_of(flag) not in excluded]


def least_cpus(facts: Facts) -> str | None:
    """--mincpus: where it is more than the CPUs of a node's tasks, or of its GPUs, to which Slurm raises it anyway."""
    per_gpu = part(of_gpus(facts.get("CpusPerTres")), 0)
    tasks = int(part(facts.get("NtasksPerN:B:S:C"), 0) or 1)
    own = int(per_gpu) * gpus_of_node(facts) if per_gpu else int(part(facts.get("CPUs/Task"), 0) or 1) * tasks
    least = part(facts.get("MinCPUsNode"), 0)
    return least if least is not None and int(least) > max(own, 1) else None


def part(shown: str | None, at: int) -> str | None:
    """A part of `1:0:*:*`; None where that is no number, or one that means none to Slurm: 0, 65534, 65535."""
    parts = (shown or "").split(":")
    found = parts[at] if at < len(parts) and parts[at].isdecimal() else "0"
    return found if 0 < int(found) < 65534 else None


def asked_for(facts: Facts) -> dict[str, Any]:
    """The time and the memory, in GB of each node, that a job asked for; memory is None where Slurm shows none, or
    in no known form: a job of --mem=0 has all of its node."""
    limit = facts.get("TimeLimit", "")
    name, count = memory_form(facts)
    each = gigabytes(of_gpus(facts.get(name)) if name == "MemPerTres" else facts.get(name))
    return {
        "time": limit if re.fullmatch(r"[\d:-]+", limit) else None,
        "memory": each * count if each and count else None,
    }


def memory_form(facts: Facts) -> tuple[str, int]:
    """The field that has the memory which a job asked for, and how many times a node has it: 0 where unknown."""
    if given(facts.get("MemPerTres")):
        return "MemPerTres", gpus_of_node(facts)
    if gigabytes(facts.get("MinMemoryCPU")):
        cpus = re.match(r"\d+", facts.get("CPUs/Task", ""))
        return "MinMemoryCPU", int(cpus[0]) if cpus else 0
    return "MinMemoryNode", 1


def gpus_of_node(facts: Facts) -> int:
    """The GPUs that a job asked for on each node; 0 where it asked in another form."""
    shown = facts.get("TresPerNode") or (facts.get("TresPerJob") if facts.get("NumNodes") == "1" else "")
    counts = (part.rpartition(":")[2] for part in of_gpus(shown).split(",") if part)
    return sum(int(count) if count.isdecimal() else 1 for count in counts)  # a type alone is one of it


def gigabytes(shown: str | None) -> float | None:
    """Memory as Slurm shows it, `500M`; None where it shows none."""
    found = re.fullmatch(r"([\d.]+)([KMGT]?)", shown or "")
    sizes = {"K": 1 / 1024**2, "": 1 / 1024, "M": 1 / 1024, "G": 1.0, "T": 1024.0}
    return float(found[1]) * sizes[found[2]] or None if found else None


def grown(
    cause: str, asked: Mapping[str, Any], most_time: str | int | None, most_memory: float | None
) -> dict[str, Any]:
    """The setting of the next job where the last one was killed for want of time or memory: GROWTH times as much, at
    most what is allowed; empty where that is no more.

    cause  the setting that was too small
    asked  what the last job asked for: `time`, and `memory` in GB, None where that was the site's default
    """
    if cause == "time" and most_time is not None and asked.get("time"):
        before, most = seconds_of(str(asked["time"])), seconds_of(str(most_time))
        return {"time": time_text(min(GROWTH * before, most))} if before < most else {}
    if cause == "memory" and most_memory is not None:
        own = asked.get("memory")
        more = most_memory if own is None else min(GROWTH * float(own), most_memory)
        return {"memory": more} if own is None or more > own else {}
    return {}


def larger_facts(facts: Facts, more: Mapping[str, Any]) -> Facts:
    """The facts of a job that asks for more time or memory, in the form in which it asked for memory."""
    changed = {"TimeLimit": str(more["time"])} if "time" in more else {}
    if "memory" in more:
        name, count = memory_form(facts)
        each = f"{math.ceil(more['memory'] / count * 1024)}M"
        changed[name] = f"gres:gpu:{each}" if name == "MemPerTres" else each
    return {**facts, **changed}


def given(value: str | None) -> bool:
    return value is not None and value not in NOTHING


def nonzero(value: str | None) -> str | None:
    return None if value == "0" else value


def excluded(facts: Facts, more: Sequence[str]) -> list[str]:
    """The nodes that the job left out; and more of them, where it does not name its own."""
    before = facts.get("ExcNodeList", "")
    return [*([before] if given(before) else []), *([] if given(facts.get("ReqNodeList")) else more)]


def gres(shown: str | None) -> str:
    """The GRES of `cpu=8,gres:gpu:a100:2`, or of `cpu:8,gres/gpu:a100=2` as later versions write it, as a flag takes
    them: `gpu:a100:2`."""
    parts = shown.split(",") if shown is not None and given(shown) else []
    return ",".join(re.sub(r"^gres[:/]", "", part).replace("=", ":") for part in parts if not OTHER_TRES.match(part))


def of_gpus(shown: str | None) -> str:
    """The part of the GPUs, as a flag for GPUs takes it: `a100:2`, or `1` where Slurm shows no number."""
    names = [part.partition(":") for part in gres(shown).split(",")]
    return ",".join(rest or "1" for name, _, rest in names if name == "gpu")


def with_partitions(facts: Facts, script: str) -> Facts:
    """The facts with all partitions that the job may run in: of a list, Slurm shows the one in which it runs."""
    lists = [value_of(flag) for flag in head_flags(script) if name_of(flag[0]) == "partition"]
    return {**facts, "Partition": lists[-1]} if lists and facts.get("Partition") in lists[-1].split(",") else facts


def head_flags(script: str) -> list[list[str]]:
    """The flags of a batch script's #SBATCH lines, up to its first command: sbatch reads no further."""
    head = takewhile(lambda line: not line.strip() or line.startswith("#"), script.splitlines())
    return [flag for line in head if line.startswith("#SBATCH") for flag in flags_of(line)]


def value_of(flag: list[str]) -> str:
    """The value of a flag: `-p a`, `-pa`, `--partition=a`, `--partition a`."""
    word = flag[0]
    return flag[1] if len(flag) > 1 else word.partition("=")[2] if word.startswith("--") else word[2:]


def without_shown(script: str) -> str:
    """A batch script without the flags that `continuation_flags` gives: some exclude each other."""
    return "".join(f"{line}\n" for line in map(kept_line, script.splitlines()) if line is not None)


def kept_line(line: str) -> str | None:
    """A line of a batch script without the flags that are LEFT_OUT; None where nothing is left of it."""
    if not line.startswith("#SBATCH"):
        return line
    words = [shlex.join(flag) for flag in flags_of(line) if name_of(flag[0]) not in LEFT_OUT]
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
    rest = after_script(facts.get("Command", ""))
    ends = (list(command[at:]) for at in range(len(command)))
    return next((end for end in ends if " ".join(end) == rest), rest.split())


def after_script(shown: str) -> str:
    """What follows the script's path, which may have spaces: of the beginnings, the shortest that is a file."""
    ends = [found.start() for found in re.finditer(" |$", shown)]
    end = next((end for end in ends if Path(shown[:end]).is_file()), ends[0])
    return shown[end + 1 :]
