"""A network and the encoder through which it sees, trained together."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from vmsbench.networks.encoder import Encoder, pooled


class SeeingNetwork(nn.Module):
    """A network that is given pictures where others are given an encoder's maps of them.

    network   made as any other; its call takes `features`
    """

    def __init__(self, network: nn.Module, encoder: Encoder) -> None:
        super().__init__()
        self.network, self.encoder = network, encoder.trainable()
        self.sides, self.lr = encoder.sides, encoder.lr

    def forward(self, stack: Tensor, *time: Tensor, features: Sequence[Tensor], **conditions: Tensor) -> Tensor:
        """What the network predicts.

        features   the pictures, B x 3 x S x S in [0, 1], alone; or their maps, as `encoded` returns them
        """
        return self.network(stack, *time, features=self.encoded(features), **conditions)

    def encoded(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The encoder's maps, B x C x H x W for each stride, where they are not given already."""
        return pooled(self.encoder(features[0]), self.sides) if len(features) == 1 else tuple(features)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The network's weights, and the encoder's with their own learning rate."""
        return [
            {"params": list(self.network.parameters())},
            {"params": list(self.encoder.parameters()), "lr": self.lr},
        ]
