"""The types of settings: for every one in conf/, what does not fit gets one line with a value that works."""

import math
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.support.settings import CHOICES, leaves
from vmsbench.config.compose import compose, value_of
from vmsbench.config.instantiate import build
from vmsbench.config.plugins import options
from vmsbench.config.schema import UNFIT, fitted, is_text, kind, members
from vmsbench.config.settings import Config, hint_at, setting, typed, with_settings
from vmsbench.errors import ConfigurationError, UserError
from vmsbench.search.configured import experiment_part, searcher_for, space_of
from vmsbench.sweep.budget import read_budget
from vmsbench.training.checks import check

WRONG = [None, "", "wörd", [], {}, math.nan, math.inf, 10**20, True, -1]
EVERYWHERE = [(exp, f"{exp}-as-it-is") for exp in options("exp")]
CASES = sorted({choice.partition("=")[2]: (exp, choice) for exp, choice in CHOICES}.values()) + EVERYWHERE


@cache
def composed(exp: str, choice: str) -> Config:
    return compose(exp, [choice] if "=" in choice else [])


def works(settings: Config) -> None:
    """What a command does with settings before it reads data. Raises UserError."""
    settings = typed(settings)
    experiment = experiment_part(settings)
    check(experiment, channels=2, size=64, train=100)
    for part in ("pruner", "tracker", "launcher"):
        build(settings[part], part)
    read_budget(settings["budget"], 1, 1)
    searcher_for(settings, space_of(settings["space"]["parameters"], experiment))


def own(path: str, choice: str) -> bool:
    """Whether a setting belongs to a choice: each is tried once, under the option that has it."""
    group, _, option = choice.partition("=")
    if not option:
        return path.split(".")[0] not in ("data", "tracker", "launcher", "space")
    within = {"network": "model.network", "discriminator": "model.discriminator", "target": "model.target",
              "noise_schedule": "model.noise_schedule", "prediction": "model.prediction",
              "lr_schedule": "trainer.lr_schedule", "encoder": "model.sight.encoder"}  # fmt: skip
    return path.startswith(group.partition("@")[2] or within.get(group, group))


@pytest.mark.parametrize(("exp", "choice"), CASES)
def test_for_every_setting_what_does_not_fit_is_one_line_with_a_value_that_works(exp: str, choice: str) -> None:
    base = composed(exp, choice)
    suggested = set()
    for path in (path for path in leaves(base) if own(path, choice)):
        for value in WRONG:
            settings = with_settings(base, {path: value})
            try:
                typed(settings, usual=base)
            except ConfigurationError as error:
                said = str(error)
                assert "\n" not in said
                assert said.startswith((f"{path}=", f"{path}[", f"{path}.")), said
                named, _, usable = said.partition("such as ")[2].partition("; ")[0].partition("=")
                if usable and "package.module" not in usable and named in leaves(base):
                    suggested.add((named, usable))
            else:
                tried(settings)
    for named, usable in suggested:
        settings = typed(with_settings(base, {named: value_of(usable)}))
        if settings != base:  # what is usual is suggested most, and works
            works(settings)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.folds=1", "it is a whole number from 2 to 100000 or null, such as data.folds=null"),
        ("data.folds=abc", "it is a whole number from 2 to 100000 or null, such as data.folds=null"),
        ("data.repeats=abc", "it is a list or null, such as data.repeats=null"),
        ("budget=nan", "it is text or null, such as budget=null"),
        ("launcher.most_time=nan", "such as launcher.most_time=null"),
        ("launcher.container=nan", "such as launcher.container=null"),
        ("model.sight.resolution=nan", "such as model.sight.resolution=null"),
        ("data.root=inf", "it is a path or null, such as data.root=/path/to/it"),
        ("optimizers=nan", "such as optimizers={network: {_target_: package.module.Name}}"),
        ("finals=nan", "it is a mapping of top, seeds, such as finals.top=1"),
        ("slots=nan", "it is a mapping of cpus, gpus, niceness, such as slots.cpus=1"),
        ("fid=[]", "it is a mapping of weights, required, such as fid.weights=null"),
        ("space.parameters=nan", "it is a list, such as space.parameters=[{param: "),
        ("trainer=[]", "precision, keep, patience, such as trainer.epochs="),
        ("evaluation=[]", "such as evaluation.every="),
        ("space.parameters=[{name: optimizers.network.lr, range: [nan, 1]}]",
         "space.parameters[0].range[0]=nan does not fit: it is a finite value, such as "
         "space.parameters[0].range[0]=0.1"),
        ("space.parameters=[{name: optimizers.network.lr, range: [1e-4, inf]}]",
         "space.parameters[0].range[1]=inf does not fit: it is a finite value, such as "
         "space.parameters[0].range[1]=0.1"),
    ],
)  # fmt: skip
def test_the_value_that_is_suggested_is_null_where_that_is_usual_and_of_the_sections_own_settings(
    override: str, said: str
) -> None:
    base = compose("unet", ["data=folder", "launcher=slurm"])
    name, _, value = override.partition("=")
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        typed(with_settings(base, {name: value_of(value)}), usual=base)
    if name in ("finals", "slots", "optimizers"):  # of no group, and so on the command line too
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            compose("unet", [override])


