"""Several encoders at once: what one does not see, another may (DeepGaze IIE, Linardos et al. 2021)."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from vmsbench.errors import ConfigurationError
from vmsbench.networks.encoder import Encoder


class MakesEncoder(Protocol):
    """An encoder without what the set gives all of them, such as `partial(EfficientNetLite, version=0)`."""

    def __call__(self, *, size: int, warps: int, train: bool) -> Encoder: ...


class EncoderSet(Encoder):
    """Encoders that look at the same pictures; their channels at each stride stand one after the other."""

    def __init__(
        self, encoders: Sequence[MakesEncoder], size: int = 256, warps: int = 1, train: bool = False, lr: float = 1e-4
    ) -> None:
        super().__init__(size, warps, train, lr)
        if not encoders:
            raise ConfigurationError("model.sight.encoder.encoders=[]: at least one; encoder=none works without any")
        self.encoders = [make(size=size, warps=warps, train=train) for make in encoders]
        self.channels = tuple(map(sum, zip(*(encoder.channels for encoder in self.encoders), strict=True)))

    @property
    def fingerprint(self) -> str:
        return " + ".join(encoder.fingerprint for encoder in self.encoders)

    def info(self) -> dict[str, str]:
        facts = [encoder.info() for encoder in self.encoders]
        names = dict.fromkeys(name for fact in facts for name in fact)
        return {name: "; ".join(fact[name] for fact in facts if name in fact) for name in names}

    def maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return together([encoder.maps(pictures) for encoder in self.encoders])

    def trainable(self) -> nn.Module:
        return Together(encoder.trainable() for encoder in self.encoders)


class Together(nn.ModuleList):
    """Trainable encoders as one."""

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return together([encoder(pictures) for encoder in self])


def together(found: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
    """The maps of several encoders, joined at each stride."""
    return tuple(torch.cat(stride, dim=1) for stride in zip(*found, strict=True))
