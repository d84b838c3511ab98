"""What every model promises: maps within [-1, 1], and losses that each reach the player they are yielded for."""

from collections.abc import Callable

import torch

from vmsbench.models.model import Model

BATCHES = 10  # within which every player is updated


def model_contract(make: Callable[[int, int], Model], size: int = 32) -> None:
    """`make(channels, size)` gives a model; it is trained on a few batches."""
    for channels in (1, 2, 3):
        torch.manual_seed(0)
        model = make(channels, size)
        image, label = torch.rand(2, 3, size, size) * 2 - 1, torch.rand(2, channels, size, size) * 2 - 1
        model.prepare(image, label)
        every_player_is_taught(model, image, label)
        samples_are_maps(model.eval(), image, channels)
        if model.sampling_steps is not None:
            model.sampling_steps = 1  # `vmsbench tradeoff` sets it
            samples_are_maps(model, image, channels)


def every_player_is_taught(model: Model, image: torch.Tensor, label: torch.Tensor) -> None:
    assert model.players().get("network") is model.network, "the player `network` is the network that predicts"
    taught: set[str] = set()
    for _ in range(BATCHES):
        taught |= those_taught(model, image, label)
    assert taught == set(model.players()), f"{', '.join(set(model.players()) - taught)} gets no loss"


def those_taught(model: Model, image: torch.Tensor, label: torch.Tensor) -> set[str]:
    players, taught = model.players(), set()
    for player, terms in model.losses(image, label):
        assert player in players, f"a loss of {player}, which is not a player"
        weights = [weight for weight in players[player].parameters() if weight.requires_grad]
        torch.stack(list(terms.values())).sum().backward(inputs=weights)
        assert any(weight.grad is not None for weight in weights), f"the loss of {player} reaches none of its weights"
        taught.add(player)
    model.on_step_end()
    return taught


@torch.no_grad()
def samples_are_maps(model: Model, image: torch.Tensor, channels: int) -> None:
    for quick in (False, True):
        maps = model.sample(image, 3, quick)
        assert maps.shape == (2, 3, channels, *image.shape[2:]), f"samples of shape {tuple(maps.shape)}"
        assert maps.abs().max() <= 1 + 1e-5, "samples lie within [-1, 1]"
        same = torch.allclose(maps[:, 0], maps[:, 1])
        assert same != model.random, f"`random` is {model.random}, but the samples of an image differ from that"
