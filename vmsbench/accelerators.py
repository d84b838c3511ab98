"""The GPUs of this machine, of whatever make: torch calls NVIDIA's and AMD's `cuda`, Intel's `xpu`.

torch is imported where it is asked, and only where a driver is loaded.
"""

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

KINDS = ("cuda", "xpu")
"""What `device=auto` chooses from, the first that is there. Apple's `mps` is used where it is asked for."""

DRIVERS = ("/dev/nvidiactl", "/dev/nvmap", "/dev/nvhost-gpu", "/dev/nvgpu", "/dev/kfd", "/dev/dxg")
"""Of NVIDIA's driver, that of its Jetson, AMD's, and Windows' for its Linux."""

CARDS, INTEL = Path("/sys/class/drm"), "0x8086"
"""Where Linux lists what draws and computes, and Intel as the vendor of one."""

NAMES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""The variables by which clusters name a job's GPUs: NVIDIA's, and AMD's twice."""

MASK, SELECTOR = "ZE_AFFINITY_MASK", "ONEAPI_DEVICE_SELECTOR"
"""Those for Intel's: which there are, and which of these."""

NAMED = "VMSBENCH_NAMED"
"""The variable that `name_for_ray` has set, which another node must not take for its own."""


def driver_loaded() -> bool:
    """Whether there can be a GPU for torch."""
    return any(map(os.path.exists, DRIVERS)) or intel_there()


def intel_there() -> bool:
    """Whether there is a card of Intel's; many processors have one."""
    for vendor in CARDS.glob("renderD*/device/vendor"):
        with contextlib.suppress(OSError):
            if vendor.read_text().strip() == INTEL:
                return True
    return False


def of_intel() -> bool:
    """Whether torch's GPUs are Intel's: one is there, and torch is built for neither CUDA nor ROCm."""
    if not intel_there():
        return False
    import torch

    return not torch.backends.cuda.is_built()  # type: ignore[no-untyped-call]


def backends() -> list[Any]:
    """torch's modules of the kinds of GPUs that it sees here: torch.cuda, torch.xpu."""
    import torch

    known = (getattr(torch, kind, None) for kind in KINDS)
    return [backend for backend in known if backend is not None and backend.is_available()]


def backend_of(device: "torch.device") -> Any:
    """torch's module for the GPUs of a device's kind; None for the CPU and for other kinds."""
    import torch

    return getattr(torch, device.type) if device.type in KINDS else None


def best_device() -> str:
    """The kind of the GPUs that are here, or cpu."""
    return next((kind_of(backend) for backend in backends()), "cpu")


def kind_of(backend: Any) -> str:
    return str(backend.__name__).rpartition(".")[2]


def counted() -> int:
    """How many GPUs torch sees, of the kind that is chosen by itself."""
    if not driver_loaded():
        return 0
    return next((int(backend.device_count()) for backend in backends()), 0)


def synchronize(device: "torch.device") -> None:
    """Wait until a GPU has done all that it was given; elsewhere nothing."""
    if backend := backend_of(device):
        backend.synchronize(device)


def visible() -> tuple[str, ...] | None:
    """The GPUs that the environment names, by the names that their maker's variable takes; None where it names none."""
    name = next((name for name in ((MASK,) if of_intel() else NAMES) if name in os.environ), None)
    return listed(name) if name else None


def listed(name: str) -> tuple[str, ...]:
    words = [word.strip() for word in os.environ[name].split(",")]
    return tuple(word for word in words if word not in ("", "-1", "NoDevFiles"))


def usable(count: int) -> int:
    """How many GPUs trials can have, where this process counts so many: torch sees one slice of NVIDIA's (MIG-...)
    alone, and Intel's tiles (0.1) as one; each trial gets another."""
    slices = [name for name in visible() or () if re.match(r"MIG-|\d+\.\d", name)]
    return max(count, len(slices)) if count else 0


def name_for_ray() -> None:
    """Name the job's GPUs as Ray, which starts next, takes them.

    AMD's: it refuses ROCR_VISIBLE_DEVICES alone; HIP counts the GPUs that ROCR leaves, from 0. Intel's: without dpctl
    Ray does not know them, and lends what CUDA_VISIBLE_DEVICES names.
    """
    os.environ.pop(os.environ.pop(NAMED, ""), None)
    if "ROCR_VISIBLE_DEVICES" in os.environ and "HIP_VISIBLE_DEVICES" not in os.environ:
        os.environ["HIP_VISIBLE_DEVICES"] = ",".join(map(str, range(len(listed("ROCR_VISIBLE_DEVICES")))))
        os.environ[NAMED] = "HIP_VISIBLE_DEVICES"
    if of_intel() and (names := chosen_of_intel()) is not None:
        os.environ |= {MASK: ",".join(names), "CUDA_VISIBLE_DEVICES": ",".join(names), NAMED: "CUDA_VISIBLE_DEVICES"}
        os.environ.pop(SELECTOR, None)


def chosen_of_intel() -> list[str] | None:
    """The names of Intel's GPUs that the environment chooses: the selector counts within the mask."""
    mask = listed(MASK) if MASK in os.environ else None
    selector = re.fullmatch(r"level_zero:(\d+(?:,\d+)*)", os.environ.get(SELECTOR, ""))
    if not selector:
        return None if mask is None else list(mask)
    chosen = selector[1].split(",")
    return chosen if mask is None else [mask[int(one)] for one in chosen if int(one) < len(mask)]


def keep_to(lent: Sequence[int | str]) -> None:
    """Let this process, a trial's, see those of Intel's GPUs alone that Ray has lent it, by their names; Ray does the
    same for the other makers'. Before torch is asked for them."""
    if lent and of_intel():
        os.environ[MASK] = ",".join(map(str, lent))
        os.environ.pop(SELECTOR, None)
