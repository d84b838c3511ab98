"""Networks: facts about each. The contract of all is in tests/contracts."""

from typing import Any

import pytest
import torch
from torch import nn

from vmsbench.errors import ConfigurationError
from vmsbench.networks.layers import depth, normalisation
from vmsbench.networks.patch_discriminator import PatchDiscriminator
from vmsbench.networks.unet import UNet


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
        (lambda: UNet(3, 2, 64, layers=7), "layers=7: 64 px cannot be halved as often; layers=4 works"),
        (lambda: UNet(3, 2, 64, width=50, norm="group"), "width=48 works"),
        (lambda: depth(48), "data.size=48 cannot be halved"),
    ],
)
def test_impossible_networks_are_refused_with_a_value_that_works(make: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make()
