"""Whether vmsbench works here: what `vmsbench doctor` checks, as findings."""

import os
import resource
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from vmsbench.accelerators import backends, kind_of
from vmsbench.errors import UserError
from vmsbench.files import with_home

State = Literal["ok", "note", "bad"]
GIGA = 1e9
LEAST_DISK, GOOD_DISK = 1.0, 10.0  # GB; a sweep's checkpoints take a few
LEAST_FILES = 4096  # open files; Ray's processes have many
LEAST_PROCESSES = 1024
LEAST_SHARED = 0.25  # GB of /dev/shm for Ray's object store
MASKS = {
    "cuda": ("nvidia-smi", "CUDA_VISIBLE_DEVICES"),
    "hip": ("rocm-smi", "HIP_VISIBLE_DEVICES"),
    "xpu": ("xpu-smi", "ZE_AFFINITY_MASK"),
}
"""The tool that shows who uses a GPU, and the variable that can exclude it, by make: AMD's `cuda` is HIP."""


@dataclass(frozen=True)
class Finding:
    """What was found, and the fix where one is needed.

    state   ok; note: works without, but something is n/a or slow; bad: vmsbench does not work so
    """

    name: str
    state: State
    said: str
    fix: str = ""


def doctor(*, data: Path | str | None = None, runs: Path | str = "runs") -> Iterator[Finding]:
    """Check the installation and this machine: yields a finding when it is made. Nothing is left behind.

    data    a folder of images and maps (default: $VMSBENCH_DATA)
    runs    where sweeps would be written

    A check that raises is a finding itself, and the others follow.
    """
    return examine(with_home(runs), with_home(data) if data is not None else None)


def examine(runs: Path, data: Path | None) -> Iterator[Finding]:
    """Every check in turn."""
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "Python": python,
        "torch": torch_works,
        "GPUs": gpus,
        "Ray": ray_starts,
        "MLflow": lambda: mlflow_answers(runs),
        "clusters": clusters,
        "disk": lambda: disk(runs),
        "limits": limits,
        "data": lambda: dataset(data),
        "Inception weights": weights,
    }
    for name, check in checks.items():
        try:
            yield from check()
        except UserError as error:
            yield Finding(name, "bad", str(error))
        except PackageNotFoundError as error:
            yield Finding(name, "bad", f"{error.name} is not installed", "`make install`, or `pip install vmsbench`")
        except Exception as error:  # a broken library may raise anything
            first = next(iter(str(error).splitlines()), "")
            yield Finding(name, "bad", f"{type(error).__name__}: {first}", "`make install` makes a fresh environment")


def python() -> Iterator[Finding]:
    said = f"{sys.version.split()[0]}, {sys.executable}"
    old = sys.version_info < (3, 11)
    yield Finding("Python", "bad" if old else "ok", said, "make PYTHON=python3.11 install" if old else "")


def torch_works() -> Iterator[Finding]:
    import torch

    torch.nn.Conv2d(3, 4, 3)(torch.zeros(1, 3, 8, 8)).sum().backward()  # type: ignore[no-untyped-call]
    cores = len(os.sched_getaffinity(0))
    yield Finding("torch", "ok", f"{torch.__version__} trains on the CPU; {cores} cores for this process")


def gpus() -> Iterator[Finding]:
    import torch

    here = backends()
    if not here:
        tool, variable = next((mask for mask in MASKS.values() if shutil.which(mask[0])), ("", ""))
        said = f"{tool} is here, but torch sees no GPU" if tool else "none: trainings run on the CPU"
        hidden = os.environ.get(variable) == ""
        fix = f"unset {variable}" if hidden else f"a torch built for this driver (this is {torch.__version__})"
        yield Finding("GPUs", "bad" if tool else "note", said, fix if tool else "")
    for backend, number in [(one, number) for one in here for number in range(one.device_count())]:
        yield gpu(backend, number)


def gpu(backend: Any, number: int) -> Finding:
    """What one of torch's GPUs is, and whether another process has most of its memory."""
    import torch

    kind = kind_of(backend)
    device = torch.device(kind, number)
    with backend.device(device):
        torch.nn.Conv2d(3, 4, 3, device=device)(torch.zeros(1, 3, 8, 8, device=device)).sum().item()
        try:
            free, total = backend.mem_get_info()
            memory, used = f"{free / GIGA:.0f} of {total / GIGA:.0f} GB free", 1 - free / total > 0.5
        except (AttributeError, RuntimeError):  # Intel's in torch before 2.6, or within a processor
            memory, used = f"{backend.get_device_properties(device).total_memory / GIGA:.0f} GB", False
    precision = "bf16" if backend.is_bf16_supported() else "no bf16"
    said = f"{number}: {backend.get_device_name(device)}, {memory}, {precision}"
    tool, variable = MASKS["hip" if kind == "cuda" and torch.version.hip else kind]
    fix = f"in use by another process: `{tool}` shows it; {variable} can exclude {number}"
    return Finding("GPUs", "note" if used else "ok", said, fix if used else "")


