"""Which settings a Slurm site accepts: each is tried by `sbatch --test-only`, which submits nothing."""

import math
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from vmsbench.errors import ConfigurationError, UserError
from vmsbench.launch.launcher import Launcher, NoAnswer, Refused, Survey, SurveyLine
from vmsbench.launch.slurm.flags import checked_time, seconds_of, time_text
from vmsbench.launch.slurm.site.inventory import Inventory, Partition, read

Settings = Mapping[str, Any]
FORMS = ("gpus-per-node", "gres", "gpus")
MEMORY_FORMS = ("mem", "mem-per-cpu")
USUAL_TIME = 8 * 3600
CPUS = 4
USUAL = {"cpus": CPUS, "gpus": 1}
"""What the launcher asks for by default, and is not written."""
ABOUT_ACCOUNT = re.compile(r"account|association|qos", re.IGNORECASE)
TRIES = 60
"""How many jobs are tried at most: a site with many partitions is asked for a minute, not for an hour."""


def survey(make: Callable[..., Launcher], known: Settings, profile: Settings) -> Survey:
    """Ask Slurm, and try what it says.

    make     a launcher of these settings
    known    the user's settings, which are kept
    profile  the site's, which are tried first
    Raises UserError where Slurm is not here, does not answer, or accepts no job.
    """
    if shutil.which("sbatch") is None:
        raise Refused("no cluster here (sbatch not found): run this on a cluster's login node")
    found = read()
    with tempfile.TemporaryDirectory() as folder:
        found = replace(found, partitions=in_order(found, known.get("partition"), profile.get("partition")))
        return Attempts(make, {**profile, **known, "memory": None, "folder": folder}, found, known).survey()


def in_order(found: Inventory, known: str | None, preferred: str | None) -> tuple[Partition, ...]:
    """The partitions to be tried: the user's alone, else all, the profile's first."""
    own = [one for one in found.partitions if known == one.name]
    if known is not None and not own:
        there = ", ".join(one.name for one in found.partitions)
        raise ConfigurationError(
            f"launcher.partition={known} is not a partition of {found.cluster} that is up  (there are: {there})"
        )
    return tuple(own or sorted(found.partitions, key=lambda one: one.name != preferred))


class Attempts:
    """The jobs that are tried on one cluster, and what Slurm said of each.

    known  the settings of the profile and the user's, but for memory, whose form is found last
    given  the user's alone, of which every job that is tried has all
    """

    def __init__(self, make: Callable[..., Launcher], known: Settings, found: Inventory, given: Settings) -> None:
        self.make, self.known, self.found, self.given = make, known, found, given
        self.refusals: list[str] = []
        self.tries = 0

    def survey(self) -> Survey:
        base, partition = self.first_accepted()
        memory = self.memory(base)
        settings = {name: value for name, value in {**base, **memory}.items() if value is not None}
        settings = {name: value for name, value in settings.items() if value != USUAL.get(name)}
        lines = [SurveyLine(name, value, self.words(name, partition)) for name, value in settings.items()]
        lines += [SurveyLine(name, None, self.left_out(name)) for name in ("account",) if name not in settings]
        return Survey(self.found.cluster, settings, tuple(lines), tuple(dict.fromkeys(self.refusals)))

    def first_accepted(self) -> tuple[Settings, Partition]:
        """Partition, account, GPUs and time of the first job that is accepted. Raises UserError where none is."""
        for partition, request in requests(self.known, self.found, self.given):
            for account in own_accounts(self.known, self.found, partition):
                settings = {"partition": partition.name, "account": account, **request}
                if self.accepts(settings):
                    return settings, partition
                if not ABOUT_ACCOUNT.search(self.refusals[-1].rpartition(": ")[2]):
                    break
        last = self.refusals[-1] if self.refusals else "no partition is up"
        raise UserError(
            f"cluster {self.found.cluster} accepts none of the jobs that were tried, the last one: {last}; give what "
            "is needed as `vmsbench site init launcher.partition=NAME launcher.account=NAME`"
        )

    def memory(self, base: Settings) -> Settings:
        """The form in which memory is accepted; `none` where it is not. Raises UserError where the user's memory, or
        form of it, is not."""
        preferred = [str(self.known["memory_form"])] if "memory_form" in self.known else []
        forms = preferred if "memory_form" in self.given else dict.fromkeys([*preferred, *MEMORY_FORMS])
        for form in forms:
            if self.accepts({**base, "memory_form": form, "memory": self.given.get("memory") or 1.0}):
                return {"memory_form": form}
        if "memory_form" in self.given or self.given.get("memory"):
            raise UserError(
                f"cluster {self.found.cluster} refuses {self.refusals[-1]}; leave out launcher.memory and "
                "launcher.memory_form, or give others"
            )
        return {"memory_form": "none"}

    def accepts(self, settings: Settings) -> bool:
        """Whether Slurm accepts a job of these settings. Raises NoAnswer where it does not answer."""
        if self.tries >= TRIES:
            return False
        self.tries += 1
        try:
            self.make(**{**self.known, **settings}).check()
        except NoAnswer:
            raise
        except UserError as error:
            said = str(error).partition("  (to change")[0].removeprefix("sbatch refused the job: ")
            self.refusals.append(f"{tried(settings)}: {said}")
            return False
        return True

    def words(self, name: str, partition: Partition) -> str:
        """What is said of an accepted setting."""
        if name == "partition":
            return partition.described
        if name == "gpu_type":
            return f"a type must be named here; {partition.name} has {', '.join(partition.gpus)}"
        if name == "gpu_form" and any(partition.gpus):
            return f"{partition.name} has {', '.join(partition.gpus)}; gpu_type chooses one"
        if name == "time" and math.isfinite(partition.seconds):
            return f"{partition.name} has a limit of {time_text(partition.seconds)}"
        return f"of {', '.join(self.found.accounts)}" if name == "account" and len(self.found.accounts) > 1 else ""

    def left_out(self, name: str) -> str:
        return f"accepted without {name}" if self.found.accounts else "Slurm's accounting names none for you"


