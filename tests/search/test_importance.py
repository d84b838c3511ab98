"""The importance of parameters is Optuna's, where the search is no walk."""

import json
import math

import optuna
import pytest

from vmsbench.search.samplers.ped_anova import ped_anova
from vmsbench.search.space import Parameter


def test_importance_of_other_searches_is_optunas_ped_anova() -> None:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))

    def objective(trial: optuna.Trial) -> float:
        rate, width = trial.suggest_float("lr", 1e-4, 1e-1, log=True), trial.suggest_int("width", 8, 64, step=8)
        norm = trial.suggest_categorical("norm", ['"batch"', '"instance"'])
        return abs(math.log10(rate) + 2) + 0.01 * width + 0.001 * (norm == '"batch"')

    study.optimize(objective, n_trials=40)
    expected = optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    parameters = [
        Parameter.read({"param": "lr", "range": [1e-4, 1e-1], "log": True}),
        Parameter.read({"param": "width", "range": [8, 64], "step": 8}),
        Parameter.read({"param": "norm", "values": ["batch", "instance"]}),
    ]
    trials = [(one.params | {"norm": json.loads(one.params["norm"])}, one.value) for one in study.trials]
    found = ped_anova(parameters, trials)
    assert found == pytest.approx(dict(expected))
    assert max(found, key=lambda param: found[param]) == "lr"
    assert sum(found.values()) == pytest.approx(1)
    assert ped_anova(parameters, trials[:9]) == {}


def test_values_outside_a_range_and_parameters_that_do_not_exist_are_no_trouble() -> None:
    parameters = [
        Parameter.read({"param": "lr", "range": [0.1, 1.0]}),
        Parameter.read({"param": "depth", "values": [1, 2], "when": {"lr": 1}}),
    ]
    trials = [({"lr": 0.1 + 0.05 * at} | ({"depth": 1 + at % 2} if at % 3 else {}), float(at)) for at in range(18)]
    found = ped_anova(parameters, [*trials, ({"lr": 7.0}, -1.0)])
    assert found["lr"] == max(found.values()) > 0
