"""Any of torchvision's classifiers as an encoder, with weights from a file: nothing is ever downloaded."""

from copy import deepcopy
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from vmsbench.errors import ConfigurationError, did_you_mean
from vmsbench.networks.encoder import STRIDES, Encoder, digest
from vmsbench.networks.encoder import weights as weights_in

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, as torchvision has them


class Torchvision(Encoder):
    """The last maps at strides 8, 16 and 32 within `architecture`, such as resnet50.

    weights   a file of its state dict, as torchvision.models.resnet50(...).state_dict() saved by torch.save
    """

    def __init__(
        self,
        architecture: str = "resnet50",
        weights: str | None = None,
        size: int = 256,
        warps: int = 1,
        train: bool = False,
        lr: float = 1e-4,
    ) -> None:
        super().__init__(size, warps, train, lr)
        if weights is None:
            raise ConfigurationError(
                "encoder=torchvision needs a file: model.sight.encoder.weights=FILE, the state dict of "
                f"torchvision.models.{architecture}"
            )
        self.architecture, self.file = architecture, Path(weights).expanduser()
        self.sha256 = digest(self.file)
        self.channels = channels_of(architecture, size)

    @property
    def fingerprint(self) -> str:
        return f"torchvision {self.architecture} {self.sha256}"

    def info(self) -> dict[str, str]:
        return {
            "encoder": f"torchvision's {self.architecture} at {self.size} px, {self.use}",
            "encoder_weights": f"{self.file.name}, a file of the user's own; licence not known",
            "encoder_sha256": self.sha256,
        }

    def maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return maps_within(loaded(self.architecture, self.file, pictures.device), standard(pictures))

    def trainable(self) -> nn.Module:
        return TrainableClassifier(deepcopy(loaded(self.architecture, self.file, torch.device("cpu"))))


class TrainableClassifier(nn.Module):
    """A classifier's maps, with batch norms that keep the statistics of the pictures that they were taught on."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def train(self, mode: bool = True) -> "TrainableClassifier":
        return super().train(False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return maps_within(self.classifier, standard(pictures))


def standard(pictures: Tensor) -> Tensor:
    """Pictures in [0, 1] as torchvision's classifiers were shown them."""
    mean, deviation = (pictures.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    return (pictures - mean) / deviation


def bare(architecture: str) -> nn.Module:
    """The architecture without memory for its weights. Raises ConfigurationError for one that there is not."""
    from torchvision import models

    valid = models.list_models(module=models)
    if architecture not in valid:
        raise ConfigurationError(f"torchvision has no {architecture}{did_you_mean(architecture, valid)}")
    with torch.device("meta"):
        return models.get_model(architecture, weights=None).eval()


@cache
def channels_of(architecture: str, size: int) -> tuple[int, ...]:
    """Raises ConfigurationError for an architecture without such maps, such as a vision transformer."""
    try:
        with torch.device("meta"):
            return tuple(map_.shape[1] for map_ in maps_within(bare(architecture), torch.zeros(1, 3, size, size)))
    except (KeyError, AssertionError, RuntimeError) as error:
        raise ConfigurationError(
            f"torchvision's {architecture} has no maps at strides {STRIDES} of {size} px pictures; resnet50 has"
        ) from error


@cache
def loaded(architecture: str, file: Path, device: torch.device) -> nn.Module:
    network = bare(architecture)
    try:
        network.load_state_dict(weights_in(file), assign=True)
    except RuntimeError as error:
        raise ConfigurationError(f"{file} does not hold the weights of torchvision's {architecture}") from error
    return network.to(device)


def maps_within(network: nn.Module, pictures: Tensor) -> tuple[Tensor, ...]:
    """What the modules of a network gave last at each of the strides. Raises KeyError where none gave any."""
    size, found = pictures.shape[-1], {}

    def keep(module: nn.Module, given: object, made: object) -> None:
        if isinstance(made, Tensor) and made.ndim == 4 and made.shape[-1] == made.shape[-2]:
            found[made.shape[-1]] = made

    hooks = [module.register_forward_hook(keep) for module in network.modules()]
    try:
        network(pictures)
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(found[size // stride] for stride in STRIDES)