def tried(settings: Settings) -> str:
    asked = {name: value for name, value in settings.items() if value is not None and name not in ("cpus", "time")}
    return ", ".join(f"{name}={value}" for name, value in asked.items())


def requests(known: Settings, found: Inventory, given: Settings) -> Iterator[tuple[Partition, Settings]]:
    """Jobs to be tried, the preferred first: with GPUs where there are some, and without where there are none, unless
    some are given. Raises ConfigurationError where the user asks for GPUs and Slurm knows of none."""
    named = given.get("gpu_form") != "none"
    usual = 1 if named and given.keys() & {"gpu_form", "gpu_type"} else None
    asked = given.get("gpus", 0 if known.get("gpus") == 0 else usual)
    there = [one for one in found.partitions if one.gpus or not named]
    if asked and not there:
        names = ", ".join(one.name for one in found.partitions)
        raise ConfigurationError(f"launcher.gpus={asked}: Slurm knows of no GPU in {names}; launcher.gpus=0 works")
    for partition in there if asked != 0 else []:
        for request in gpu_forms(known, partition, given):
            yield partition, {**request, **size(known, partition, given)}
    for partition in found.partitions if not asked else []:
        yield partition, {"gpus": 0, **size(known, partition, given)}


def gpu_forms(known: Settings, partition: Partition, given: Settings) -> Iterator[Settings]:
    """The forms of a request for one GPU, or as many as are given: without a type, where the site accepts that, in each
    form before another."""
    preferred = [str(known["gpu_form"])] if known.get("gpu_form") in FORMS else []
    types = [known["gpu_type"]] if known.get("gpu_type") else [None, *(kind for kind in partition.gpus if kind)]
    forms = [str(given["gpu_form"])] if "gpu_form" in given else dict.fromkeys([*preferred, *FORMS])
    for kind in types:
        for form in forms:
            yield {"gpus": given.get("gpus", 1), "gpu_form": form, "gpu_type": kind}


def size(known: Settings, partition: Partition, given: Settings) -> Settings:
    """CPUs and time as they are given, else what the partition's nodes and limit allow. Raises ConfigurationError for a
    time that no Slurm accepts."""
    usual = seconds_of(checked_time("launcher.time", str(known["time"]))) if "time" in known else USUAL_TIME
    cpus = min(int(known.get("cpus", CPUS)), partition.cpus)
    allowed = {"cpus": cpus, "time": time_text(min(partition.seconds, usual))}
    return allowed | {name: value for name, value in given.items() if name in allowed}


def own_accounts(known: Settings, found: Inventory, partition: Partition) -> list[str | None]:
    """The accounts to be tried, and none at the end."""
    if known.get("account"):
        return [str(known["account"])]
    return [*(one for one in found.accounts if not partition.accounts or one in partition.accounts), None]
