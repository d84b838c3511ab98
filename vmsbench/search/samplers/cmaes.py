"""CMA-ES (Hansen and Ostermeier 2001), by Optuna and the package cmaes."""

from typing import TYPE_CHECKING, ClassVar

from vmsbench.search.samplers.optuna_search import OptunaSearch
from vmsbench.search.space import Space

if TYPE_CHECKING:
    import optuna


class CmaEs(OptunaSearch):
    """Generations of choices around a mean that moves to the best of each; lists are ordered numbers to it.

    For spaces of two or more numbers and some hundred trials. What does not always exist is drawn at random.
    """

    label: ClassVar[str] = "CMA-ES"

    name: ClassVar[str] = "cmaes"
    packages: ClassVar[tuple[str, ...]] = ("optuna", "cmaes")
    indexed: ClassVar[bool] = True
    sampled: ClassVar[bool] = True

    def __init__(self, space: Space, trials: int = 100, seed: int = 0) -> None:
        super().__init__(space, trials, seed)

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        random = self.optuna.samplers.RandomSampler(seed)
        return self.optuna.samplers.CmaEsSampler(seed=seed, independent_sampler=random, consider_pruned_trials=True)