def ray_starts() -> Iterator[Finding]:
    from vmsbench.ray_backend.session import local_cluster, nodes_there

    with local_cluster(1, 0):
        nodes = nodes_there()
    said = f"{version('ray')} starts and stops a private cluster"
    yield Finding("Ray", "ok" if nodes == 1 else "bad", said if nodes == 1 else f"{nodes} nodes after its start")


def mlflow_answers(runs: Path) -> Iterator[Finding]:
    from vmsbench.tracking.mlflow.tracker import reach

    try:
        said = reach(runs)
    except UserError as error:
        fix = "start the server, set MLFLOW_TRACKING_URI again or unset it; sweeps continue, `vmsbench sync` catches up"
        yield Finding("MLflow", "note", str(error), fix)
    else:
        yield Finding("MLflow", "ok", f"{version('mlflow')}: {said}")


def clusters() -> Iterator[Finding]:
    """What each launcher says of its cluster."""
    from vmsbench.launch.allocation import launchers

    for _, kind in launchers():
        if health := kind.health():
            yield Finding(health.cluster, "ok" if health.works else "note", health.said, health.fix)


def disk(runs: Path) -> Iterator[Finding]:
    place = next(folder for folder in (runs.resolve(), *runs.resolve().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free / GIGA
    try:
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        yield Finding("disk", "bad", f"cannot write into {place} ({error.strerror})", "choose another by --runs")
        return
    state: State = "bad" if free < LEAST_DISK else "note" if free < GOOD_DISK else "ok"
    fix = f"make room, or --runs on another disk; {GOOD_DISK:.0f} GB are enough" if state != "ok" else ""
    yield Finding("disk", state, f"{free:.1f} GB free in {place}", fix)
    with suppress(OSError):
        shared = shutil.disk_usage("/dev/shm").free / GIGA
        few = shared < LEAST_SHARED
        fix = "a container needs --shm-size=1g" if few else ""
        yield Finding("shared memory", "note" if few else "ok", f"{shared:.1f} GB free in /dev/shm, for Ray", fix)


def limits() -> Iterator[Finding]:
    for what, kind, least, flag in (
        ("open files", resource.RLIMIT_NOFILE, LEAST_FILES, "-n"),
        ("processes", resource.RLIMIT_NPROC, LEAST_PROCESSES, "-u"),
    ):
        soft, hard = resource.getrlimit(kind)
        few = soft not in (resource.RLIM_INFINITY, -1) and soft < least
        can = hard in (resource.RLIM_INFINITY, -1) or hard >= least
        fix = f"ulimit {flag} {least}" if can else "ask for a higher hard limit in /etc/security/limits.conf"
        said = "any number" if soft == resource.RLIM_INFINITY else f"{soft} at most"
        yield Finding(what, "bad" if few else "ok", said, fix if few else "")


def dataset(folder: Path | None) -> Iterator[Finding]:
    from vmsbench.data.indexing import scan
    from vmsbench.data.layout import detect

    root = folder or os.environ.get("VMSBENCH_DATA")
    if not root:
        said = "no folder given; data=standin needs none"
        yield Finding("data", "note", said, "export VMSBENCH_DATA=/path/to/vischema_plus, or doctor --data PATH")
        return
    found = scan(
        detect(root, how=f"name them: vmsbench data check {shlex.quote(str(root))} --images NAME --maps NAME"),
        everything=True,
    )
    said = f"{len(found.files)} pairs in {root}"
    if found.problems:
        said += f"; {len(found.problems)} problems, the first: {found.problems[0]}"
    yield Finding(
        "data",
        "bad" if found.problems else "ok",
        said,
        f"vmsbench data check {shlex.quote(str(root))}" if found.problems else "",
    )


def weights() -> Iterator[Finding]:
    from vmsbench.metrics.distances.inception import NoWeights, find_weights

    found = find_weights()
    if isinstance(found, NoWeights):
        said = "missing: FID is n/a, every other score works" if found.missing else found.reason
        yield Finding("Inception weights", "note", said, "`vmsbench weights check` says how to get them")
    else:
        kind = "official" if found.official else f"not the official ones: distances are called {found.name()}"
        yield Finding("Inception weights", "ok" if found.official else "note", f"{found.file}, {kind}")
