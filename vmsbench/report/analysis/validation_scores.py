"""Scores on the tuning validation pairs during training, and what never looks at the image scores there.

An evaluation takes `evaluation.images` pairs, spread evenly over their list, and draws `evaluation.samples` maps for
each, so a line next to its scores is of the same images, under the score that is drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vmsbench.metrics.baselines import CategoryMedian, PixelMedian, evaluate
from vmsbench.metrics.climatology import CategoryClimatology, Climatology
from vmsbench.report.topic import Topic
from vmsbench.store.records import SweepRecord
from vmsbench.store.values import Scores, mapping, numbers, whole


@dataclass(frozen=True)
class EpochEvaluation:
    """How many images, None for all, and how many maps are drawn for each."""

    images: int | None
    samples: int

    @property
    def answer(self) -> str:
        """The score of the one answer."""
        return "l1_median" if self.samples > 1 else "l1"

    @property
    def law(self) -> str:
        """The score of the samples together; empty where there is one."""
        return "crps" if self.samples > 1 else ""


def evaluation_of(sweep: SweepRecord) -> EpochEvaluation:
    evaluation = mapping(sweep.config.get("evaluation"))
    return EpochEvaluation(whole(evaluation.get("images")), whole(evaluation.get("samples")) or 1)


def blind_table(topic: Topic, evaluation: EpochEvaluation) -> Mapping[str, Scores]:
    """Blind predictors' scores on the images of an evaluation: on all pairs as sweeps stored them, on some measured.

    None on some where the data cannot be loaded: scores on all pairs are no measure of others.
    """
    dataset = topic.truth.dataset
    if evaluation.images is None or (dataset is not None and evaluation.images >= len(dataset.validation)):
        return topic.group.baselines("validation")
    if dataset is None:
        return {}
    train, pairs = dataset.train, dataset.validation.spread(evaluation.images)
    found = {"pixel_median": evaluate(PixelMedian(train), pairs, light=True).result()}
    laws: dict[str, Climatology | CategoryClimatology] = {"climatology": Climatology(train)}
    if train.categories:
        found["category_median"] = evaluate(CategoryMedian(train), pairs, light=True).result()
        laws["category_climatology"] = CategoryClimatology(train)
    exact = {
        name: {key: values.mean().item() for key, values in one.exact(pairs).items()} for name, one in laws.items()
    }
    return {name: numbers(scores) for name, scores in (found | exact).items()}
