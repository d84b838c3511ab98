"""A running average of a network's weights, which predicts better than the last step's weights do."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """Exponential moving average with a warm-up: decay = min(`decay`, (1 + step) / (10 + step)).

    Without the warm-up a long average of a short training is mostly its random start. `decay` 0 is no average: the
    weights themselves.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = network
        self.decay = decay
        self.steps = 0
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()} if decay else {}

    @torch.no_grad()
    def update(self) -> None:
        """Add the current weights to the average; called after each step."""
        if not self.decay:
            return
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        averaged, current = [], []
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                averaged.append(self.weights[name])
                current.append(value)
            else:
                self.weights[name].copy_(value)
        torch._foreach_lerp_(averaged, current, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the network has the averaged weights, and after it its own again."""
        if not self.decay:
            yield
            return
        own = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.weights)
        try:
            yield
        finally:
            self.network.load_state_dict(own)

    def state_dict(self) -> dict[str, int | dict[str, Tensor]]:
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state: dict) -> None:
        self.steps = state["steps"]
        for name, value in state["weights"].items():
            self.weights[name].copy_(value)