def test_every_setting_of_every_option_is_among_those_that_are_tried() -> None:
    tried: dict[tuple[str, str], bool] = {}
    for exp, choice in CASES:
        base = composed(exp, choice)
        for path in leaves(base):
            above = setting(base, path.rpartition(".")[0]) if "." in path else base
            place = (path, str(above.get("_target_")))
            tried[place] = tried.get(place, False) or own(path, choice)
    assert [place for place, done in tried.items() if not done] == []


def tried(settings: Config) -> None:
    said = ""
    try:
        works(settings)
    except UserError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize(("exp", "choice"), CASES)
def test_every_whole_number_has_a_largest_and_with_it_nothing_is_built_without_end(exp: str, choice: str) -> None:
    """What means work or memory: a slip of the keyboard is refused before either begins."""
    base = composed(exp, choice)
    for path in (path for path in leaves(base) if own(path, choice)):
        hint = hint_at(base, path)
        if int not in members(hint) or str in members(hint):
            continue
        with pytest.raises(
            ConfigurationError, match=rf"^{re.escape(path)}=99999999999 does not fit: .* (to|at most) \d"
        ):
            typed(with_settings(base, {path: 99_999_999_999}), usual=base)
        largest = max(map(int, re.findall(r"\d+", kind(hint))))
        tried(with_settings(base, {path: largest}))


@pytest.mark.parametrize(
    ("exp", "override"),
    [
        *[("unet", f"{name}={value}")
          for value in ("null", "", '"', "wörd", "{}", "nan", "inf", "1,2", "[1", "${seed}x")
          for name in ("seed", "trainer.batch_size", "trainer.ema", "optimizers.network.lr", "data.validation_fraction",
                       "optimizers.network.betas", "augment.steps", "searcher.repeats")],
        ("unet", "seed=99999999999999999999"), ("unet", "optimizers=[]"), ("unet", "optimizers=5"),
        ("unet", "optimizers=null"), ("unet", "space.parameters=null"), ("unet", "space.parameters=5"),
        ("unet", "optimizers.network=null"), ("unet", "trainer.epochs=true"), ("unet", "trainer.epochs=2.5"),
        ("gan", "model.discriminator.spectral=1"), ("unet", "slots.gpus=0"), ("unet", "budget="), ("unet", "device="),
        ("unet", "model._target_=wörd"), ("gan", "model.augmentation.cutout=half"), ("unet", "finals.top=-1"),
    ],
)  # fmt: skip
def test_an_override_that_does_not_fit_is_refused_in_one_line_that_names_it(exp: str, override: str) -> None:
    name = override.partition("=")[0]
    with pytest.raises(ConfigurationError) as caught:
        compose(exp, [override])
    assert str(caught.value).startswith(f"{name}=")
    assert "\n" not in str(caught.value)


