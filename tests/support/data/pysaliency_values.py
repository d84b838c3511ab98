"""NSS, AUC-Judd and information gain of random maps as pysaliency has them, kept for the tests.

    pip install 'numpy<2.4' cython torch setuptools && pip install --no-build-isolation pysaliency==0.2.22
    python -m tests.support.data.pysaliency_values tests/support/data/pysaliency_values.json

It wants an environment of its own: it is compiled when it is installed, and calls numpy.trapz, which newer numpy lacks.
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAPS, SIDES = 8, (17, 23)


def drawn(number: int) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """A map above 0, with ties in every second one, the fixated pixels and a centre bias, each H x W."""
    draws = np.random.default_rng(number)
    levels = draws.integers(1, 9, SIDES) / 8 if number % 2 else draws.random(SIDES) + 0.01
    return levels, draws.random(SIDES) < 0.02 * (number + 1), draws.random(SIDES) + 0.1


def values(number: int) -> dict[str, float]:
    """The three scores by pysaliency's models, false alarms being counted at the pixels without a fixation."""
    from pysaliency import Fixations, Stimuli
    from pysaliency.models import Model
    from pysaliency.saliency_map_models import SaliencyMapModel

    saliency, fixated, bias = drawn(number)

    class Map(SaliencyMapModel):
        def _saliency_map(self, stimulus: object) -> NDArray[np.float64]:
            return saliency

    class Density(Model):
        def __init__(self, map_: NDArray[np.float64]) -> None:
            super().__init__()
            self.map = map_

        def _log_density(self, stimulus: object) -> NDArray[np.float64]:
            return np.log(self.map / self.map.sum())

    rows, columns = np.nonzero(fixated)
    nothing = np.zeros(len(rows), dtype=int)
    fixations = Fixations.create_without_history(x=columns, y=rows, n=nothing)
    stimuli = Stimuli([np.zeros((*SIDES, 3), np.uint8)])
    return {
        "nss": float(Map().NSS(stimuli, fixations)),
        "auc_judd": float(Map().AUC(stimuli, fixations, nonfixations="unfixated", average="image")),
        "ig": float(Density(saliency).information_gain(stimuli, fixations, Density(bias))),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps([values(number) for number in range(MAPS)], indent=1) + "\n")
