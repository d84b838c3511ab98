"""Every option in conf/ keeps the contract of its group, as vmsbench.testing has it."""

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from tests.support.data.data_folders import write_pairs, write_vischema
from vmsbench.config.instantiate import build, find
from vmsbench.config.plugins import option_files, options
from vmsbench.config.settings import Config
from vmsbench.metrics.catalog import METRICS
from vmsbench.metrics.scores import score
from vmsbench.models.model import Model
from vmsbench.search.configured import AROUND, label_of
from vmsbench.testing import (
    dataset_contract,
    launcher_contract,
    metric_contract,
    model_contract,
    network_contract,
    pruner_contract,
    searcher_contract,
    tracker_contract,
)
from vmsbench.testing.metrics import drawn, maps
from vmsbench.testing.networks import with_random_weights

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
@pytest.mark.parametrize("timed", [False, True])
def test_networks_heed_what_an_encoder_saw_and_noise(name: str, timed: bool) -> None:
    network = build(option("network", name, width=16))(5, 2, 32, timed=timed, features=(6, 4), noise=3)
    network = with_random_weights(network).eval()
    image, time = torch.randn(1, 5, 32, 32), torch.rand(1) if timed else None
    fine, coarse, noise = torch.randn(1, 6, 16, 16), torch.randn(1, 4, 8, 8), torch.randn(1, 3)
    first = network(image, time, (fine, coarse), noise)
    assert first.shape == (1, 2, 32, 32)
    for changed in ((-fine, coarse, noise), (fine, -coarse, noise), (fine, coarse, -noise)):
        other = network(image, time, changed[:2], changed[2])
        assert not torch.equal(first, other)


@pytest.mark.parametrize("name", options("network"))
def test_networks_take_an_encoders_maps_once_for_several_draws_of_an_image(name: str) -> None:
    """Maps of 2 pictures, asked about 3 times each, are as good as three copies of each."""
    network = build(option("network", name, width=16))(5, 2, 32, features=(6, 4), noise=3)
    network = with_random_weights(network).eval()
    image, noise = torch.randn(6, 5, 32, 32), torch.randn(6, 3)
    maps = (torch.randn(2, 6, 16, 16), torch.randn(2, 4, 8, 8))
    copies = [map_.repeat_interleave(3, dim=0) for map_ in maps]
    torch.testing.assert_close(network(image, None, maps, noise), network(image, None, copies, noise))


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
