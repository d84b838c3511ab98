"""What a final keeps of its test: both tracks, calibration, its maps, and scores per image next to blind ones."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from vmsbench.data.pairs import Pairs
from vmsbench.errors import UserError
from vmsbench.files import replace
from vmsbench.metrics.calibration import rank_histogram, record
from vmsbench.metrics.catalog import per_image as kept_per_image
from vmsbench.metrics.tracks.blind import blind_scores
from vmsbench.metrics.tracks.dressed import dressed, mean_answer, one_answer
from vmsbench.store.experiment_folder import PREDICTIONS, SCORES


@dataclass(frozen=True)
class Answered:
    """Pairs, and what was predicted for them: uint8, N x K x C x S x S."""

    pairs: Pairs
    samples: Tensor


@dataclass(frozen=True)
class BothTracks:
    """What predictions are as one answer and as a distribution.

    per_image   every score of each image, crps_dressed and energy_dressed among them where the answer was dressed
    calibration of the `samples` where there are several, and of the `dressed` answer: what `calibration.record` says
    dressing    pairs: how many tuning validation pairs it was dressed with; reason: why with none
    """

    per_image: dict[str, Tensor]
    calibration: dict[str, Any]
    dressing: dict[str, Any]

    @property
    def scores(self) -> dict[str, float]:
        """The means that come from dressing."""
        found = {name: values.double().mean().item() for name, values in self.per_image.items()}
        return {name: value for name, value in found.items() if "_dressed" in name}


def both_tracks(
    judged: Answered, per_image: Mapping[str, Tensor], tuned: Answered | None, reason: str = ""
) -> BothTracks:
    """What predictions are in both tracks.

    per_image   their scores as `vmsbench.metrics.scores` has them
    tuned       the predictions for the tuning validation pairs; None where there are none, and `reason` says why
    """
    scores, calibration = dict(per_image), {}
    if judged.samples.shape[1] > 1:
        calibration["samples"] = calibrated(judged, per_image)
    if tuned is None or not len(tuned.pairs):
        return BothTracks(scores, calibration, {"pairs": 0, "reason": reason or "there are no tuning validation pairs"})
    found = dressed(one_answer(judged.samples), judged.pairs, one_answer(tuned.samples), tuned.pairs)
    calibration["dressed"] = record({name: values.cpu() for name, values in found.law.items()}, found.ranks.cpu())
    return BothTracks(scores | found.per_image, calibration, {"pairs": found.pairs, "reason": None})


def calibrated(judged: Answered, per_image: Mapping[str, Tensor]) -> dict[str, Any]:
    try:
        ranks = rank_histogram(judged.samples, judged.pairs.maps.cpu())
    except UserError as error:
        return {"reason": str(error)}
    return record({name: values.cpu() for name, values in per_image.items()}, ranks)


def save_predictions(folder: Path, judged: Answered, train: Pairs, per_image: Mapping[str, Tensor]) -> None:
    """predictions.npz and scores.csv: what the report draws, and compares image by image with the blind references.

    predictions.npz     names, predictions (the first sample of each image); samples, median and mean for K > 1
    scores.csv          `per_image`, N scores each, and the blind references of each score (`climatology_crps`, ...)
    """
    samples = judged.samples
    kept: dict[str, Any] = {"names": np.array(judged.pairs.names), "predictions": samples[:, 0].numpy()}
    if samples.shape[1] > 1:
        kept |= {
            "samples": samples.numpy(),
            "median": one_answer(samples).numpy(),
            "mean": mean_answer(samples).numpy(),
        }
    replace(folder / PREDICTIONS, lambda file: np.savez_compressed(file, **kept))
    columns = {name: per_image[name].tolist() for name in kept_per_image() if name in per_image}
    columns |= {name: values.tolist() for name, values in blind_scores(train, judged.pairs).items()}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", *columns])
    table.writerows(zip(judged.pairs.names, *columns.values(), strict=True))
    replace(folder / SCORES, lambda file: file.write(text.getvalue().encode()))
