"""Every option in conf/ keeps the contract of its group, as vmsbench.testing has it."""

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from tests.support.data.data_folders import write_pairs, write_vischema
from vmsbench.config.instantiate import accepted, build, find
from vmsbench.config.plugins import option_files, options
from vmsbench.config.settings import Config
from vmsbench.metrics.catalog import METRICS
from vmsbench.metrics.scores import score
from vmsbench.models.model import Model
from vmsbench.networks.encoder import STRIDES, Encoder
from vmsbench.networks.unet import UNet
from vmsbench.search.configured import AROUND, label_of
from vmsbench.testing import (
    dataset_contract,
    encoder_contract,
    launcher_contract,
    metric_contract,
    model_contract,
    network_contract,
    pruner_contract,
    searcher_contract,
    tracker_contract,
)
from vmsbench.testing.metrics import drawn, maps

SMALL = {"width": 8}
GIVEN = ("network", "channels", "size")
HERE: dict[str, Config] = {"slurm": {"cluster": "local", "gpus": 0, "cpus": 1, "time": 10}}
"""Settings by which a launcher runs on this machine."""


def option(group: str, name: str, **settings: Any) -> Config:
    config: Any = OmegaConf.to_container(OmegaConf.load(option_files(group)[name]), resolve=True)
    if "defaults" in config:  # it brings other choices with it
        config = config["model"] if group == "model" else config["model"][group]
    return config | settings


@pytest.mark.parametrize("name", options("network"))
def test_networks(name: str) -> None:
    network_contract(build(option("network", name, **SMALL)))


@pytest.mark.parametrize("name", [name for name in options("network") if "norm" in option("network", name)])
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
def test_networks_that_have_a_norm_work_with_each(name: str, norm: str) -> None:
    network_contract(build(option("network", name, norm=norm, **SMALL)))


@pytest.mark.parametrize("name", options("network"))
def test_every_network_takes_an_encoders_maps_and_noise(name: str) -> None:
    assert {"features", "noise"} <= set(accepted(find(option("network", name)["_target_"])))


@pytest.mark.parametrize("name", [name for name in options("encoder") if name != "none"])
def test_encoders(name: str, tmp_path: Path) -> None:
    spec = option("encoder", name, _partial_=True)
    if "weights" in spec:
        torch.save(find(spec["_target_"]).untaught("resnet18").state_dict(), tmp_path / "resnet18.pth")
        spec |= {"architecture": "resnet18", "weights": str(tmp_path / "resnet18.pth")}
    encoder_contract(build(spec))


@pytest.mark.parametrize("network", options("network"))
@pytest.mark.parametrize("name", options("model"))
def test_models(name: str, network: str) -> None:
    spec = option("model", name)
    takes = inspect.signature(find(spec["_target_"])).parameters
    parts = {"network": option("network", network, **SMALL)}
    for part in (part for part, one in takes.items() if one.default is one.empty and part not in GIVEN):
        own = option(part, options(part)[0])  # a part has the name of its group
        parts[part] = own | {key: value for key, value in (SMALL | {"norm": "instance"}).items() if key in own}
    parts |= {key: value for key, value in {"sampling_steps": 3, "preview_steps": 2}.items() if key in takes}

    def make(channels: int, size: int) -> Model:
        made: Model = build(spec | parts, channels=channels, size=size)
        return made

    model_contract(make)


@pytest.mark.parametrize("name", options("searcher"))
def test_searchers(name: str) -> None:
    spec = {setting: value for setting, value in option("searcher", name).items() if setting not in AROUND}
    if "trials" in spec:
        spec["trials"] = 9
    searcher_contract(lambda space: build(spec, space=space))


@pytest.mark.parametrize("name", options("pruner"))
def test_pruners(name: str) -> None:
    pruner_contract(lambda: build(option("pruner", name)))


@pytest.mark.parametrize("name", options("tracker"))
def test_trackers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracker_contract(lambda: build(option("tracker", name)), tmp_path)


@pytest.mark.parametrize("name", options("launcher"))
def test_launchers(name: str, tmp_path: Path) -> None:
    def make(folder: Path) -> Any:
        own = HERE.get(name, {})
        return build(option("launcher", name, **own, **({"folder": str(folder)} if own else {})))

    launcher_contract(make, tmp_path)


@pytest.mark.parametrize("name", options("data"))
def test_datasets(name: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    own = {"standin": {"count": 40}}.get(name, {})
    {"folder": write_pairs, "vischema": write_vischema}.get(name, lambda root, count: None)(root, 20)
    spec = option("data", name, root=str(root), size=32, **own)
    del spec["cache"]
    dataset_contract(build(spec | {"_partial_": True}), tmp_path / "cache")


@pytest.mark.parametrize("group", ["searcher", "pruner"])
def test_searchers_and_pruners_have_labels_of_their_own(group: str) -> None:
    found = {name: label_of(option(group, name), group) for name in options(group)}
    assert len(set(found.values())) == len(found)
    for name, label in found.items():
        assert label != find(option(group, name)["_target_"]).__name__


@pytest.mark.parametrize("name", [name for name in METRICS if name in score(drawn(maps(), 0.5), maps())])
def test_metrics(name: str) -> None:
    metric_contract(name)


def test_what_breaks_a_promise_is_named() -> None:
    from torch import nn

    class Blind(nn.Module):
        def __init__(self, inputs: int, outputs: int, size: int, timed: bool = False) -> None:
            super().__init__()
            self.layer = nn.Conv2d(inputs, outputs, 1)

        def forward(self, image: Any, time: Any = None) -> Any:
            return self.layer(image)

    with pytest.raises(AssertionError, match="gives the same at every time"):
        network_contract(partial(Blind))

    class Deaf(UNet):
        def forward(self, image: Any, time: Any = None, features: Any = (), noise: Any = None) -> Any:
            return super().forward(image, time, features, 0 * noise if noise is not None else None)

    with pytest.raises(AssertionError, match="gives the same for other noise"):
        network_contract(partial(Deaf, width=8))


class Relative(Encoder):
    """Sees a picture in comparison with the others of its batch."""

    channels, fingerprint = (3, 3, 3), "relative"

    def info(self) -> dict[str, str]:
        return {"encoder": "relative"}

    def maps(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = pictures - pictures.mean(dim=0)
        return tuple(torch.nn.functional.avg_pool2d(found, stride) for stride in STRIDES)


def test_an_encoder_that_mixes_pictures_breaks_its_promise() -> None:
    with pytest.raises(AssertionError, match="other maps in a batch than alone"):
        encoder_contract(Relative)
