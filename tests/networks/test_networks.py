"""Networks: facts about each. The contract of all is in tests/contracts."""

from typing import Any

import pytest
import torch
from torch import nn

from vmsbench.errors import ConfigurationError
from vmsbench.networks.conditions import Maps
from vmsbench.networks.layers import depth, normalisation
from vmsbench.networks.patch_discriminator import PatchDiscriminator
from vmsbench.networks.unet import UNet


def test_a_discriminator_heeds_what_an_encoder_saw() -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(5, 32, features=(6,), width=4).eval()
    stack, seen = torch.randn(1, 5, 32, 32), torch.randn(1, 6, 8, 8)
    assert not torch.allclose(judge(stack, [seen]), judge(stack, [-seen]))


def test_an_encoders_maps_are_brought_to_mean_0_and_deviation_1() -> None:
    maps = Maps([3], width=3, dropout=0.0)
    nn.init.dirac_(maps.projections[0].weight)
    nn.init.zeros_(maps.projections[0].bias)
    seen = 5 + 2 * torch.randn(50, 3, 8, 8)
    maps.learn([(seen.mean(dim=(0, 2, 3)), seen.std(dim=(0, 2, 3)))])
    shown = maps([seen], 8, 50)
    torch.testing.assert_close(shown.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(shown.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)
    assert maps([seen], 4, 50).shape[-1] == 4
    assert maps([seen], 16, 50).shape[-1] == 16


def test_what_is_dropped_in_training_is_dropped_for_all_draws_of_an_image() -> None:
    """Else draws would part by what they were not shown, which no draw of the trained model does."""
    torch.manual_seed(0)
    maps = Maps([6], width=3, dropout=0.5).train()
    seen = [torch.randn(2, 6, 4, 4)]
    for draws in maps(seen, 4, 8).split(4):
        assert torch.equal(draws, draws[:1].expand(4, -1, -1, -1))
    assert not torch.allclose(maps(seen, 4, 8), maps.eval()(seen, 4, 8)), "nothing was dropped"


def test_features_that_do_not_go_evenly_into_the_images_are_refused() -> None:
    with pytest.raises(ValueError, match="features of 2 pictures are given for 5 images"):
        Maps([6], width=3)([torch.randn(2, 6, 4, 4)], 4, 5)


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
