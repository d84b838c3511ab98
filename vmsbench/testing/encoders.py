"""What every encoder promises: maps of the channels and sides that it names, of each picture for itself."""

from typing import Protocol

import torch
from torch import Tensor, nn

from vmsbench.errors import ConfigurationError
from vmsbench.networks.encoder import STRIDES, Encoder

PICTURES = 3
NEAR = 1e-3
"""How far the maps of a picture may differ between batches, whose sums are taken in another order."""


class MakesAnEncoder(Protocol):
    """An encoder's class, or it with settings of its own, such as `partial(EfficientNetLite, version=0)`."""

    def __call__(self, *, size: int, warps: int, train: bool) -> Encoder: ...


def encoder_contract(make: MakesAnEncoder, size: int = 64) -> None:
    """`make(size=..., warps=..., train=...)` gives an encoder; pictures are `size` px."""
    before = torch.get_rng_state()
    encoder = make(size=size, warps=2, train=False)
    pictures = torch.rand(PICTURES, 3, size, size, generator=torch.Generator().manual_seed(0))
    has_the_maps_that_it_names(encoder, pictures)
    each_picture_is_seen_for_itself(encoder, pictures)
    assert torch.equal(before, torch.get_rng_state()), "it draws from torch's generator, and so changes the training"
    is_known(make, encoder)
    can_be_trained_or_says_no(make(size=size, warps=2, train=True), encoder, pictures)


def has_the_maps_that_it_names(encoder: Encoder, pictures: Tensor) -> None:
    assert (encoder.size, encoder.warps) == (pictures.shape[-1], 2), "size and warps are those that it is given"
    assert len(encoder.channels) == len(STRIDES), f"channels are those at strides {STRIDES}, not {encoder.channels}"
    maps = encoder(pictures)
    found = [tuple(map_.shape) for map_ in maps]
    named = [(len(pictures), c, side, side) for c, side in zip(encoder.channels, encoder.sides, strict=True)]
    assert found == named, f"maps of shapes {named} are promised, {found} are given"
    assert all(map_.is_floating_point() and map_.isfinite().all() for map_ in maps), "maps are finite numbers"
    blank = encoder(torch.zeros_like(pictures))
    assert not all(map(torch.equal, maps, blank)), "every picture has the same maps"


def each_picture_is_seen_for_itself(encoder: Encoder, pictures: Tensor) -> None:
    whole = encoder(pictures)
    assert all(map(torch.equal, whole, encoder(pictures))), "the same pictures have other maps the second time"
    for number in range(len(pictures)):
        alone = encoder(pictures[number : number + 1])
        same = (
            torch.allclose(map_[number : number + 1], one, atol=NEAR, rtol=NEAR)
            for map_, one in zip(whole, alone, strict=True)
        )
        assert all(same), "a picture has other maps in a batch than alone"


def is_known(make: MakesAnEncoder, encoder: Encoder) -> None:
    again = make(size=encoder.size, warps=encoder.warps, train=False)
    assert isinstance(encoder.fingerprint, str), "a fingerprint is text"
    assert encoder.fingerprint == again.fingerprint, "the same encoder has another fingerprint the second time"
    facts = encoder.info()
    assert facts.get("encoder"), "info() names it, as `encoder`"
    assert all(isinstance(fact, str) and "\n" not in fact for fact in facts.values()), "info() has lines of text"


def trainable(encoder: Encoder) -> nn.Module | str:
    """What is trained, or why it cannot be."""
    try:
        return encoder.trainable()
    except ConfigurationError as error:
        return str(error)


def can_be_trained_or_says_no(trained: Encoder, frozen: Encoder, pictures: Tensor) -> None:
    """Before it is trained it sees what the frozen one sees, in training mode too; weights get gradients."""
    assert trained.train, "train is what it is given"
    assert trained.kept.channels == (3,), "of an encoder that is trained the pictures are kept, not its maps"
    network = trainable(trained)
    if isinstance(network, str):
        assert "\n" not in network, "why it cannot be trained is one line"
        return
    state = {name: value.clone() for name, value in network.state_dict().items()}
    maps = network.train()(pictures)
    for own, other in zip(maps, frozen.maps(pictures), strict=True):
        assert torch.allclose(own, other, atol=NEAR, rtol=NEAR), (
            "before its training it sees something else than the frozen one"
        )
    torch.stack([map_.square().mean() for map_ in maps]).sum().backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in network.parameters()), (
        "no gradient reaches a weight"
    )
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items()), (
        "looking at pictures changes it: its batch norms keep their statistics"
    )
    before = frozen(pictures)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    assert all(map(torch.equal, before, frozen(pictures))), "its training changes the frozen one: trainable() is a copy"
