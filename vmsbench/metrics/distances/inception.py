"""pytorch-fid's Inception with weights from a file: found, verified, and loaded without a network.

The only file that knows pytorch_fid. FID is FID with one set of weights alone, so they are known by their hash: other
weights can be used, and then the distance is called "Frechet (weights abc123)", never FID.
"""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

from vmsbench.data.pairs import unit
from vmsbench.errors import UserError
from vmsbench.files import read_from, sha256_of
from vmsbench.metrics.distances.feature_cache import as_bytes, as_rgb, cached

OFFICIAL_FILE = "pt_inception-2015-12-05-6726825d.pth"
OFFICIAL_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
OFFICIAL_BYTES = 95_628_359
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{OFFICIAL_FILE}"
DIMENSIONS = (64, 192, 768, 2048)
BATCH = 50

_construction = threading.Lock()


@dataclass(frozen=True)
class Weights:
    """A file of Inception weights in pytorch-fid's format, and what it is."""

    file: Path
    sha256: str

    @property
    def official(self) -> bool:
        return self.sha256 == OFFICIAL_SHA256

    def name(self, dimensions: int = 2048) -> str:
        """What a distance in these features may be called: "FID-2048", or "Frechet (weights abc123)"."""
        if self.official:
            return f"FID-{dimensions}"
        return f"Frechet{'' if dimensions == 2048 else f'-{dimensions}'} (weights {self.sha256[:6]})"


@dataclass(frozen=True)
class NoWeights:
    """No usable weights; `reason` says why and what to do. `missing`: there is no file at all."""

    reason: str
    missing: bool = False


def find_weights(path: str | Path | None = None) -> Weights | NoWeights:
    """The weights at `path`, else in $TORCH_HOME/hub/checkpoints, else in ~/.cache/torch/hub/checkpoints.

    Reads the whole file (its sha256), and tries to load it where it is not the official one. Never raises for a file
    that is missing, cut short or of another kind, and never touches the network.
    """
    if find_spec("pytorch_fid") is None or find_spec("torchvision") is None:
        return NoWeights("pytorch-fid or its torchvision is not installed: `pip install pytorch-fid`")
    tried = places(path)
    file = next((place for place in tried if place.is_file()), None)
    if file is None:
        return NoWeights(
            f"no Inception weights at {' or '.join(map(str, tried))}; download {URL} ({OFFICIAL_BYTES:,} bytes, "
            f"sha256 {OFFICIAL_SHA256[:8]}...) on a machine with internet and copy it there by scp or rsync, or give "
            "fid.weights=PATH (`vmsbench weights check` shows each step)",
            missing=True,
        )
    try:
        weights = Weights(file.resolve(), sha256_of(file))
        if not weights.official:
            _network(weights, (2048,))
    except OSError as error:
        return NoWeights(f"{file} cannot be read: {error.strerror}")
    except UserError as error:
        return NoWeights(str(error))
    return weights


def features(
    images: Tensor,
    weights: Weights,
    dimensions: Sequence[int] = (64, 2048),
    device: torch.device | str = "cpu",
    cache: Path | None = None,
) -> dict[int, Tensor]:
    """The Inception features of N images, at each of `dimensions`: {d: float32 N x d, on the CPU}.

    images      N x C x H x W, bytes or floats in [0, 1]. Floats are rounded to the 256 levels of a picture file: the
                features are those of the maps saved as PNG. Two channels are padded with blue = 0, one is repeated.
    cache       a folder for features that will be asked for again, such as the truth's, kept by the content's hash

    Raises UserError where the values are outside [0, 1] or the weights do not fit.
    """
    unknown = [d for d in dimensions if d not in DIMENSIONS]
    if unknown:
        raise UserError(
            f"Inception has no {unknown[0]}-dimensional features; there are {', '.join(map(str, DIMENSIONS))}"
        )
    bytes_ = as_bytes(images)

    def extract() -> dict[int, Tensor]:
        network = _network(weights, dimensions).to(device)
        batches: dict[int, list[Tensor]] = {d: [] for d in dimensions}
        with torch.inference_mode():
            for batch in bytes_.split(BATCH):
                for d, maps in zip(sorted(dimensions), network(as_rgb(unit(batch.to(device)))), strict=True):
                    batches[d].append(functional.adaptive_avg_pool2d(maps, 1).flatten(1).float().cpu())
        return {d: torch.cat(batch) if batch else torch.empty(0, d) for d, batch in batches.items()}

    return cached(cache, "inception", f"{weights.sha256} {sorted(dimensions)}", bytes_, extract)


def places(path: str | Path | None = None) -> list[Path]:
    """Where the weights are looked for, in order: `path` alone where it is given."""
    if path:
        return [Path(path).expanduser()]
    homes = [Path(home).expanduser()] if (home := os.environ.get("TORCH_HOME")) else []
    return [home / "hub" / "checkpoints" / OFFICIAL_FILE for home in (*homes, Path.home() / ".cache" / "torch")]


def _network(weights: Weights, dimensions: Sequence[int]) -> torch.nn.Module:
    """pytorch-fid's InceptionV3 in evaluation mode. Raises UserError where the file holds something else."""
    from pytorch_fid import inception

    try:
        state: dict[str, Any] = read_from(weights.file, partial(torch.load, map_location="cpu", weights_only=True))
        blocks = [inception.InceptionV3.BLOCK_INDEX_BY_DIM[d] for d in dimensions]
        # pytorch-fid has no way to take a file: it asks this function for the state, which would download it.
        with _construction, patch.object(inception, "load_state_dict_from_url", lambda *_, **__: state):
            network: torch.nn.Module = inception.InceptionV3(blocks)
    except (UnpicklingError, RuntimeError, EOFError, TypeError, AttributeError, KeyError, ValueError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        first = "torch.save did not write it" if isinstance(error, UnpicklingError) else first
        size = weights.file.stat().st_size
        raise UserError(
            f"{weights.file} holds no Inception weights in pytorch-fid's format ({size:,} bytes; the official file has "
            f"{OFFICIAL_BYTES:,}): {first[:200]}"
        ) from error
    return network.eval()
