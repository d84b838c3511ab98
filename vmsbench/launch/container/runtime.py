"""What trains in a job may run inside a container, while the supervisor and the workers stay outside.

Inside, Python is the image's `python3`; the code is that of the submission, from the sweep's folder. `binds` says which
of the host's files are there.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmsbench.accelerators import intel_there
from vmsbench.errors import ConfigurationError, UserError, did_you_mean
from vmsbench.launch.container.binds import binds
from vmsbench.launch.environment import CONTAINER, RUNTIME

RUNTIMES = ("apptainer", "enroot", "podman")
FILES = (".sif", ".sqsh")
"""The endings of images that are files."""
OWN = ("PATH", "PWD", "OLDPWD", "SHELL", "SHLVL", "_", "LD_", "BASH_", "XDG_RUNTIME_DIR")
"""How the variables begin that the container has of its own; a runtime passes on all others."""
RENDER = "/dev/dri"
GPUS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "apptainer": {"/dev/nvidiactl": ("--nv",), "/dev/kfd": ("--rocm",), RENDER: ("--bind=/dev/dri",)},
    "enroot": {
        "/dev/nvidiactl": ("--env", "NVIDIA_VISIBLE_DEVICES=all"),
        "/dev/kfd": ("--mount", "/dev/kfd:/dev/kfd", "--mount", "/dev/dri:/dev/dri"),
        RENDER: ("--mount", "/dev/dri:/dev/dri"),
    },
    "podman": {
        "/dev/nvidiactl": ("--device", "nvidia.com/gpu=all"),
        "/dev/kfd": ("--device", "/dev/kfd", "--device", "/dev/dri", "--group-add", "keep-groups"),
        RENDER: ("--device", "/dev/dri", "--group-add", "keep-groups"),
    },
}
"""A runtime's flags for the GPUs of a node, by the device of their driver: NVIDIA's, AMD's, Intel's."""


@dataclass(frozen=True)
class Container:
    """An image, and the runtime that starts it: one of RUNTIMES."""

    image: str
    runtime: str

    def command(self, inside: Sequence[str], folder: Path, further: Sequence[str] = ()) -> list[str]:
        """The command that runs `inside`, of this Python, in the container.

        folder   of the sweep
        further  paths that it gets
        """
        program = ["python3" if word == sys.executable else word for word in inside]
        begin = self.begin(binds(program, folder, further))
        if self.runtime == "enroot":  # which has no option for the folder that a program starts in
            program = ["sh", "-c", 'cd "$0" && exec "$@"', os.getcwd(), *program]
        return [*begin, self.image, *program]

    def begin(self, folders: Mapping[str, str]) -> list[str]:
        """The words up to the image.

        folders  paths inside, and those outside
        """
        passed = sorted(name for name in os.environ if not name.startswith(OWN))
        pairs = [f"{outside}:{there}" for there, outside in folders.items()]
        flags = gpu_flags(self.runtime)
        if self.runtime == "apptainer":
            return ["apptainer", "exec", *flags, f"--pwd={os.getcwd()}", *(f"--bind={pair}" for pair in pairs)]
        if self.runtime == "enroot":
            mounts = [word for pair in pairs for word in ("--mount", as_in_fstab(pair))]
            names = [word for name in passed for word in ("--env", name)]
            return ["enroot", "start", *flags, *mounts, *names]
        user = [] if os.geteuid() == 0 else ["--userns=keep-id"]
        shared = ["--rm", "--network=host", "--pid=host", "--ipc=host", "--security-opt=label=disable", *user]
        return [
            *("podman", "run", *shared, "--entrypoint=", *flags, f"--workdir={os.getcwd()}"),
            *(f"--volume={pair}" for pair in pairs),
            *(f"--env={name}" for name in passed),
        ]


def as_in_fstab(text: str) -> str:
    """Blanks as fstab(5) has them: enroot writes its mounts into such a file."""
    return text.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")


def gpu_flags(runtime: str) -> tuple[str, ...]:
    """Those for the GPUs of this machine; none where no driver is loaded."""
    there = [device for device in GPUS[runtime] if Path(device).exists() and (device != RENDER or intel_there())]
    return GPUS[runtime][there[0]] if there else ()


def checked_container(image: str | None, runtime: str | None) -> Container | None:
    """The container that is asked for, its file by its full path; None where there is none: a site may set the runtime
    for all jobs.

    Raises ConfigurationError for an image without a runtime, a runtime that is not known, and a file that is not there.
    """
    if not image:
        return None
    known = ", ".join(RUNTIMES)
    if runtime is None:
        raise ConfigurationError(f"launcher.container={image} needs launcher.runtime, one of {known}")
    if runtime not in RUNTIMES:
        wrong = f"launcher.runtime is {runtime}{did_you_mean(runtime, RUNTIMES)}"
        raise ConfigurationError(f"{wrong}; it must be one of {known}")
    if not image.endswith(FILES):
        return Container(image, runtime)
    if not Path(image).is_file():
        raise ConfigurationError(f"launcher.container: there is no file {image}")
    return Container(str(Path(image).resolve()), runtime)


def container_here() -> Container | None:
    """The container that this job trains in. Raises UserError where its runtime is not on this node."""
    found = checked_container(os.environ.get(CONTAINER) or None, os.environ.get(RUNTIME) or None)
    if found and shutil.which(found.runtime) is None:
        raise UserError(f"{found.runtime} is not on this node: add a line to launcher.setup that loads it")
    return found


def inside(command: Sequence[str], folder: Path) -> list[str]:
    """The command as this job runs it: in its container, where it has one."""
    found = container_here()
    return found.command(command, folder) if found else list(command)


def refuse_unfit(command: Sequence[str], folder: Path, nodes: int) -> None:
    """Raises UserError in a job of several nodes, where what trains inside cannot start steps on the others; and as
    `container_here` and `binds`."""
    if container_here() is None:
        return
    if nodes > 1:
        raise UserError(f"a container trains on one node, and this job has {nodes}: {ALONE}")
    binds(command, folder)


ALONE = "ask for one node, or add launcher.shape=elastic, where each node is a job"


def shown(settings: Mapping[str, Any], command: Sequence[str], folder: Path) -> str:
    """The lines of --print on what starts the container; empty where there is none. Raises as `binds`."""
    found = checked_container(settings.get("container"), settings.get("runtime"))
    if found is None:
        return ""
    words = shlex.join(found.command(["python3", "-u", "-m", "vmsbench", *command], folder, settings.get("binds", ())))
    flags = "; ".join(f"{shlex.join(gpus)} where {device} is" for device, gpus in GPUS[found.runtime].items())
    return (
        "# the job starts it in the container, with the scratch folder and the variables of its node: "
        f"{words}\n# GPUs: the job adds {flags}\n"
    )
