"""Quasi-random search: a scrambled Sobol sequence (Sobol 1967; Bergstra and Bengio 2012), by Optuna and SciPy."""

from typing import TYPE_CHECKING, ClassVar

from vmsbench.search.samplers.optuna_search import OptunaSearch
from vmsbench.search.space import Space

if TYPE_CHECKING:
    import optuna


class Qmc(OptunaSearch):
    """Choices that fill the space evenly, whatever their scores; best with a power of 2 of trials."""

    label: ClassVar[str] = "quasi-random search"

    name: ClassVar[str] = "qmc"
    packages: ClassVar[tuple[str, ...]] = ("optuna", "scipy")
    indexed: ClassVar[bool] = True
    sampled: ClassVar[bool] = True

    def __init__(self, space: Space, trials: int = 16, seed: int = 0) -> None:
        super().__init__(space, trials, seed)

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        random = self.optuna.samplers.RandomSampler(seed)
        return self.optuna.samplers.QMCSampler(scramble=True, seed=self.seed, independent_sampler=random)
