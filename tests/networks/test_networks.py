"""Networks: a contract for every file in conf/network and conf/discriminator, and facts about each."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from vmsbench.config.instantiate import build
from vmsbench.errors import ConfigurationError
from vmsbench.networks.layers import depth, normalisation
from vmsbench.networks.patch_discriminator import PatchDiscriminator
from vmsbench.networks.unet import UNet

CONF = Path(__file__).parents[2] / "conf"
NETWORKS = sorted((CONF / "network").glob("*.yaml"))


def made(file: Path, **settings: Any) -> Any:
    return build(yaml.safe_load(file.read_text()) | {"width": 8} | settings)


@pytest.mark.parametrize("file", NETWORKS, ids=lambda file: file.stem)
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("timed", [False, True])
def test_every_network_maps_images_to_images(file: Path, size: int, outputs: int, timed: bool) -> None:
    network = made(file)(5, outputs, size, timed=timed)
    time = torch.rand(2) if timed else None
    assert network(torch.randn(2, 5, size, size), time).shape == (2, outputs, size, size)


@pytest.mark.parametrize("file", NETWORKS, ids=lambda file: file.stem)
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "none"])
def test_every_weight_of_every_network_learns_with_every_norm(file: Path, norm: str) -> None:
    torch.manual_seed(0)
    network = made(file, norm=norm)(3, 2, 32, timed=True)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    network(torch.randn(4, 3, 32, 32), torch.rand(4)).square().sum().backward()
    silent = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert silent == []


@pytest.mark.parametrize("file", NETWORKS, ids=lambda file: file.stem)
def test_a_timed_network_heeds_the_time(file: Path) -> None:
    torch.manual_seed(0)
    network = made(file)(3, 2, 32, timed=True)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    image = torch.randn(1, 3, 32, 32).expand(2, -1, -1, -1)
    early, late = network.eval()(image, torch.tensor([0.1, 0.9]))
    assert not torch.allclose(early, late)


def test_the_thesis_unet_has_its_widths_and_a_4_pixel_bottleneck() -> None:
    network = UNet(3, 2, 64, width=8)
    assert [block.first[0].out_channels for block in network.down] == [8, 16, 32, 64, 128]
    assert [block.first[0].out_channels for block in network.up] == [64, 32, 16, 8]
    sides: list[int] = []
    network.down[-1].register_forward_hook(lambda module, given, made: sides.append(made.shape[-1]))
    network(torch.zeros(2, 3, 64, 64))
    assert sides == [4]


@pytest.mark.parametrize(("size", "layers", "pixels"), [(64, None, 94), (32, None, 46), (64, 2, 22)])
def test_the_receptive_field_is_what_a_gradient_reaches(size: int, layers: int | None, pixels: int) -> None:
    judge = PatchDiscriminator(5, size, width=4, norm="none", layers=layers)
    for parameter in judge.parameters():
        nn.init.constant_(parameter, 0.01)
    image = torch.ones(1, 5, 3 * size, 3 * size, requires_grad=True)
    logits = judge(image)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    assert image.grad is not None
    assert image.grad[0, 0].any(dim=0).sum() == judge.receptive_field == pixels


def test_a_discriminator_judges_4_by_4_patches_at_every_size() -> None:
    for size in (32, 64, 128):
        assert PatchDiscriminator(5, size, width=4)(torch.zeros(2, 5, size, size)).shape == (2, 1, 4, 4)


def test_nothing_is_normalised_where_there_is_too_little_to_normalise_over() -> None:
    assert isinstance(normalisation("instance", 8, 2), nn.Identity)
    assert isinstance(normalisation("batch", 8, 4), nn.BatchNorm2d)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: UNet(3, 2, 64, norm="bach"), "did you mean batch"),
        (lambda: UNet(3, 2, 64, width=0), "width=0"),
        (lambda: UNet(3, 2, 64, layers=7), "layers=7: 64 px cannot be halved so often; layers=4 can"),
        (lambda: UNet(3, 2, 64, width=50, norm="group"), "width=48 works"),
        (lambda: depth(48), "data.size=48 cannot be halved"),
    ],
)
def test_impossible_networks_are_refused_with_a_value_that_works(make: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()
