"""Bayesian optimisation with a Gaussian process (Matern 5/2, log expected improvement), by Optuna."""

from typing import TYPE_CHECKING, ClassVar

from vmsbench.search.samplers.optuna_search import OptunaSearch

if TYPE_CHECKING:
    import optuna


class GaussianProcess(OptunaSearch):
    """Choices of the largest expected improvement; the first ten at random. Stopped trials tell it nothing."""

    label: ClassVar[str] = "Gaussian process"

    name: ClassVar[str] = "gp"
    packages: ClassVar[tuple[str, ...]] = ("optuna", "scipy", "torch")

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        random = self.optuna.samplers.RandomSampler(seed)
        return self.optuna.samplers.GPSampler(seed=seed, independent_sampler=random)
