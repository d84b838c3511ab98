"""GPUs as a job's environment names them: NVIDIA's, slices of them (MIG), AMD's, Intel's."""

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.processes.commands import a_command
from vmsbench import accelerators
from vmsbench.config.compose import compose
from vmsbench.errors import ConfigurationError
from vmsbench.launch.slurm.allocation import allocation
from vmsbench.ray_backend.resources import own_address, slots_for
from vmsbench.ray_backend.trainable import attempt
from vmsbench.training.checks import chosen_device

ALL_NAMES = (*accelerators.NAMES, accelerators.MASK, accelerators.SELECTOR, accelerators.NAMED)


@pytest.fixture(autouse=True)
def nothing_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable names a GPU, and there is no card of Intel's."""
    monkeypatch.setattr("vmsbench.accelerators.CARDS", tmp_path / "drm")
    for name in ALL_NAMES:
        monkeypatch.setenv(name, "")  # so that what the test sets is removed
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("named", "gpus"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": "0,2"}, ("0", "2")),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, ()),
        ({"ROCR_VISIBLE_DEVICES": "2,3"}, ("2", "3")),
        ({"ROCR_VISIBLE_DEVICES": "2,3", "HIP_VISIBLE_DEVICES": "1"}, ("1",)),
        ({"ZE_AFFINITY_MASK": "0"}, None),
    ],
)
def test_gpus_are_read_from_the_environment(
    named: dict[str, str], gpus: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    assert accelerators.visible() == gpus


@pytest.mark.parametrize(
    ("rocr", "hip", "named"),
    [("4,6", None, "0,1"), ("", None, ""), ("4,6", "1", "1"), (None, None, None), ("GPU-ab12", None, "0")],
)
def test_ray_gets_amds_gpus_by_the_numbers_that_hip_takes(
    rocr: str | None, hip: str | None, named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray._private.accelerators import AMDGPUAcceleratorManager

    for name, value in (("ROCR_VISIBLE_DEVICES", rocr), ("HIP_VISIBLE_DEVICES", hip)):
        if value is not None:
            monkeypatch.setenv(name, value)
    accelerators.name_for_ray()
    assert os.environ.get("HIP_VISIBLE_DEVICES") == named
    seen = AMDGPUAcceleratorManager.get_current_process_visible_accelerator_ids()
    assert seen == (None if named is None else [one for one in named.split(",") if one])


@pytest.mark.parametrize(
    ("named", "counted", "usable"),
    [("MIG-a,MIG-b", 1, 2), ("MIG-a", 1, 1), ("MIG-a,MIG-b", 0, 0), ("0,1", 2, 2), ("0,1", 1, 1)],
)
def test_each_slice_of_a_gpu_is_one(named: str, counted: int, usable: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert accelerators.usable(counted) == usable


@pytest.mark.parametrize(
    ("driver", "seen"),
    [("/dev/nvidiactl", 1), ("/dev/nvmap", 1), ("/dev/nvhost-gpu", 1), ("/dev/kfd", 1), ("/dev/fb0", 0)],
)
def test_torch_is_asked_wherever_there_is_a_driver(driver: str, seen: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Jetson has nvmap, and no nvidiactl."""
    monkeypatch.setattr("os.path.exists", lambda path: path == driver)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert accelerators.counted() == seen


@pytest.fixture
def intel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with three of Intel's GPUs and no other, as Linux and a torch built for them show it."""
    for number in range(3):
        card = tmp_path / "drm" / f"renderD{128 + number}" / "device"
        card.mkdir(parents=True)
        (card / "vendor").write_text("0x8086\n")
    monkeypatch.setattr("torch.backends.cuda.is_built", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.xpu.is_available", lambda: True)
    monkeypatch.setattr("torch.xpu.device_count", lambda: 3)


@pytest.mark.usefixtures("intel")
def test_intels_gpus_are_counted_chosen_and_named_in_errors() -> None:
    assert accelerators.counted() == 3
    assert slots_for(compose("unet", ["device=auto"]), 1, None).gpus == 3
    assert str(chosen_device("auto")) == "xpu"
    assert str(chosen_device("xpu:2")) == "xpu:2"
    with pytest.raises(ConfigurationError, match="device=xpu:3: torch sees xpu:0 to xpu:2 alone here"):
        chosen_device("xpu:3")
    with pytest.raises(ConfigurationError, match="device=cuda: torch sees no such GPU here; cpu and auto work"):
        chosen_device("cuda")


def test_without_a_gpu_the_cpu_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in accelerators.KINDS:
        monkeypatch.setattr(f"torch.{kind}.is_available", lambda: False)
    assert str(chosen_device("auto")) == "cpu"
    with pytest.raises(ConfigurationError, match="device=xpu: torch sees no such GPU here"):
        chosen_device("xpu")


@pytest.mark.usefixtures("intel")
@pytest.mark.parametrize("maker", ["Nvidia", "Intel"])
@pytest.mark.parametrize(
    ("given", "named", "seen"),
    [
        ({}, None, 3),
        ({"ZE_AFFINITY_MASK": "1,2"}, ["1", "2"], 3),
        ({"ZE_AFFINITY_MASK": "1,2", "CUDA_VISIBLE_DEVICES": "1,2"}, ["1", "2"], 3),
        ({"ONEAPI_DEVICE_SELECTOR": "level_zero:2,0"}, ["2", "0"], 3),
        ({"ONEAPI_DEVICE_SELECTOR": "level_zero:1", "ZE_AFFINITY_MASK": "2,3"}, ["3"], 3),
        ({"ZE_AFFINITY_MASK": ",".join(f"0.{tile}" for tile in range(4))}, [f"0.{tile}" for tile in range(4)], 4),
    ],
)
def test_each_trial_sees_those_of_intels_gpus_alone_that_it_is_lent(
    maker: str, given: dict[str, str], named: list[str] | None, seen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray lends the names that it reads; it knows Intel's GPUs where dpctl is installed."""
    from ray._private import accelerators as of_ray

    manager = getattr(of_ray, f"{maker}GPUAcceleratorManager")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for _ in range(2):  # the driver starts Ray, then joins it
        accelerators.name_for_ray()
    assert manager.get_current_process_visible_accelerator_ids() == named
    assert accelerators.usable(accelerators.counted()) == seen
    for one in named or ["0", "1"]:
        accelerators.keep_to([one])
        assert os.environ["ZE_AFFINITY_MASK"] == one
        assert "ONEAPI_DEVICE_SELECTOR" not in os.environ


@pytest.mark.parametrize(("built", "card"), [(True, "0x8086"), (False, "0x10de")])
def test_a_mask_for_intels_graphics_is_nothing_to_the_gpus_of_others(
    built: bool, card: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor with Intel's graphics next to NVIDIA's GPUs."""
    vendor = tmp_path / "drm" / "renderD128" / "device" / "vendor"
    vendor.parent.mkdir(parents=True)
    vendor.write_text(f"{card}\n")
    monkeypatch.setattr("torch.backends.cuda.is_built", lambda: built)
    monkeypatch.setenv("ZE_AFFINITY_MASK", "0")
    accelerators.name_for_ray()
    accelerators.keep_to(["3"])
    assert (os.environ["ZE_AFFINITY_MASK"], os.environ.get("CUDA_VISIBLE_DEVICES")) == ("0", None)


def test_another_node_does_not_take_the_names_of_this_one_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step inherits the driver's variables; its node may have more of AMD's GPUs, or fewer."""
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "4,6")
    accelerators.name_for_ray()
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "1,2,3")
    accelerators.name_for_ray()
    assert os.environ["HIP_VISIBLE_DEVICES"] == "0,1,2"


@pytest.mark.usefixtures("intel")
def test_a_trial_keeps_to_its_gpus_before_torch_is_asked_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = SimpleNamespace(get_accelerator_ids=lambda: {"GPU": ["2"]})
    monkeypatch.setattr("vmsbench.ray_backend.trainable.get_runtime_context", lambda: context)
    asked = []
    monkeypatch.setattr("torch.xpu.is_available", lambda: asked.append(os.environ.get("ZE_AFFINITY_MASK")))
    monkeypatch.setattr("vmsbench.ray_backend.trainable.StopFlag", lambda *_: lambda: True)
    attempt({"owner": None}, tmp_path / "runs" / "unet" / "trials" / "1")
    assert asked == ["2"]


def a_job(folder: Path, gres: str, monkeypatch: pytest.MonkeyPatch, *, driver: bool = True) -> None:
    """A job on two nodes of a Slurm that shows this of their GRES, of which torch sees two GPUs."""
    nodes = f"[[ $* == *'show node'* ]] && {{ echo 'NodeName=n1 Gres={gres} NodeAddr=127.0.0.1'; exit; }}"
    shares = "JobId=7 Nodes=n1 CPU_IDs=0-3 Mem=0 GRES= Nodes=n2 CPU_IDs=0-1 Mem=0 GRES="
    a_command(folder / "bin", "scontrol", f"{nodes}; echo '{shares}'")
    a_command(folder / "bin", "srun", f'echo "$@" > {folder}/step')
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    for name in ALL_NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"ID": "7", "NODELIST": "n[1-2]"}.items():
        monkeypatch.setenv(f"SLURM_JOB_{name}", value)
    monkeypatch.setenv("SLURMD_NODENAME", "n1")
    monkeypatch.setattr("vmsbench.accelerators.DRIVERS", ("/dev/null",) if driver else ())
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


@pytest.mark.parametrize(
    ("gres", "driver", "gpus"),
    [("(null)", True, ("0", "1")), ("nvme:1", True, ("0", "1")), ("gpu:a100:4", True, ()), ("(null)", False, ())],
)
def test_gpus_that_are_no_gres_are_all_the_jobs_and_no_step_asks_for_them(
    gres: str, driver: bool, gpus: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_job(tmp_path, gres, monkeypatch, driver=driver)
    given = allocation("vmsbench.launch.slurm.launcher.SlurmLauncher")
    assert given
    assert given.gpus == gpus
    assert given.shares == {"n1": (4, len(gpus)), "n2": (2, len(gpus))}
    given.start_step("n2", ["true"], cpus=2, gpus=len(gpus), log=tmp_path / "log").wait()
    assert "--gres" not in (tmp_path / "step").read_text()


def test_gpus_that_slurm_allocates_are_counted_by_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_job(tmp_path, "gpu:4", monkeypatch)
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "1")
    given = allocation("vmsbench.launch.slurm.launcher.SlurmLauncher")
    assert given
    assert given.gpus == ("0",)
    given.start_step("n2", ["true"], cpus=2, gpus=1, log=tmp_path / "log").wait()
    assert "--gres=gpu:1" in (tmp_path / "step").read_text()


def test_nodes_whose_names_do_not_resolve_are_reached_by_their_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_job(tmp_path, "gpu:4", monkeypatch)
    given = allocation("vmsbench.launch.slurm.launcher.SlurmLauncher")
    assert given
    assert own_address(given) == "127.0.0.1"

    def resolved(name: str) -> str:
        if not name[0].isdigit():
            raise socket.gaierror
        return name

    monkeypatch.setattr("socket.gethostbyname", resolved)
    a_command(tmp_path / "bin", "scontrol", "[ $3 = n1 ] && echo NodeAddr=127.0.0.7 || exit 1")
    assert own_address(given) == "127.0.0.7"
