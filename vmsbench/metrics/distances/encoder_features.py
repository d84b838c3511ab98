"""The features of an encoder that a package brings, for where Inception's weights cannot be had.

EfficientNet-Lite0 names the 1000 things of ImageNet, as Inception does; distances in its 1280 features ask the same
question, and have figures of their own: they are called by its name and never FID.
"""

from pathlib import Path

import torch
from torch import Tensor

from vmsbench.data.pairs import unit
from vmsbench.errors import ConfigurationError
from vmsbench.metrics.distances.feature_cache import Features, as_bytes, as_rgb, cached
from vmsbench.networks.efficientnet import PACKAGES, Package, pooled_features

VERSION, SIZE, DIMENSIONS = 0, 224, 1280
BATCH = 16  # on a CPU, one thread: 19 ms a map, 34 in batches of 32, whose tensors malloc returns each time
NAME = "EfficientNet-Lite0"


def find_encoder() -> Package | str:
    """The package with the encoder's weights, or why there is none, with the command that installs it."""
    try:
        PACKAGES[VERSION].path()
    except ConfigurationError as error:
        return str(error)
    return PACKAGES[VERSION]


def encoder_features(maps: Tensor, device: torch.device | str = "cpu", cache: Path | None = None) -> Features:
    """{1280: N x 1280} of N x C x H x W maps, bytes or floats in [0, 1], as `inception.features` has them.

    Raises ConfigurationError where the package is not installed.
    """
    pictures = as_bytes(maps)

    def extract() -> Features:
        parts = [
            pooled_features(as_rgb(unit(part.to(device))), VERSION, SIZE, BATCH).cpu() for part in pictures.split(BATCH)
        ]
        return {DIMENSIONS: torch.cat(parts) if parts else torch.empty(0, DIMENSIONS)}

    return cached(cache, "lite0", f"{PACKAGES[VERSION].sha256} {SIZE}", pictures, extract)
