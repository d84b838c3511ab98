"""Encoders: networks taught on other pictures; a thousand pairs need not teach how to see.

A frozen one is used as it is: what it sees is computed once and kept. One that is trained further (`train`) is part of
the network, and what is kept are the pictures.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from vmsbench.errors import ConfigurationError
from vmsbench.files import checked_sha256, read_bytes, read_from

STRIDES = (8, 16, 32)
LARGEST, MOST_WARPS = 1024, 64  # px, and pairs of warps
GRID = 16  # the finest stride whose maps are kept as they are; finer ones are pooled to it


class Encoder(ABC):
    """From pictures to maps of features at three strides, the finest first.

    size       px of the pictures it looks at; more than the model's own, as it was taught on large ones
    warps      pairs of fixed warps of each training picture that it looks at, besides picture and mirror image
    train      whether its weights are trained together with the network that sees through it
    lr         the learning rate of its weights then; the schedule is the network's
    channels   of its maps; empty where there is no encoder
    """

    channels: tuple[int, ...]
    train = False

    def __init__(self, size: int, warps: int, train: bool = False, lr: float = 1e-4) -> None:
        if not 64 <= size <= LARGEST or size % max(STRIDES):
            near = min(max(64, round(size / max(STRIDES)) * max(STRIDES)), LARGEST)
            raise ConfigurationError(f"size={size}: a multiple of {max(STRIDES)} from 64 to {LARGEST}; {near} works")
        if not 0 <= warps <= MOST_WARPS:
            raise ConfigurationError(
                f"encoder warps={warps}: 0 to {MOST_WARPS}; 1 makes four views of each training picture"
            )
        if lr <= 0:
            raise ConfigurationError(f"encoder lr={lr:g}: above 0; 0.0001 works")
        self.size, self.warps, self.train, self.lr = size, warps, train, lr

    @property
    def sides(self) -> tuple[int, ...]:
        """Of its maps, in pixels."""
        return tuple(self.size // max(stride, GRID) for stride in STRIDES)

    @property
    def use(self) -> str:
        """For `info`."""
        return "trained further" if self.train else "frozen"

    @property
    def kept(self) -> "Encoder":
        """What is computed of pictures once and kept: its maps, or the pictures themselves where it is trained."""
        return Pictures(self.size, self.warps) if self.train else self

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """What its features depend on, but for `size`: equal texts mean equal features of equal pictures."""

    @abstractmethod
    def info(self) -> dict[str, str]:
        """Its name, where its weights come from, their licence and SHA-256: for results and tables."""

    @abstractmethod
    def maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Features at strides 8, 16 and 32 of pictures in [0, 1], B x 3 x size x size."""

    def trainable(self) -> nn.Module:
        """A copy of the network behind `maps` that can be trained; it returns what `maps` returns.

        Raises ConfigurationError where an encoder has none.
        """
        raise ConfigurationError(
            f"{type(self).__name__} cannot be trained further: model.sight.encoder.train=false works"
        )

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """B x `channels` x `sides` x `sides` each, for pictures in [0, 1], B x 3 x size x size."""
        return pooled(self.maps(pictures), self.sides)


def pooled(maps: Sequence[Tensor], sides: Sequence[int]) -> tuple[Tensor, ...]:
    """Maps with at most so many pixels a side: the means of areas where they have more."""
    return tuple(
        functional.adaptive_avg_pool2d(map_, side) if map_.shape[-1] > side else map_
        for map_, side in zip(maps, sides, strict=True)
    )


class NoEncoder(Encoder):
    """Nobody looks beforehand."""

    channels: tuple[int, ...] = ()
    fingerprint = "none"

    def __init__(self) -> None:
        self.size, self.warps = 0, 0

    def info(self) -> dict[str, str]:
        return {}

    def maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return ()

    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return ()


class Pictures(Encoder):
    """The pictures themselves, as the maps that are kept for an encoder that is trained."""

    channels = (3,)
    fingerprint = "pictures"

    @property
    def sides(self) -> tuple[int, ...]:
        return (self.size,)

    def info(self) -> dict[str, str]:
        return {}

    def maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return (pictures,)


def weights(file: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """The tensors of a file of weights, on the CPU; nothing in it is run.

    Raises ConfigurationError where the file is not the expected one, or holds something else.
    """
    return tensors(file, checked_sha256(file, sha256, "install their package again"))


@cache
def tensors(file: Path, sha256: str) -> dict[str, Tensor]:
    """What a file of that SHA-256 holds: a state dict that torch.save or safetensors wrote."""
    try:
        if file.suffix == ".safetensors":
            return safe_tensors(file)
        state = read_from(file, partial(torch.load, map_location="cpu", weights_only=True))
    except OSError as error:
        raise ConfigurationError(f"the encoder's weights {file} cannot be read ({error.strerror or error})") from error
    except ConfigurationError:
        raise
    except Exception as error:  # a file of something else makes torch raise whatever it stumbles over
        raise ConfigurationError(
            f"{file} holds no weights ({type(error).__name__}); torch.save(state_dict) makes them"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ConfigurationError(f"{file} holds no state dict of tensors")
    return state


def safe_tensors(file: Path) -> dict[str, Tensor]:
    try:
        from safetensors.torch import load
    except ImportError as error:
        raise ConfigurationError(f"{file}: pip install 'vmsbench[timm]' brings what reads .safetensors") from error
    return dict(load(read_bytes(file)))
