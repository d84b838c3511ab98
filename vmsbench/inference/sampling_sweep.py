"""Scores and seconds of a trained model that samples in steps, by numbers of samples and sampling steps."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from vmsbench.accelerators import synchronize
from vmsbench.data.pairs import Pairs, unit
from vmsbench.errors import ConfigurationError
from vmsbench.inference.predictor import TrainedModel
from vmsbench.metrics.baselines import PixelMedian
from vmsbench.metrics.climatology import CategoryClimatology, Climatology
from vmsbench.metrics.scores import score

KEPT = ("l1", "crps", "l1_mean", "l1_median", "mse", "mse_mean", "cc_combined")


def tradeoff(
    predictor: TrainedModel, pairs: Pairs, steps: Sequence[int], samples: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Yield a row {steps, samples, seconds_per_image, scores...} for each number of steps and of samples K.

    The maps of a smaller K are the first ones of the largest, so that rows of the same steps differ by K alone. Scores
    are those of `vmsbench.metrics.scores`; `l1_mean` and `l1_median` of one sample are its `l1`. seconds_per_image is
    the time for all K maps of an image. Raises ConfigurationError for a model that does not sample in steps.
    """
    model = predictor.model
    if model.sampling_steps is None:
        raise ConfigurationError("this model predicts in one step; give a sweep whose model samples in steps")
    if not steps or not samples or min((*steps, *samples)) < 1:
        raise ConfigurationError("numbers of steps and of samples are at least 1; --steps 10,50 --samples 1,4 work")
    if model.most_steps is not None and max(steps) > model.most_steps:
        raise ConfigurationError(
            f"--steps {max(steps)}: the model has {model.most_steps} timesteps, so at most as many steps"
        )
    before, truth = model.sampling_steps, unit(pairs.maps).cpu()
    predictor = replace(predictor, batch_size=max(predictor.batch_size, max(samples)))
    try:
        model.sampling_steps = 1
        predictor(pairs.images, max(samples), pairs.features)  # the first call is not timed
        for number in steps:
            model.sampling_steps = number
            start = perf_counter()
            maps = predictor(pairs.images, max(samples), pairs.features)
            synchronize(predictor.device)
            seconds = (perf_counter() - start) / (len(pairs) * max(samples))
            for count in samples:
                found = score(maps[:, :count].float() / 255, truth)
                scores = {key: found[key] for key in KEPT if key in found}
                alone = (
                    {"l1_mean": found["l1"], "l1_median": found["l1"], "mse_mean": found["mse"]} if count == 1 else {}
                )
                yield {"steps": number, "samples": count, "seconds_per_image": count * seconds} | scores | alone
    finally:
        model.sampling_steps = before


def blind_levels(train: Pairs, pairs: Pairs) -> dict[str, dict[str, float]]:
    """{predictor: {score: value}} of what never looks at the image, on the same pairs: the pixel median's L1, and the
    CRPS of climatology and, where there are categories, of the category's."""
    median = score(PixelMedian(train).predict(pairs), unit(pairs.maps), light=True)["l1"]
    laws: dict[str, Climatology | CategoryClimatology] = {"climatology": Climatology(train)}
    if train.categories:
        laws["category_climatology"] = CategoryClimatology(train)
    found = {name: {"crps": float(law.exact(pairs)["crps"].mean())} for name, law in laws.items()}
    return {"pixel_median": {"l1": float(median or 0.0)}} | found
