"""The multivariate tree-structured Parzen estimator (Bergstra et al. 2011; Falkner et al. 2018), by Optuna."""

from typing import TYPE_CHECKING, ClassVar

from vmsbench.search.samplers.optuna_search import OptunaSearch

if TYPE_CHECKING:
    import optuna


class Tpe(OptunaSearch):
    """Choices where good ones are likely, given the scores so far, all parameters together; those that still run count
    as bad, so that trials at once differ."""

    label: ClassVar[str] = "TPE"

    name: ClassVar[str] = "tpe"
    extra: ClassVar[str] = "tpe"

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        return self.optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