NAMES = ["data (1)", "datä", "a=b", "a,b", "a#b", "a&b", "it's", "a;b", "a!", "a[b", "a{b", "a:b c", "a\\", "\\'",
         'a"b', "123", "1e5", "true", "~", "a$b", " a ", "名", "${x}", "a${b", "${}", "${a.b}", "$"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_taken_to_the_letter(name: str, tmp_path: Path) -> None:
    settings = compose("unet", ["data=folder", f"data.root={tmp_path}/{name}", f"data.images={name}"])
    assert settings["data"]["root"] == f"{tmp_path}/{name}"
    assert settings["data"]["images"] == name


def test_a_home_and_variables_in_a_path_are_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.setenv("LAB", "/lab")
    assert compose("unet", ["data.root=~/data (1)"])["data"]["root"] == "/home/user/data (1)"
    assert compose("unet", ["data.root=$LAB/${oc.env:LAB}"])["data"]["root"] == "/lab//lab"
    assert compose("unet", ["data.root=${LAB}/data"])["data"]["root"] == "/lab/data"
    assert compose("unet", ["data.root=/run-${seed}", "seed=7"])["data"]["root"] == "/run-7"
    (tmp_path / "a$LAB").mkdir()
    assert compose("unet", [f"data.root={tmp_path}/a$LAB"])["data"]["root"] == f"{tmp_path}/a$LAB"


def test_the_cache_is_named_as_each_node_reads_it() -> None:
    assert compose("unet", ["data.cache=$TMPDIR/vms-$USER"])["data"]["cache"] == "$TMPDIR/vms-$USER"


def test_quotes_of_the_users_own_are_no_part_of_a_path() -> None:
    assert compose("unet", ['data.root="/a b"'])["data"]["root"] == "/a b"
    assert compose("unet", ["data.root=null"])["data"]["root"] is None


@pytest.mark.parametrize(
    ("value", "hint", "taken"),
    [
        (1, float, 1.0), (1, int, 1), (1.0, int, UNFIT), (True, int, UNFIT), (True, bool, True), (0, bool, UNFIT),
        (5, str, "5"), ("", str, UNFIT), (None, int | None, None), (None, int, UNFIT),
        ([1, 0.5], list[float], [1.0, 0.5]),
        ([0.9], tuple[float, float], UNFIT), ((1, 2, 3), tuple[int, ...], [1, 2, 3]), ("a", Literal["a", "b"], "a"),
        ("c", Literal["a", "b"], UNFIT), ({"a": 1}, dict[str, int], {"a": 1}), ({"a": 1}, int, UNFIT),
        ({"_target_": "x"}, Path, {"_target_": "x"}), (math.inf, float, UNFIT), (3, Path, UNFIT),
        (b"made", Path, b"made"),
    ],
)  # fmt: skip
def test_what_fits_an_annotation(value: Any, hint: Any, taken: Any) -> None:
    found = fitted(value, hint)
    assert found is taken or (found == taken and type(found) is type(taken))


def test_annotations_in_words() -> None:
    assert kind(hint_at(composed("unet", ""), "trainer.micro_batch")) == "a whole number from 1 to 1000000 or null"
    assert kind(hint_at(composed("unet", ""), "data.coding")) == "one of rg, rgb, grey, auto"
    assert kind(hint_at(composed("unet", ""), "data.root")) == "a path or null"
    assert is_text(hint_at(composed("unet", ""), "data.root"))
    assert not is_text(hint_at(composed("unet", ""), "trainer.epochs"))


def test_whole_numbers_for_fractions_are_made_fractions() -> None:
    settings = compose("unet", ["trainer.clip=1", "optimizers.network.betas=[0,0.9]"])
    assert repr(setting(settings, "trainer.clip")) == "1.0"
    assert repr(setting(settings, "optimizers.network.betas")) == "[0.0, 0.9]"
