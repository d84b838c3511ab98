"""From the settings of launcher=slurm to sbatch's flags, and checks of settings that no Slurm accepts."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from vmsbench.errors import ConfigurationError
from vmsbench.launch.container.runtime import ALONE
from vmsbench.launch.launcher import JobResources
from vmsbench.launch.slurm.commands import EARLY

CHOICES = {
    "cluster": ("slurm", "local"),
    "gpu_form": ("gpus-per-node", "gres", "gpus", "none"),
    "memory_form": ("mem", "mem-per-cpu", "none"),
    "shape": ("allocation", "elastic"),
}
GPU_FLAGS = ("gpus-per-node", "gres", "gpus")
LEAST = {"nodes": 1, "gpus": 0, "cpus": 1, "notice": 1}
TIME = r"[1-9]\d*|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d){0,2}"


def checked_line(line: str) -> str:
    """A line of shell that ends the job where it fails: without its modules everything after it fails in odd ways."""
    said = shlex.quote(f"error: launcher.setup: `{line}` failed with exit code")
    return f'{line}\n_code=$?; [ "$_code" = 0 ] || {{ echo {said} "$_code" >&2; exit "$_code"; }}'


def check(settings: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for a setting that no Slurm accepts."""
    for name, value in (settings["extra"] or {}).items():
        if not isinstance(name, str):
            raise ConfigurationError(f"launcher.extra has {name}; the long name of a flag of sbatch is a text, as qos")
        if not isinstance(value, str | int | float | None):
            raise ConfigurationError(f"launcher.extra.{name} is {value}; it must be a text or a number")
    if "wait" in (settings["extra"] or {}):
        raise ConfigurationError(
            "launcher.extra.wait: sbatch would name no job before that is over; leave it out, --wait does the same"
        )
    for name, valid in CHOICES.items():
        if settings[name] not in valid:
            raise ConfigurationError(f"launcher.{name} is {settings[name]}; it must be one of {', '.join(valid)}")
    for name, least in LEAST.items():
        if settings[name] < least:
            raise ConfigurationError(f"launcher.{name} is {settings[name]}; it must be at least {least}")
    if settings["container"] and settings["shape"] == "allocation" and settings["nodes"] > 1:
        raise ConfigurationError(
            f"launcher.container trains on one node, launcher.nodes is {settings['nodes']}: {ALONE}"
        )
    if settings["container"] and settings["idle"]:
        raise ConfigurationError(
            "launcher.idle: from inside a container no worker can be submitted; leave one of them out"
        )
    if settings["container"] and settings["shape"] == "elastic" and not settings["requeue"]:
        raise ConfigurationError(
            "launcher.requeue=false: from inside a container no worker can be submitted for one whose time is up; "
            "leave it, launcher.container or launcher.shape=elastic out"
        )
    time, notice = str(settings["time"]), settings["notice"]
    for name in ("time", "most_time"):
        if settings[name] is not None:
            checked_time(f"launcher.{name}", str(settings[name]))
    for name, unit in {"memory": "GB of each node", "most_memory": "GB of each node", "idle": "seconds"}.items():
        if settings[name] is not None and settings[name] <= 0:
            raise ConfigurationError(f"launcher.{name} is {settings[name]}; it must be above 0, in {unit}")
    if seconds_of(time) <= notice + EARLY:
        raise ConfigurationError(
            f"launcher.time {time} leaves no time to train: a job saves {notice} s before its end, and Slurm may "
            f"signal {EARLY:.0f} s too early; ask for more by --time, or for less notice (launcher.notice)"
        )


def checked_time(name: str, value: str) -> str:
    """Raises ConfigurationError for a time that no Slurm accepts; `name` is where it is from."""
    if not re.fullmatch(TIME, value):
        raise ConfigurationError(f"{name} is {value}; write it as 90 (minutes), 8:00:00 or 1-12")
    return value


def size_flags(size: JobResources, gpu_form: str, gpu_type: str | None) -> dict[str, Any]:
    """Nodes, CPUs and GPUs, in the form that the site requires."""
    typed = f"{gpu_type}:" if gpu_type else ""
    each = f"{typed}{size.gpus}"
    forms = {"gpus-per-node": each, "gres": f"gpu:{each}", "gpus": f"{typed}{size.gpus * size.nodes}"}
    asked = {gpu_form: forms[gpu_form]} if size.gpus and gpu_form in forms else {}
    return {"nodes": size.nodes, "ntasks-per-node": 1, "cpus-per-task": size.cpus, **asked}


def memory_flags(size: JobResources, memory_form: str) -> dict[str, Any]:
    if size.memory is None or memory_form == "none":
        return {}
    gigabytes = size.memory / size.cpus if memory_form == "mem-per-cpu" else size.memory
    return {memory_form: f"{round(gigabytes * 1024)}M"}


def site_flags(
    *,
    time: str | int,
    partition: str | None,
    account: str | None,
    exclude: Sequence[str],
    requeue: bool,
    notice: int,
) -> dict[str, Any]:
    return {
        "time": time,
        "partition": partition,
        "account": account,
        "exclude": ",".join(exclude) or None,
        "requeue" if requeue else "no-requeue": True,
        "signal": f"B:USR1@{notice}",
    }


def seconds_of(time: str) -> int:
    """A time as Slurm reads it: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]]."""
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if not dash:
        parts = [0, *parts] if len(parts) == 2 else [0, parts[0], 0] if len(parts) == 1 else parts
    hours, minutes, seconds = (*parts, 0, 0)[:3]
    return int(days or 0) * 86_400 + hours * 3_600 + minutes * 60 + seconds


def time_text(count: float) -> str:
    """Seconds as Slurm writes a time: 3-00:00:00."""
    days, rest = divmod(int(count), 86_400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock


def fixed_by(extra: Mapping[str, Any], memory_form: str) -> set[str]:
    """Of time and memory those that cannot be asked for by the launcher's own settings."""
    memory = memory_form == "none" or any(name.startswith("mem") and name != "mem-bind" for name in extra)
    return {*(["memory"] if memory else []), *(["time"] if "time" in extra else [])}


def exceeds(name: str, value: Any, own: Any) -> bool:
    """Whether a time or a memory is more than one's own; the site's default memory, None, is less than any."""
    return seconds_of(str(value)) > seconds_of(str(own)) if name == "time" else own is None or value > own
