"""What a Slurm cluster says of itself: its name, its partitions with their GPUs and limits, the user's accounts."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from vmsbench.launch.slurm.commands import ask, call
from vmsbench.launch.slurm.flags import seconds_of, time_text
from vmsbench.processes import user_name

NAME = re.compile(r"^ClusterName\s*=\s*(\S+)", re.MULTILINE)
GPUS = re.compile(r"\bgpu:(?:([^:,()|]+):)?(\d+)")
FIELD = re.compile(r"(\w+)=(\S*)")
PATIENCE = 10.0
"""Seconds that Slurm has for each question: one that is slow answers them all, one that is away is asked once."""


@dataclass(frozen=True)
class Partition:
    """One partition, as the user sees it.

    seconds   of its longest job; infinite where it has no limit
    cpus      of its smallest node
    gpus      the most of a node, by type; the type is empty where the site names none
    accounts  that may use it; empty where all may
    """

    name: str
    default: bool
    seconds: float
    nodes: int
    cpus: int
    gpus: Mapping[str, int] = field(default_factory=dict)
    accounts: tuple[str, ...] = ()

    @property
    def described(self) -> str:
        gpus = " or ".join(f"{count}{f' {kind}' if kind else ''}" for kind, count in self.gpus.items())
        limit = "no time limit" if math.isinf(self.seconds) else f"jobs of at most {time_text(self.seconds)}"
        return f"nodes: {self.nodes}, GPUs on one: {gpus or 'none'}, {limit}"


@dataclass(frozen=True)
class Inventory:
    """The partitions that are up, in the order in which they are tried; the user's accounts, the default one first."""

    cluster: str
    partitions: tuple[Partition, ...]
    accounts: tuple[str, ...]


def cluster_name() -> str | None:
    """ClusterName of slurm.conf; None where Slurm does not say."""
    found = NAME.search(ask("scontrol", "show", "config", patience=5) or "")
    return found[1] if found else None


def read() -> Inventory:
    """Ask Slurm. Raises Refused where its commands are not here, NoAnswer where it does not answer."""
    found = NAME.search(call("scontrol", "show", "config", patience=PATIENCE, pauses=()))
    nodes = node_groups(call("sinfo", "--noheader", "--format=%R|%D|%c|%G", patience=PATIENCE, pauses=()))
    shown = call("scontrol", "show", "partition", "--oneliner", patience=PATIENCE, pauses=())
    return Inventory(found[1] if found else "unknown", partitions(shown, nodes), accounts())


Group = tuple[int, int, Mapping[str, int]]
"""Nodes, the CPUs of each, the GPUs of each by type."""


def node_groups(said: str) -> dict[str, list[Group]]:
    """The groups of equal nodes of each partition, of sinfo's lines `partition|nodes|cpus|gres`."""
    found: dict[str, list[Group]] = {}
    for line in said.splitlines():
        name, *facts = line.strip().split("|")
        if len(facts) == 3 and facts[0].isdigit():
            cpus = re.match(r"\d+", facts[1])
            gpus = {kind: int(count) for kind, count in GPUS.findall(facts[2])}
            found.setdefault(name, []).append((int(facts[0]), int(cpus[0]) if cpus else 1, gpus))
    return found


def partitions(shown: str, nodes: Mapping[str, list[Group]]) -> tuple[Partition, ...]:
    """Those that are up, of `scontrol show partition --oneliner`: with GPUs first, then the default, then by the
    length of their jobs, then by size."""
    lines = [dict(FIELD.findall(line)) for line in shown.splitlines() if line.startswith("PartitionName=")]
    found = [partition(facts, nodes.get(facts["PartitionName"], [])) for facts in lines if facts.get("State") == "UP"]
    return tuple(sorted((one for one in found if one.nodes), key=rank))


def rank(one: Partition) -> tuple[object, ...]:
    return (not one.gpus, not one.default, one.seconds < 8 * 3600, -one.nodes, one.name)


def partition(facts: Mapping[str, str], groups: list[Group]) -> Partition:
    gpus: dict[str, int] = {}
    for _, _, there in groups:
        gpus |= {kind: max(count, gpus.get(kind, 0)) for kind, count in there.items()}
    allowed = facts.get("AllowAccounts", "ALL")
    return Partition(
        facts["PartitionName"],
        default=facts.get("Default") == "YES",
        seconds=seconds(facts.get("MaxTime", "UNLIMITED")),
        nodes=sum(count for count, _, _ in groups),
        cpus=min((cpus for _, cpus, _ in groups), default=1),
        gpus=gpus,
        accounts=() if allowed == "ALL" else tuple(allowed.split(",")),
    )


def seconds(limit: str) -> float:
    return seconds_of(limit) if re.fullmatch(r"[\d:-]+", limit) else math.inf


def accounts() -> tuple[str, ...]:
    """The user's accounts, the default one first; empty where there is no accounting."""
    user = user_name()
    form = ("--noheader", "--parsable2", "show")
    usual = of_user(user, ask("sacctmgr", *form, "user", user, "format=User,DefaultAccount", patience=PATIENCE))
    every = of_user(
        user, ask("sacctmgr", *form, "associations", f"user={user}", "format=User,Account", patience=PATIENCE)
    )
    return tuple(dict.fromkeys([*(one for one in usual if one in every), *every]))


def of_user(user: str, said: str | None) -> list[str]:
    """What follows in the lines `user|...`: a site's own command may print more around them."""
    lines = (line.strip().partition("|") for line in (said or "").splitlines())
    return [rest for name, _, rest in lines if name == user and re.fullmatch(r"[\w.@-]+", rest)]
