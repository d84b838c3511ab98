"""From dictionaries to objects, and what is said where that cannot be."""

from collections import Counter
from functools import partial

import pytest
from hydra.utils import instantiate as hydra_instantiate

from vmsbench.config.compose import compose
from vmsbench.config.format import describe, duration
from vmsbench.config.instantiate import build
from vmsbench.errors import ConfigurationError


def test_targets_are_built_from_the_inside_out() -> None:
    built = build({"_target_": "fractions.Fraction", "numerator": {"_target_": "builtins.int"}, "denominator": 3})
    assert built == 0


def test_a_partial_waits_for_the_rest() -> None:
    made = build({"_target_": "fractions.Fraction", "_partial_": True, "denominator": 4})
    assert isinstance(made, partial)
    assert made(numerator=1) == 0.25


def test_what_names_no_target_is_passed_on_as_it_is() -> None:
    assert build({"a": [1, {"b": None}]}) == {"a": [1, {"b": None}]}


def test_arguments_win_over_settings() -> None:
    assert build({"_target_": "fractions.Fraction", "numerator": 1}, numerator=5) == 5


def test_agrees_with_hydra_on_its_own_format() -> None:
    config = {"_target_": "collections.Counter", "iterable": ["a", "b", "a"]}
    assert build({"_target_": "collections.Counter", "a": 2, "b": 1}) == Counter(config["iterable"])
    assert hydra_instantiate({"_target_": "collections.Counter", "a": 2, "b": 1}) == Counter(config["iterable"])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"_target_": "torch.optim.Adamm"}, "did you mean Adam"),
        ({"_target_": "Thing"}, "_target_=Thing is not the full path of a class or a function"),
        ({"_target_": "vmsbench.nowhere.Thing"}, "no module 'vmsbench.nowhere'"),
        ({"_target_": "fractions.Fraction", "numerater": 1}, "did you mean numerator"),
    ],
)
def test_what_cannot_be_built_is_named_with_what_is_near(config: dict, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        build(config)


@pytest.mark.parametrize(
    ("exp", "model", "said"),
    [
        ("unet", "diffusion", "model: .*Diffusion needs noise_schedule, which --exp diffusion brings$"),
        ("engression", "diffusion", "model: .*Diffusion needs noise_schedule, which --exp diffusion brings$"),
        ("unet", "wasserstein", "model: .*Wasserstein needs discriminator, which --exp gan brings$"),
        ("gan", "regression", "model.discriminator is not a setting of .*; --exp gan brings it: choose another"),
        ("diffusion", "engression", "model.noise_schedule is not a setting of .*; --exp diffusion brings it"),
    ],
)
def test_a_model_of_another_experiment_is_refused_with_the_experiment_that_has_its_parts(
    exp: str, model: str, said: str
) -> None:
    config = compose(exp, ["data=standin", f"model={model}"])
    with pytest.raises(ConfigurationError, match=said):
        build(config["model"], "model", channels=2, size=64)


def test_what_lacks_a_value_is_told_which() -> None:
    with pytest.raises(ConfigurationError, match="Linear needs in_features and out_features"):
        build({"_target_": "torch.nn.Linear", "bias": False}, "model.network")


def test_settings_are_described_as_people_write_them() -> None:
    assert describe({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.01}) == "SGD(lr=0.01)"
    assert describe([0.9, 0.999]) == "(0.9, 0.999)"
    assert describe(None) == "none"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (0.42, "0.42 s"), (38.2, "38 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_a_duration_is_said_in_units_of_its_size(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said
