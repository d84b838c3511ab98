"""conf/ and the overrides of the command line: every choice composes, every mistake gets one line."""

import itertools
from pathlib import Path

import pytest

from vmsbench.cli.configuration import compose, conf_folder, options
from vmsbench.data.pairs import CHANNELS
from vmsbench.errors import ConfigurationError
from vmsbench.experiment import check
from vmsbench.tuning.study import check_space, experiment_part, searcher_for

EXPERIMENTS = options("exp")
GROUPS = ["network", "augment", "schedule", "searcher", "scheduler", "launcher", "tracker", "data"]
CHOICES = [f"{group}={option}" for group in GROUPS for option in options(group)]
CHOICES += [f"optimizer@optimizers.network={option}" for option in options("optimizer")]


@pytest.mark.parametrize(("exp", "choice"), list(itertools.product(EXPERIMENTS, CHOICES)))
def test_every_choice_composes_and_builds_in_every_experiment(exp: str, choice: str) -> None:
    settings = compose(exp, [choice, "model.network.width=8"])
    check(experiment_part(settings), channels=CHANNELS["rg"], size=64, train=100)
    assert settings["exp"] == exp


@pytest.mark.parametrize("exp", EXPERIMENTS)
def test_every_option_of_an_experiments_own_space_works(exp: str) -> None:
    settings = compose(exp, [])
    config = experiment_part(settings)
    searcher_for(settings, config)
    check_space(settings, config, channels=2, size=64, train=100)


@pytest.mark.parametrize(("exp", "preset"), list(itertools.product(EXPERIMENTS, options("preset"))))
def test_every_preset_walks_over_two_coordinates_in_every_experiment(exp: str, preset: str) -> None:
    settings = compose(exp, ["data=standin", f"preset={preset}"])
    config = experiment_part(settings)
    assert searcher_for(settings, config).budget >= 5
    check_space(settings, config, channels=2, size=32, train=100)


def test_the_thesis_defaults_are_the_defaults() -> None:
    gan = compose("gan", [])
    assert gan["model"]["network"]["width"] == gan["model"]["discriminator"]["width"] == 64
    for player in ("network", "discriminator"):
        adam = gan["optimizers"][player]
        assert (adam["_target_"], adam["lr"], adam["betas"]) == ("torch.optim.Adam", 0.001, [0.9, 0.999])


def test_values_reach_their_places_with_their_types() -> None:
    overrides = [
        "trainer.epochs=7",
        "model.lambda_l1=10",
        "optimizers.discriminator.betas=[0.5,0.999]",
        "data.root=/a b",
    ]
    settings = compose("gan", overrides)
    assert settings["trainer"]["epochs"] == 7
    assert settings["model"]["lambda_l1"] == 10.0
    assert isinstance(settings["model"]["lambda_l1"], float)
    assert settings["optimizers"]["discriminator"]["betas"] == [0.5, 0.999]
    assert settings["data"]["root"] == "/a b"


def test_the_data_folder_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMSBENCH_DATA", "/somewhere")
    assert compose("unet", [])["data"]["root"] == "/somewhere"


@pytest.mark.parametrize(
    ("exp", "override", "said"),
    [
        ("gann", "", "--exp=gann is not a choice; did you mean gan"),
        ("gan", "network=rezidual", "did you mean residual"),
        ("gan", "netwrok=unet", "netwrok is not a setting; did you mean network"),
        ("gan", "trainer.epoch=3", "trainer.epoch is not a setting; did you mean trainer.epochs"),
        ("gan", "optimizers.network.lrr=3", r"did you mean optimizers.network.lr\?  \(optimizers.network has: lr"),
        ("gan", "+foo=1", r"\+foo=1: nothing can be added or removed; write foo=VALUE"),
        ("gan", "++trainer.epochs=1", "write trainer.epochs=VALUE"),
        ("gan", "~model", "nothing can be added or removed"),
        ("gan", "trainer.epochs=three", "trainer.epochs=three does not fit: it is a whole number, such as 100"),
        ("gan", "trainer.epochs=2.5", "it is a whole number"),
        ("gan", "test=maybe", "test=maybe does not fit: it is true or false"),
        ("gan", "optimizers.network.betas=0.5", "it is a list"),
        ("gan", "model=5", "model=5 is not a choice"),
        ("unet", "discriminator=patch", "discriminator is no choice to make in --exp unet"),
        ("unet", "optimizer=sgd", "optimizer@optimizers.network=sgd"),
        ("unet", "exp=gan", "choose the experiment by --exp gan"),
        ("unet", "epochs", "epochs is neither group=option nor key=value"),
        ("unet", "data.root=[1", "data.root=.1: .*"),
    ],
)
def test_a_mistake_gets_one_line_that_names_what_would_have_worked(exp: str, override: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        compose(exp, [override] if override else [])
    assert "\n" not in str(caught.value)


def test_conf_is_found_beside_the_package() -> None:
    assert conf_folder() == Path(__file__).parents[1] / "conf"
