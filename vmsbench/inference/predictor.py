"""A finished experiment as a function from images to maps, rebuilt from its folder alone."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vmsbench.config.instantiate import build
from vmsbench.config.weight_files import located
from vmsbench.data.encoded.features import Features, seen_now
from vmsbench.data.pairs import signed
from vmsbench.errors import UserError
from vmsbench.files import read_from
from vmsbench.inference.maps import Picture, PredictedMap, Sizes, opened, together
from vmsbench.models.model import Model
from vmsbench.processes import keep_freed_memory
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.training.checks import chosen_device
from vmsbench.training.validation import FIXED_SEED, fixed_rng
from vmsbench.versions import read_checked

FeaturesAt = Callable[[Tensor], Features]
"""What an encoder sees in those of some images that are chosen by their places."""

MEMBERS = "members"  # in an ensemble's config.json: the finals that belong to it, in place of settings


class MapPredictor(ABC):
    """Images in, maps out: a trained model, or several together.

    channels    of the maps: 2 (red and green), 3 or 1 (grey)
    size        of images and maps, in pixels
    samples     maps drawn of each image in its evaluation; 1 where it is deterministic
    batch_size  images that are predicted at once
    """

    channels: int
    size: int
    samples: int
    batch_size: int
    device: torch.device

    @property
    @abstractmethod
    def random(self) -> bool:
        """Whether it draws maps, and no two are the same."""

    @property
    @abstractmethod
    def sizes(self) -> Sizes:
        """px at which pictures are to be read: for the model, and for its encoder."""

    @abstractmethod
    def __call__(self, images: Tensor, samples: int = 1, features: FeaturesAt | None = None) -> Tensor:
        """Maps for uint8 images, N x 3 x S x S: uint8, N x `samples` x C x S x S.

        features   what the model's encoder sees in them, where it has one, asked for batch by batch; None: it looks at
                   the images, enlarged
        The random draws of an image depend on its place in `images`, and are the same every time.
        """

    @abstractmethod
    def features_of(self, pictures: Tensor) -> Features:
        """What the model's encoder, where it has one, sees in uint8 pictures, N x 3 x S x S; the larger the better."""

    def predict(self, pictures: Picture | Iterable[Picture], samples: int | None = None) -> Any:
        """The maps of pictures of any size: a PredictedMap for a single picture, a list of them for a folder, a list
        or an array of several.

        pictures  a file, a folder, a PIL image, a uint8 array (numpy H x W x 3, torch 3 x H x W), or several of these
        samples   maps drawn of each picture (default: as in the model's results)

        Raises UserError for what is not a picture, UnreadableFile for a broken file.
        """
        read, single = opened(pictures, self.sizes)
        draws = (samples or self.samples) if self.random else 1
        at_once = 1 if self.random else self.batch_size
        maps: list[PredictedMap] = []
        for start in range(0, len(read), at_once):
            part = read[start : start + at_once]
            pixels, large = together([picture for _, picture in part])
            drawn = self(pixels, draws, self.features_of(large).at)
            maps += [PredictedMap(name, m, r.width, r.height) for (name, r), m in zip(part, drawn, strict=True)]
        return maps[0] if single else maps


@dataclass(frozen=True)
class TrainedModel(MapPredictor):
    """A trained model in evaluation mode, with the weights of its results (the running average, or the best epoch's).

    seed    of its random draws
    """

    model: Model
    channels: int
    size: int
    samples: int
    batch_size: int
    device: torch.device
    seed: int = FIXED_SEED

    @property
    def random(self) -> bool:
        return self.model.random

    @property
    def sizes(self) -> Sizes:
        return self.size, self.model.sight.encoder.size

    @torch.inference_mode()
    def __call__(self, images: Tensor, samples: int = 1, features: FeaturesAt | None = None) -> Tensor:
        drawn, at_once = [], max(1, self.batch_size // samples)
        with fixed_rng(self.seed, self.device):
            for chosen in torch.arange(len(images), device=images.device).split(at_once):
                batch = images[chosen]
                seen = self.features_of(batch) if features is None else features(chosen)
                maps = self.model.sample(signed(batch.to(self.device)), samples, features=seen)
                drawn.append(((maps + 1) / 2).clamp(0, 1).mul(255).round().to(torch.uint8).cpu())
        return torch.cat(drawn) if drawn else torch.empty(0, samples, self.channels, self.size, self.size).byte()

    @torch.inference_mode()
    def features_of(self, pictures: Tensor) -> Features:
        return seen_now(self.model.sight.encoder.kept, pictures.to(self.device), mirrored=self.model.flip_tta)


def load(folder: Path, device: str = "auto", encoder_weights: Path | str | None = None) -> TrainedModel:
    """The predictor in an experiment's folder. On a CPU this process keeps its freed memory from then on.

    encoder_weights  where the file is now of whose weights its encoder was made

    Raises UserError where there is no finished training, or that file holds something else.
    """
    there = ExperimentFolder(folder)
    config = document(there.config_file, "it is not a trial, a final or a training")
    if MEMBERS in config:
        raise UserError(f"{folder} is an ensemble, which is not one model; name one of the finals next to it")
    results = document(there.results_file, "its training is not finished")
    where = chosen_device(device)
    if where.type == "cpu":
        keep_freed_memory()
    config = located(config, encoder_weights)
    model: Model = build(config["model"], "model", channels=results["channels"], size=results["size"])
    model.load_state_dict(weights(there.checkpoint))
    samples = results["samples"] if model.random else 1
    batch_size = config["evaluation"]["batch_size"]
    model.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]  # as in training: faster
    return TrainedModel(model.eval(), results["channels"], results["size"], samples, batch_size, where)


def weights(checkpoint: Path) -> dict[str, Tensor]:
    try:
        kept: dict[str, Any] = read_from(checkpoint, partial(torch.load, map_location="cpu", weights_only=True))
        return dict(kept["weights"])
    except FileNotFoundError as error:
        raise UserError(f"{checkpoint} does not exist: the weights were deleted, or not copied") from error
    except OSError as error:
        raise UserError(f"{checkpoint} cannot be read ({error.strerror or error})") from error
    except Exception as error:  # torch raises many kinds of error for a file cut short
        raise UserError(f"{checkpoint} holds no finished training ({type(error).__name__})") from error


def document(file: Path, missing: str) -> dict[str, Any]:
    """The JSON object in a file. Raises UserError for one that is not, and where it is `missing`."""
    try:
        return read_checked(file)
    except FileNotFoundError as error:
        raise UserError(f"{file.parent} has no {file.name}: {missing}") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{file} is not JSON: {error}") from error
