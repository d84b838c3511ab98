"""What each image scores under the blind references, so that a model's skill can be paired with them image by image."""

from collections.abc import Iterator

from torch import Tensor

from vmsbench.data.pairs import Pairs
from vmsbench.metrics.baselines import blind_predictors
from vmsbench.metrics.baselines import evaluate as score
from vmsbench.metrics.catalog import metrics, undressed
from vmsbench.metrics.climatology import CategoryClimatology, Climatology
from vmsbench.metrics.predictors import Predictor
from vmsbench.metrics.references import blind_columns, of_one_answer

SAMPLER = "random_train"


def blind_scores(train: Pairs, pairs: Pairs, seed: int = 0) -> dict[str, Tensor]:
    """{`pixel_median_l1`: N values, `climatology_crps`: ..., `random_train_crps`: ...}, in [-1, 1].

    Every blind predictor under the scores that are held against it, and `random_train`, a sampler
    that is no reference, under all that are kept for each image but SSIM, which would take longer than all others.
    """
    columns: dict[str, Tensor] = {}
    for name, predictor in blind_predictors(train, seed).items():
        asked = wanted(name)
        found = scored(predictor, pairs, light="ssim" not in asked or name == SAMPLER) if asked else {}
        columns |= {f"{name}_{score}": found[score] for score in asked if score in found}
    return columns


def wanted(predictor: str) -> list[str]:
    """The scores of a blind predictor that something is held against, in the order of the catalog."""
    asked = list(dict.fromkeys(of_all()))
    if predictor == SAMPLER:
        return list(dict.fromkeys(one for name in asked for one in (name, of_one_answer(name))))
    return [name for name in asked if f"{predictor}_{name}" in blind_columns(name)]


def of_all() -> Iterator[str]:
    for name, one in metrics().items():
        if one.per_image and one.references:
            yield undressed(name)


def scored(predictor: Predictor, pairs: Pairs, light: bool) -> dict[str, Tensor]:
    if isinstance(predictor, Climatology | CategoryClimatology):
        return predictor.exact(pairs)
    return score(predictor, pairs, light=light and pairs.fixations is None).per_image()
