"""GPUs as a job's environment names them: NVIDIA's, slices of them (MIG), AMD's."""

import os

import pytest

from vmsbench.launch.allocation import GPU_NAMES, name_amd_gpus, usable_gpus, visible_gpus
from vmsbench.ray_backend.resources import gpus_of_torch


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GPU_NAMES:
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
    ],
)
def test_gpus_are_read_from_the_environment(
    named: dict[str, str], gpus: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    assert visible_gpus() == gpus


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
    name_amd_gpus()
    assert os.environ.get("HIP_VISIBLE_DEVICES") == named
    seen = AMDGPUAcceleratorManager.get_current_process_visible_accelerator_ids()
    assert seen == (None if named is None else [one for one in named.split(",") if one])


@pytest.mark.parametrize(
    ("named", "counted", "usable"),
    [("MIG-a,MIG-b", 1, 2), ("MIG-a", 1, 1), ("MIG-a,MIG-b", 0, 0), ("0,1", 2, 2), ("0,1", 1, 1)],
)
def test_each_slice_of_a_gpu_is_one(named: str, counted: int, usable: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert usable_gpus(counted) == usable


@pytest.mark.parametrize(
    ("driver", "seen"),
    [("/dev/nvidiactl", 1), ("/dev/nvmap", 1), ("/dev/nvhost-gpu", 1), ("/dev/kfd", 1), ("/dev/fb0", 0)],
)
def test_torch_is_asked_wherever_there_is_a_driver(driver: str, seen: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Jetson has nvmap, and no nvidiactl."""
    monkeypatch.setattr("os.path.exists", lambda path: path == driver)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert gpus_of_torch() == seen
