"""What every network promises: images to images of the same size, whatever the channels, with a time or without.

One that takes an encoder's maps (`features`) and noise heeds them too.
"""

from typing import Any

import torch
from torch import nn

from vmsbench.config.instantiate import accepted
from vmsbench.models.model import MakesNetwork

FEATURES, NOISE = (6, 4), 3  # channels of an encoder's maps, at two strides; numbers


def network_contract(make: MakesNetwork, size: int = 32) -> None:
    """`make(inputs, outputs, size, timed=...)` gives a network, such as `partial(UNet, width=8)`."""
    for outputs in (1, 2, 3):
        for timed in (False, True):
            maps_images_to_images(make, outputs, size, timed)
    made_by: Any = make
    takes = accepted(getattr(made_by, "func", made_by))  # of a partial
    given: dict[str, Any] = {"features": FEATURES} if {"features", "**"} & set(takes) else {}
    given |= {"noise": NOISE} if {"noise", "**"} & set(takes) else {}
    every_weight_learns(make, size, given)
    heeds_the_time(make, size)
    for timed in (False, True) if given else ():
        heeds_what_it_is_given(make, size, timed, given)
    if "features" in given:
        takes_maps_once_for_several_draws(make, size)


def maps_images_to_images(make: MakesNetwork, outputs: int, size: int, timed: bool) -> None:
    network = make(5, outputs, size, timed=timed)
    made = network(torch.randn(2, 5, size, size), torch.rand(2) if timed else None)
    assert made.shape == (2, outputs, size, size), f"B x {outputs} x S x S is promised, {tuple(made.shape)} is given"


def every_weight_learns(make: MakesNetwork, size: int, given: dict[str, Any]) -> None:
    network = with_random_weights(make(3, 2, size, timed=True, **given))
    network(torch.randn(4, 3, size, size), torch.rand(4), **drawn(given, 4, size)).square().sum().backward()
    silent = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert not silent, f"no gradient reaches {', '.join(silent)}"


def heeds_the_time(make: MakesNetwork, size: int) -> None:
    network = with_random_weights(make(3, 2, size, timed=True)).eval()
    image = torch.randn(1, 3, size, size).expand(2, -1, -1, -1)
    early, late = network(image, torch.tensor([0.1, 0.9]))
    assert not torch.allclose(early, late), "a timed network gives the same at every time"


def heeds_what_it_is_given(make: MakesNetwork, size: int, timed: bool, given: dict[str, Any]) -> None:
    """Other maps at one stride, or other noise, give another image."""
    network = with_random_weights(make(5, 2, size, timed=timed, **given)).eval()
    image, time = torch.randn(1, 5, size, size), torch.rand(1) if timed else None
    inputs = drawn(given, 1, size)
    first = network(image, time, **inputs)
    assert first.shape == (1, 2, size, size), f"B x 2 x S x S is promised, {tuple(first.shape)} is given"
    for name, value in inputs.items():
        for other in [-value] if isinstance(value, torch.Tensor) else negated(value):
            changed = network(image, time, **inputs | {name: other})
            assert not torch.equal(first, changed), f"it gives the same for other {name}"


def negated(maps: tuple[torch.Tensor, ...]) -> list[tuple[torch.Tensor, ...]]:
    """The maps with those of one stride negated, for each stride."""
    return [tuple(-map_ if at == place else map_ for place, map_ in enumerate(maps)) for at in range(len(maps))]


def takes_maps_once_for_several_draws(make: MakesNetwork, size: int) -> None:
    """Maps of 2 pictures, asked about 3 times each, are as good as three copies of each."""
    network = with_random_weights(make(5, 2, size, features=FEATURES)).eval()
    image, maps = torch.randn(6, 5, size, size), drawn({"features": FEATURES}, 2, size)["features"]
    once, copied = (network(image, None, features=one) for one in (maps, [m.repeat_interleave(3, 0) for m in maps]))
    assert torch.allclose(once, copied, atol=1e-5, rtol=1e-4), (
        "features of B / k pictures, for k images each, are not those of B"
    )


def drawn(given: dict[str, Any], count: int, size: int) -> dict[str, Any]:
    """What is passed in a call where a network is made with that: maps at strides 2 and 4, and noise."""
    sides = [size // 2, size // 4]
    maps = tuple(torch.randn(count, c, side, side) for c, side in zip(FEATURES, sides, strict=True))
    inputs = {"features": maps, "noise": torch.randn(count, NOISE)}
    return {name: inputs[name] for name in given}


def with_random_weights(network: nn.Module) -> nn.Module:
    """Normal weights from a fixed seed: layers that begin at zero show nothing."""
    torch.manual_seed(0)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.1)
    return network
