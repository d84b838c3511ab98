"""What is printed as NAME=VALUE can be typed: the settings in results, tables and errors are those of the command
line."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import called
from tests.support.sweep_maker import make_sweep
from vmsbench.config.compose import compose, leaves
from vmsbench.config.format import assignment, assignments
from vmsbench.config.plugins import groups, options
from vmsbench.config.settings import with_settings
from vmsbench.errors import UserError
from vmsbench.search.configured import experiment_part
from vmsbench.search.space import Parameter
from vmsbench.training.checks import check

NAME = re.compile(r"(?<![\w.$/-])([a-z_]\w*(?:\.\w+)*)=(?=\S)")
EXPS = ("unet", "gan", "diffusion", "engression")


def spaces() -> Iterator[tuple[str, str]]:
    for space in options("space"):
        yield from ((exp, space) for exp in EXPS)


@pytest.mark.parametrize(("exp", "space"), spaces())
def test_every_option_of_a_space_that_looks_like_an_override_is_one(exp: str, space: str) -> None:
    settings = compose(exp, [f"space={space}"])
    shown = [
        assignment(parameter.param, option)
        for parameter in map(Parameter.read, settings["space"]["parameters"])
        if not parameter.has
        for option in parameter.values
    ]
    typed = [text for text in shown if NAME.match(text)]
    assert typed or exp not in settings["space"]
    for text in typed:
        compose(exp, [text])


def test_objects_are_not_shown_as_an_override() -> None:
    flip = {"_target_": "vmsbench.data.augmentation.Flip", "p": 0.5}
    assert assignment("augment.steps", [flip]) == "augment.steps: (Flip(p=0.5))"
    assert assignment("optimizers.network.betas", (0.9, 0.999)) == "optimizers.network.betas=[0.9,0.999]"
    assert assignments({"trainer.micro_batch": None, "data.verify": True}) == (
        "trainer.micro_batch=null, data.verify=true"
    )


def test_what_status_and_why_show_is_typed_back(tmp_path: Path) -> None:
    make_sweep(tmp_path, "gan", seeds=1)
    text = called("status", "gan", "--runs", tmp_path).out + called("why", "100000000004", "--runs", tmp_path).out
    text = re.sub(r"\([^()]*\)", "", text.partition("to run it alone")[0])  # without the insides of objects
    found = set(NAME.findall(text))
    assert "model.network.width" in found
    settings = compose("gan", [])
    assert found <= set(leaves(settings)), found - set(leaves(settings))


@pytest.mark.parametrize("exp", EXPS)
def test_what_plan_shows_is_the_name_of_a_setting(exp: str, tmp_path: Path) -> None:
    end = called("plan", "--exp", exp, "data=standin", "preset=quick", "--no-calibrate", "--runs", tmp_path)
    assert end.code == 0, end
    rows = re.findall(r"^ *\d+  ([\w.]+): ", end.out, re.MULTILINE)
    assert rows
    assert set(rows) <= set(leaves(compose(exp, ["data=standin", "preset=quick"])))


def broken(settings: dict[str, Any]) -> Iterator[str]:
    """The errors of settings that are wrong one at a time."""
    for path in leaves(settings):
        for value in (-7, 0, 9, "no", 10**40):
            try:
                check(with_settings(settings, {path: value}), channels=2, size=64, train=100)
            except UserError as error:
                yield str(error)


@pytest.mark.parametrize("exp", EXPS)
def test_an_error_names_settings_as_they_are_typed(exp: str) -> None:
    settings = experiment_part(compose(exp, ["lr_schedule=cosine"]))
    known = {*leaves(settings), *groups(), *(path.rpartition(".")[0] for path in leaves(settings)), "metric", "fid"}
    said = set(broken(settings))
    assert len(said) > 30
    for text in said:
        assert set(NAME.findall(text)) <= known, text
        assert len(text) < 400, text


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.size=5", "error: data.count=640, data.size=5: synthetic data have 8 to 100000 pairs, of 16 to 1024 px"),
        ("data.size=5000000", "data.size=5000000"),
        ("data.coding=pink", "error: data.coding=pink"),
        (f"trainer.batch_size={10**90}", "... does not fit: it is a whole number from 1 to 1000000, such as"),
    ],
)
def test_data_and_sizes_are_refused_by_their_names(override: str, said: str, tmp_path: Path) -> None:
    end = called("train", "--exp", "unet", "data=standin", override, "--runs", tmp_path)
    assert (end.code, said in end.err) == (2, True), end
    assert len(end.err) < 300
