"""A classifier of a library as an encoder, with weights from a file: nothing is ever downloaded."""

from abc import abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from vmsbench.errors import ConfigurationError
from vmsbench.files import checked_sha256
from vmsbench.networks.encoder import STRIDES, Encoder
from vmsbench.networks.encoder import weights as weights_in


class ClassifierEncoder(Encoder):
    """The maps at strides 8, 16 and 32 within an architecture of `library`.

    architecture   its name there
    weights        a file of its state dict
    sha256         of that file: filled in when a training starts, and checked from then on
    """

    library: ClassVar[str]

    def __init__(
        self,
        architecture: str = "resnet50",
        weights: str | None = None,
        sha256: str | None = None,
        size: int = 256,
        warps: int = 1,
        train: bool = False,
        lr: float = 1e-4,
    ) -> None:
        super().__init__(size, warps, train, lr)
        self.check_architecture(architecture)
        if weights is None:
            raise ConfigurationError(
                f"encoder={self.library} needs a file: model.sight.encoder.weights=FILE, the state dict of "
                f"{self.library}'s {architecture}"
            )
        self.architecture, self.file = architecture, Path(weights).expanduser()
        self.sha256 = checked_sha256(self.file, sha256, "weights=FILE names those that were trained with")
        self.channels = channels_of(type(self), architecture, size)

    @classmethod
    @abstractmethod
    def check_architecture(cls, architecture: str) -> None:
        """Raises ConfigurationError where the library is not installed, or has no such architecture."""

    @classmethod
    @abstractmethod
    def untaught(cls, architecture: str) -> nn.Module:
        """The architecture, its weights whatever they are."""

    @classmethod
    @abstractmethod
    def maps_within(cls, classifier: nn.Module, pictures: Tensor) -> tuple[Tensor, ...]:
        """Those of pictures in [0, 1]. Raises one of NO_MAPS where it has none at some stride."""

    @property
    def fingerprint(self) -> str:
        return f"{self.library} {self.architecture} {self.sha256}"

    def info(self) -> dict[str, str]:
        return {
            "encoder": f"{self.library}'s {self.architecture} at {self.size} px, {self.use}",
            "encoder_weights": f"{self.file.name}, a file of the user's own; licence not known",
            "encoder_sha256": self.sha256,
        }

    def maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return self.maps_within(self.taught(pictures.device), pictures)

    def trainable(self) -> nn.Module:
        return TrainableClassifier(type(self), deepcopy(self.taught(torch.device("cpu"))))

    def taught(self, device: torch.device) -> nn.Module:
        return loaded(type(self), self.architecture, self.file, self.sha256, device)


NO_MAPS = (KeyError, AttributeError, AssertionError, RuntimeError, ValueError)
Kind = type[ClassifierEncoder]


class TrainableClassifier(nn.Module):
    """A classifier's maps, with batch norms that keep the statistics of the pictures that they were taught on."""

    def __init__(self, kind: Kind, classifier: nn.Module) -> None:
        super().__init__()
        self.kind, self.classifier = kind, classifier

    def train(self, mode: bool = True) -> "TrainableClassifier":
        return super().train(False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return self.kind.maps_within(self.classifier, pictures)


def standard(pictures: Tensor, mean: Sequence[float], deviation: Sequence[float]) -> Tensor:
    """Pictures in [0, 1] as a classifier was shown them."""
    middle, scale = (pictures.new_tensor(values)[:, None, None] for values in (mean, deviation))
    return (pictures - middle) / scale


@cache
@torch.no_grad()
def channels_of(kind: Kind, architecture: str, size: int) -> tuple[int, ...]:
    """Raises ConfigurationError for an architecture without such maps, such as a vision transformer."""
    classifier = made(kind, architecture)
    try:
        with torch.device("cpu"):
            maps = kind.maps_within(classifier, torch.zeros(1, 3, size, size))
    except NO_MAPS as error:
        said = f"architecture={architecture}: {kind.library}'s has no maps at strides {STRIDES} of {size} px pictures"
        raise ConfigurationError(f"{said}; resnet50 has") from error
    return tuple(map_.shape[1] for map_ in maps)


@cache
def loaded(kind: Kind, architecture: str, file: Path, sha256: str, device: torch.device) -> nn.Module:
    classifier = made(kind, architecture)
    try:
        classifier.load_state_dict(weights_in(file, sha256), assign=True)
    except ConfigurationError as error:
        raise ConfigurationError(f"model.sight.encoder.weights: {error}") from error
    except RuntimeError as error:
        said = f"does not hold the weights of {kind.library}'s {architecture}"
        raise ConfigurationError(f"model.sight.encoder.weights={file} {said}") from error
    return classifier.to(device)


def made(kind: Kind, architecture: str) -> nn.Module:
    """In evaluation mode, on the CPU; nothing is drawn from torch's generator. Raises ConfigurationError with the
    library's reason where it does not make one."""
    try:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            return kind.untaught(architecture).eval()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"architecture={architecture}: {kind.library} does not make it ({reason}); resnet50 works"
        ) from error
