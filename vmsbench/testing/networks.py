"""What every network promises: images to images of the same size, whatever the channels, with a time or without."""

import torch
from torch import nn

from vmsbench.models.model import MakesNetwork


def network_contract(make: MakesNetwork, size: int = 32) -> None:
    """`make(inputs, outputs, size, timed=...)` gives a network, such as `partial(UNet, width=8)`."""
    for outputs in (1, 2, 3):
        for timed in (False, True):
            maps_images_to_images(make, outputs, size, timed)
    every_weight_learns(make, size)
    heeds_the_time(make, size)


def maps_images_to_images(make: MakesNetwork, outputs: int, size: int, timed: bool) -> None:
    network = make(5, outputs, size, timed=timed)
    made = network(torch.randn(2, 5, size, size), torch.rand(2) if timed else None)
    assert made.shape == (2, outputs, size, size), f"B x {outputs} x S x S is promised, {tuple(made.shape)} is given"


def every_weight_learns(make: MakesNetwork, size: int) -> None:
    network = with_random_weights(make(3, 2, size, timed=True))
    network(torch.randn(4, 3, size, size), torch.rand(4)).square().sum().backward()
    silent = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert not silent, f"no gradient reaches {', '.join(silent)}"


def heeds_the_time(make: MakesNetwork, size: int) -> None:
    network = with_random_weights(make(3, 2, size, timed=True)).eval()
    image = torch.randn(1, 3, size, size).expand(2, -1, -1, -1)
    early, late = network(image, torch.tensor([0.1, 0.9]))
    assert not torch.allclose(early, late), "a timed network gives the same at every time"


def with_random_weights(network: nn.Module) -> nn.Module:
    """Normal weights from a fixed seed: layers that begin at zero show nothing."""
    torch.manual_seed(0)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.1)
    return network
