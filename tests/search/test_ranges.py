"""Ranges of numbers in a space: what they hold, how each search goes through them, and what is refused."""

import math
import sys
from statistics import median
from typing import Any

import pytest

from tests.support.sweeps.searches import play
from vmsbench.errors import ConfigurationError
from vmsbench.search.configured import choice_of, known_choice
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.grid import GridSearch
from vmsbench.search.random import RandomSearch
from vmsbench.search.ranges import ValueRange
from vmsbench.search.samplers.cmaes import CmaEs
from vmsbench.search.samplers.gp import GaussianProcess
from vmsbench.search.samplers.qmc import Qmc
from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.space import Parameter, Space
from vmsbench.search.tpe import Tpe

RATE = {"param": "lr", "range": [1e-4, 1e-2], "log": True}
WIDTH = {"param": "width", "range": [16, 96], "step": 16}
BASE: Params = {"lr": 0.001, "width": 32, "norm": "batch", "layers": 3}


def space(*entries: dict[str, Any], **base: Any) -> Space:
    return Space([Parameter.read(entry) for entry in entries], BASE | base)


def test_a_logarithmic_range_has_its_middle_at_the_geometric_mean() -> None:
    rate = ValueRange.read("lr", RATE)
    assert rate.points == (1e-4, 1e-3, 1e-2)
    assert rate.between(1e-4, 1e-2) == 1e-3
    assert rate.count == math.inf


def test_steps_are_counted_from_the_lowest_number_up_to_the_last_that_fits() -> None:
    width = ValueRange.read("width", {"range": [16, 100], "step": 16})
    assert width.count == 6
    assert sorted({width.at(share / 100) for share in range(101)}) == [16, 32, 48, 64, 80, 96]
    assert ValueRange.read("x", {"range": [0.0, 0.5], "step": 0.1}).at(0.61) == 0.3


def test_numbers_that_mean_the_same_are_one_configuration() -> None:
    spellings: list[Any] = [1e-4, 0.0001, "1E-04", "0.0001"]
    for written in spellings:
        one = space({"param": "lr", "values": [written, 0.01]})
        assert one.parameters[0].values[0] == 0.0001
        assert known_choice(space(RATE), {"lr": written}) == {"lr": 0.0001}
    with pytest.raises(ConfigurationError, match="lr has an option twice"):
        space({"param": "lr", "values": ["1E-04", 1e-4]})
    whole = space({"param": "layers", "values": [2, 3.0]})
    assert whole.point(1) == whole.start, "3.0 layers are 3"


def test_options_of_another_type_stay_as_they_are() -> None:
    lists = space({"param": "norm", "values": ["1", "batch"]}, lr=[0.9, 0.999])
    assert lists.parameters[0].values == ["1", "batch"]
    betas = Space([Parameter("lr", [[0, 0.999], [0.9, 0.999]])], {"lr": [0.9, 0.999]})
    assert betas.parameters[0].values[0] == [0.0, 0.999]


def test_the_coordinate_search_tries_three_numbers_and_then_those_around_the_best() -> None:
    asked = [
        params["lr"] for params in play(CoordinateSearch(space(RATE)), lambda one: abs(math.log(one["lr"] / 4e-3)))
    ]
    assert asked[:3] == [1e-3, 1e-4, 1e-2]
    assert asked[3:] == [0.000316228, 0.00316228, 0.00177828, 0.00562341] or asked[3:] == pytest.approx(
        [0.00316228, 0.00177828, 0.00562341], rel=1e-5
    )
    assert len(asked) <= CoordinateSearch(space(RATE)).max_trials


def test_the_coordinate_search_goes_on_from_the_best_number_of_a_range() -> None:
    searcher = CoordinateSearch(space(RATE, {"param": "norm", "values": ["batch", "instance"]}))
    asked = play(searcher, lambda one: abs(math.log(one["lr"] / 1e-2)) + (one["norm"] == "batch"))
    assert searcher.incumbent == {"lr": 1e-2, "norm": "instance"}
    assert [settled.parameter for settled in searcher.settled] == ["lr", "norm"]
    tried = [option.value for option in searcher.settled[0].options]
    assert tried == sorted(tried)
    assert asked[-1] == searcher.incumbent


def test_whole_numbers_are_looked_at_more_closely_only_as_long_as_there_are_any() -> None:
    asked = [
        one["layers"] for one in play(CoordinateSearch(space({"param": "layers", "range": [2, 4]})), lambda one: 1)
    ]
    assert sorted(asked) == [2, 3, 4]


def test_random_draws_are_even_in_the_logarithm() -> None:
    drawn = [params["lr"] for params in play(RandomSearch(space(RATE), trials=400), lambda one: 1.0)]
    assert all(1e-4 <= rate <= 1e-2 for rate in drawn)
    assert sum(rate < 1e-3 for rate in drawn) == pytest.approx(200, abs=40)
    steps = {params["width"] for params in play(RandomSearch(space(WIDTH), trials=6), lambda one: 1.0)}
    assert steps == {16, 32, 48, 64, 80, 96}


OPTIMUM, LISTED = math.log(2.2e-3), [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]


def regret(params: Params) -> float:
    return (math.log(params["lr"]) - OPTIMUM) ** 2


def test_tpe_over_a_range_comes_nearer_to_the_best_than_a_list_that_misses_it() -> None:
    best_of_list = min(regret({"lr": rate}) for rate in LISTED)
    found = []
    for seed in range(20):
        searcher = Tpe(space(RATE), trials=40, seed=seed)
        play_in_turn(searcher)
        found.append(regret(searcher.incumbent))
    assert median(found) < best_of_list / 3


