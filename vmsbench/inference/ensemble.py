"""Trainings of one configuration from several seeds as one predictor."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vmsbench.data.encoded.features import Features
from vmsbench.inference.maps import Sizes
from vmsbench.inference.predictor import MEMBERS, FeaturesAt, MapPredictor, TrainedModel, document
from vmsbench.inference.predictor import load as load_one
from vmsbench.store.experiment_folder import ExperimentFolder
from vmsbench.store.sweep_folder import SweepFolder


class Ensemble(MapPredictor):
    """Several trainings of one configuration together.

    Models with one map per image answer with the mean of their maps (Lakshminarayanan et al. 2017, section 2.4). Of
    models that draw maps each contributes as many draws as the others, so that the maps are of the mixture of their
    laws; the members' random draws differ.
    """

    def __init__(self, members: Sequence[TrainedModel]) -> None:
        first, self.members = members[0], tuple(members)
        self.channels, self.size, self.samples = first.channels, first.size, first.samples
        self.batch_size, self.device = first.batch_size, first.device

    @property
    def random(self) -> bool:
        return self.members[0].random

    @property
    def sizes(self) -> Sizes:
        return self.members[0].sizes

    def features_of(self, pictures: Tensor) -> Features:
        return self.members[0].features_of(pictures)

    @torch.inference_mode()
    def __call__(self, images: Tensor, samples: int = 1, features: FeaturesAt | None = None) -> Tensor:
        seen = self.features_of(images).at if features is None else features
        if not self.random:
            maps = torch.stack([member(images, samples, seen) for member in self.members])
            return maps.float().mean(dim=0).round().byte()
        counts = [len(range(place, samples, len(self.members))) for place in range(len(self.members))]
        drawn = [
            replace(member, seed=member.seed + place)(images, count, seen)
            for place, (member, count) in enumerate(zip(self.members, counts, strict=True))
            if count
        ]
        return torch.cat(drawn, dim=1)


def load(folder: Path, device: str = "auto", encoder_weights: Path | str | None = None) -> MapPredictor:
    """The predictor in the folder of an experiment, or of a sweep's ensemble; `encoder_weights` as one model takes it.

    Raises UserError where that holds no finished training.
    """
    config = document(ExperimentFolder(folder).config_file, "it is not a trial, a final or a training")
    if MEMBERS not in config:
        return load_one(folder, device, encoder_weights)
    sweep = SweepFolder(folder.parent)
    return Ensemble([load_one(sweep.final(member).path, device, encoder_weights) for member in config[MEMBERS]])
