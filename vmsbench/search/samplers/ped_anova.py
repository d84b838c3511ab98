"""Which parameters matter, by Optuna's PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255)."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vmsbench.search.searcher import key
from vmsbench.search.space import Parameter

if TYPE_CHECKING:
    import optuna

FEWEST = 10
"""Trials below which the best tenth is too few."""


def ped_anova(parameters: Sequence[Parameter], trials: Sequence[tuple[Mapping[str, Any], float]]) -> dict[str, float]:
    """The share of each parameter in what the best tenth of the trials have in common: in [0, 1], 1 in all.

    trials  choices with their scores, of which lower is better; a choice has the values of the parameters that exist

    Empty where Optuna is not installed, and for fewer than FEWEST trials.
    """
    try:
        import optuna
    except ImportError:
        return {}
    within = [(params, score) for params, score in trials if all(fits(one, params) for one in parameters)]
    if len(within) < FEWEST:
        return {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    domains = {one.param: domain(one, [params for params, _ in within]) for one in parameters}
    study = optuna.create_study()
    for params, score in within:
        there = {one.param: one for one in parameters if one.param in params}
        study.add_trial(
            optuna.trial.create_trial(
                params={param: params[param] if one.range else key(params[param]) for param, one in there.items()},
                distributions={param: domains[param] for param in there},
                value=score,
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is experimental
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def fits(parameter: Parameter, params: Mapping[str, Any]) -> bool:
    return parameter.range is None or parameter.param not in params or params[parameter.param] in parameter.range


def domain(parameter: Parameter, choices: Iterable[Mapping[str, Any]]) -> "optuna.distributions.BaseDistribution":
    """What Optuna takes the values from: a range, or what is listed and what was chosen."""
    import optuna

    within = parameter.range
    if within is None:
        listed = (value for value in parameter.values if not isinstance(value, dict))  # objects are chosen by name
        chosen = (params[parameter.param] for params in choices if parameter.param in params)
        return optuna.distributions.CategoricalDistribution(list(dict.fromkeys(map(key, [*listed, *chosen]))))
    if within.whole:
        return optuna.distributions.IntDistribution(
            int(within.low), int(within.last), log=within.log, step=int(within.step or 1)
        )
    return optuna.distributions.FloatDistribution(within.low, within.last, log=within.log, step=within.step)