def play_in_turn(searcher: Searcher) -> list[Params]:
    asked = []
    while (params := searcher.ask()) is not None:
        asked.append(params)
        searcher.tell(params, regret(params) + 0.01 * abs(params.get("width", 32) - 48))
    return asked


@pytest.mark.parametrize("searcher", [Tpe, GaussianProcess, CmaEs])
def test_searchers_that_learn_come_nearer_to_the_best_than_chance(searcher: Any) -> None:
    chance = median(min(map(regret, play_in_turn(RandomSearch(space(RATE, WIDTH), 25, seed)))) for seed in range(5))
    later = []
    for seed in range(3):
        asked = play_in_turn(searcher(space(RATE, WIDTH), trials=25, seed=seed))
        later.append(median(regret(params) for params in asked[15:]))
    assert median(later) < 1.0, "the median of the range is 2.5"
    assert chance < 1.0


def test_a_sobol_sequence_leaves_no_eighth_of_the_range_empty() -> None:
    asked = play_in_turn(Qmc(space(RATE, WIDTH), trials=17))
    eighths = {int(8 * math.log(params["lr"] / 1e-4) / math.log(100.0001)) for params in asked[1:]}
    assert eighths == set(range(8))


def test_stopped_trials_are_told_as_pruned_with_their_last_step() -> None:
    searcher = Tpe(space(RATE), trials=3)
    params = searcher.ask()
    assert params is not None
    searcher.prune(params, 7, 0.25)
    (trial,) = searcher.study.trials
    assert trial.state.name == "PRUNED"
    assert trial.intermediate_values == {7: 0.25}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"param": "lr", "range": [0.01, 0.01]}, "the range of lr is empty"),
        ({"param": "lr", "range": [0.01, 0.001]}, r"the range of lr is reversed; write \[0.001, 0.01\]"),
        ({"param": "lr", "range": [0, 0.01], "log": True}, "a logarithmic range starts above 0"),
        ({"param": "lr", "range": [0.001]}, "two numbers"),
        ({"param": "lr", "range": ["low", "high"]}, "two numbers"),
        ({"param": "lr", "range": [0.1, 0.2], "step": 0.5}, "above 0, at most 0.1"),
        ({"param": "lr", "range": [0.1, 0.2], "step": 0.01, "log": True}, "log and step"),
        ({"param": "lr", "range": [0.1, 0.2], "values": [1]}, "or {param, range}"),
        ({"param": "norm", "range": [0.1, 0.2]}, "norm=batch takes no range"),
        ({"param": "layers", "range": [0.5, 2.5]}, "layers=3 is a whole number"),
    ],
)
def test_a_range_that_cannot_work_is_refused_in_one_line(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        space(entry)
    assert "\n" not in str(caught.value)


def test_a_range_is_not_for_objects() -> None:
    with pytest.raises(ConfigurationError, match="takes no range, which is of numbers; give values"):
        Space([Parameter.read({"param": "optimizer", "range": [1, 2]})], {"optimizer": {"_target_": "torch.optim.SGD"}})


def test_the_grid_refuses_a_range_and_names_what_works() -> None:
    with pytest.raises(ConfigurationError, match=r"this search needs a list for lr.*searcher=random and tpe"):
        GridSearch(space(RATE))


@pytest.mark.parametrize(
    ("searcher", "package", "extra"),
    [
        (Tpe, "optuna", "tpe"),
        (GaussianProcess, "scipy", "search"),
        (CmaEs, "cmaes", "search"),
        (Qmc, "scipy", "search"),
    ],
)
def test_a_missing_package_is_one_line_with_the_pip_line(
    searcher: Any, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=rf"needs the package {package}: `pip install 'vmsbench\[{extra}\]'`"):
        searcher(space(RATE))


NORM = {"param": "norm", "values": ["batch", "instance"]}


@pytest.mark.parametrize("searcher", [CoordinateSearch, RandomSearch, Tpe, GaussianProcess, CmaEs, Qmc])
def test_known_good_choices_are_asked_for_first(searcher: Any) -> None:
    over = space(RATE, NORM)
    made = searcher(over)
    good = [known_choice(over, {"lr": 0.002}), known_choice(over, {"lr": "4e-3", "norm": "instance"})]
    made.try_first(good)
    asked = [made.ask() for _ in range(3)]
    assert [params for params in asked if params != over.start][:2] == good == [
        {"lr": 0.002, "norm": "batch"},
        {"lr": 0.004, "norm": "instance"},
    ]  # fmt: skip


def test_the_coordinate_search_starts_from_the_best_known_choice() -> None:
    over = space(RATE, NORM)
    searcher = CoordinateSearch(over)
    searcher.try_first([{"lr": 0.004, "norm": "instance"}])
    asked = play(searcher, lambda one: abs(math.log(one["lr"] / 4e-3)) + (one["norm"] == "batch"))
    assert all(params["norm"] == "instance" for params in asked[1:-1])
    assert searcher.incumbent == {"lr": 0.004, "norm": "instance"}
    assert len({key(params) for params in asked}) == len(asked)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lrr": 0.1}, "lrr is not a parameter of this space; did you mean lr"),
        ({"lr": 0.1}, "lr=0.1 is not in the space: 0.0001 to 0.01, logarithmic"),
        ({"norm": "group"}, "norm=group is not in the space: batch, instance"),
    ],
)
def test_a_known_choice_outside_the_space_is_refused(given: Params, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        known_choice(space(RATE, NORM), given)


def test_of_another_sweeps_best_counts_what_this_space_varies() -> None:
    over = space(RATE, NORM)
    assert choice_of(over, {"lr": 0.005, "norm": "group", "width": 99}) == {"lr": 0.005, "norm": "batch"}
