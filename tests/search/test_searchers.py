"""Searchers: a contract that every one keeps, and the coordinate search against a plain rewrite of it."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from tests.support.sweeps.searches import COORDINATES, SPACE, START, play, score, tables
from vmsbench.errors import ConfigurationError
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.grid import GridSearch
from vmsbench.search.random import RandomSearch
from vmsbench.search.samplers.cmaes import CmaEs
from vmsbench.search.samplers.gp import GaussianProcess
from vmsbench.search.samplers.qmc import Qmc
from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.space import Parameter, Space, at, holds, put
from vmsbench.search.tpe import Tpe
from vmsbench.search.wrappers.repeated import Repeated
from vmsbench.testing import searcher_contract
from vmsbench.testing.searchers import (
    no_choice_is_asked_twice_and_the_best_is_known,
    the_order_of_answers_changes_nothing,
    where_everything_fails_the_start_stays,
)

SEARCHERS: dict[str, Callable[[Space], Searcher]] = {
    "parameter": lambda space: CoordinateSearch(space, rounds=2),
    "grid": lambda space: GridSearch(space),
    "random": lambda space: RandomSearch(space, trials=7),
    "tpe": lambda space: Tpe(space, trials=12),
    "gp": lambda space: GaussianProcess(space, trials=12),
    "cmaes": lambda space: CmaEs(space, trials=12),
    "qmc": lambda space: Qmc(space, trials=12),
    "repeated": lambda space: Repeated(CoordinateSearch(space, rounds=2), repeats=3, seed=0),
}


@pytest.mark.parametrize("name", [name for name in SEARCHERS if name != "repeated"])
def test_every_searcher_keeps_the_contract(name: str) -> None:
    searcher_contract(SEARCHERS[name])


def test_a_searcher_of_several_seeds_keeps_what_does_not_depend_on_how_many_of_them_were_stopped() -> None:
    no_choice_is_asked_twice_and_the_best_is_known(SEARCHERS["repeated"](SPACE))
    the_order_of_answers_changes_nothing(SEARCHERS["repeated"])
    where_everything_fails_the_start_stays(SEARCHERS["repeated"](SPACE))


@pytest.mark.parametrize("make", [SEARCHERS[name] for name in ("parameter", "grid", "random", "repeated")])
def test_a_dead_search_is_rebuilt_by_telling_what_is_known(make: Callable[[Space], Searcher]) -> None:
    whole = make(SPACE)
    order = play(whole)
    for told in range(len(order)):
        dead, known = make(SPACE), {}
        while len(known) < told:
            params = dead.ask()
            assert params is not None
            known[key(params)] = score(params)
            dead.tell(params, known[key(params)])
        again = make(SPACE)
        for _ in range(told):
            params = again.ask()
            assert params is not None
            again.tell(params, known[key(params)])
        rest = play(again)
        assert again.incumbent == whole.incumbent
        assert sorted([*known, *map(key, rest)]) == sorted(map(key, order))


def by_hand(space: Space, scored: Callable[[Params], float | None], rounds: int) -> tuple[Params, list[str]]:
    """The search as one would write it down on paper, over whole settings; and all that it scores, in order."""
    best, seen = dict(space.base), []

    def look(settings: Params) -> float | None:
        seen.append(key(settings))
        return scored(settings)

    for _ in range(rounds):
        before = dict(best)
        for parameter in space:
            if not holds(best, parameter.when):
                continue
            winner, least = best, look(best)
            for option in parameter.values:
                if not holds(best, parameter.only.get(key(option), {})):
                    continue
                moved = without_ghosts(space, put(best, parameter.param, option))
                reached = look(moved)
                if reached is not None and (least is None or reached < least):
                    winner, least = moved, reached
            best = winner
        if best == before:
            break
    return best, list(dict.fromkeys(seen))


def exists(settings: Params, parameter: Parameter, option: Any) -> bool:
    return holds(settings, parameter.when) and holds(settings, parameter.only.get(key(option), {}))


def without_ghosts(space: Space, settings: Params) -> Params:
    """Parameters that do not exist under these settings are what they were at the start."""
    for parameter in space:
        if not exists(settings, parameter, settings[parameter.param]):
            settings = put(settings, parameter.param, space.base[parameter.param])
    return settings


@given(tables())
@settings(max_examples=150, deadline=None)
def test_the_coordinate_search_scores_exactly_what_a_plain_loop_scores_and_finds_the_same(world: Any) -> None:
    space, table, rounds = world
    searcher = CoordinateSearch(space, rounds)
    asked = play(searcher, lambda params: table[key(space.config(params))])
    best, seen = by_hand(space, lambda settings: table[key(settings)], rounds)
    assert space.config(searcher.incumbent) == best
    assert [key(space.config(params)) for params in asked] == seen


@given(tables())
@settings(max_examples=100, deadline=None)
def test_the_grid_is_every_configuration_that_exists_once(world: Any) -> None:
    space = world[0]
    values = (one.values for one in space)
    every = (dict(zip([one.param for one in space], point, strict=True)) for point in itertools.product(*values))
    free = []
    for point in every:
        there = ([option for option in one.values if exists(point, one, option)] for one in space)
        allowed = (options or [space.base[one.param]] for one, options in zip(space, there, strict=True))
        if all(point[one.param] in options for one, options in zip(space, allowed, strict=True)):
            free.append(key(point))
    asked = [key(space.config(params)) for params in play(GridSearch(space), lambda params: 1.0)]
    assert sorted(asked) == sorted(free)


def test_tpe_asks_the_start_first_and_finds_the_best_of_a_large_space_sooner_than_chance() -> None:
    space = Space([Parameter(f"p{n}", list(range(8))) for n in range(4)], {f"p{n}": 7 for n in range(4)})
    searcher = Tpe(space, trials=60, seed=1)
    asked = []
    while (params := searcher.ask()) is not None:
        asked.append(params)
        searcher.tell(params, float(sum(abs(value - 2) for value in params.values())))
    assert asked[0] == space.start
    found = [sum(abs(value - 2) for value in params.values()) for params in asked]
    assert sum(found[30:]) / 30 < 7, "the mean of the space is 9"


@given(tables())
@settings(max_examples=15, deadline=None)
def test_tpe_asks_only_what_exists_under_the_conditions(world: Any) -> None:
    space, table, _ = world
    searcher = Tpe(space, trials=10)
    for params in play(searcher, lambda params: table[key(space.config(params))]):
        for one in space:
            if one.param in params:
                options = space.values(one, params)
                assert key(params[one.param]) in {*map(key, options), key(space.base[one.param])}
    assert searcher.finished


def test_a_start_outside_the_options_is_tried_first() -> None:
    searcher = CoordinateSearch(Space([Parameter("width", [8, 16])], {"width": 99}))
    assert searcher.ask() == {"width": 99}


def test_a_settled_coordinate_names_every_option_with_its_score() -> None:
    searcher = CoordinateSearch(Space(COORDINATES[:1], {"width": 16}))
    for params in iter(searcher.ask, None):
        searcher.tell(params, None if params["width"] == 32 else float(params["width"]))
    (settled,) = searcher.settled
    assert (settled.parameter, settled.value, settled.score) == ("width", 8, 8.0)
    assert [(tried.value, tried.score) for tried in settled.options] == [(8, 8.0), (16, 16.0), (32, None)]


def test_options_may_be_whole_objects() -> None:
    options = [{"_target_": "torch.optim.SGD", "lr": 0.1}, {"_target_": "torch.optim.Adam", "lr": 0.001}]
    searcher = CoordinateSearch(Space([Parameter("optimizer", options)], {"optimizer": options[1]}))
    play(searcher, lambda params: params["optimizer"]["lr"])
    assert searcher.incumbent == {"optimizer": options[1]}


ADAM = {"_target_": "torch.optim.Adam", "lr": 0.001, "betas": [0.9, 0.999]}
SGD = {"_target_": "torch.optim.SGD", "lr": 0.01}
OPTIMISERS = [
    {"param": "optimizer", "values": [SGD, ADAM]},
    {
        "param": "optimizer.betas",
        "when": {"optimizer._target_": "torch.optim.Adam"},
        "values": [[0.9, 0.999], [0.5, 0.999]],
    },
    {"param": "optimizer.lr", "values": [0.5]},
]


def test_a_part_exists_under_its_object_alone_and_is_forgotten_with_it() -> None:
    space = Space([Parameter.read(entry) for entry in OPTIMISERS], {"optimizer": ADAM})
    betas = space.parameters[1]
    under_adam = space.moved(space.start, betas, [0.5, 0.999])
    assert space.config(under_adam)["optimizer"] == ADAM | {"betas": [0.5, 0.999]}
    under_sgd = space.moved(under_adam, space.parameters[0], SGD)
    assert space.config(under_sgd)["optimizer"] == SGD
    assert space.values(betas, under_sgd) == []
    assert space.moved(under_sgd, space.parameters[0], ADAM) == space.start
    assert space.moved(under_adam, betas, [0.9, 0.999]) == space.start, "two words for one configuration"


NETWORKS = [
    {"param": "network", "values": [{"kind": "plain", "width": 8}, {"kind": "unet", "width": 8, "norm": "batch"}]},
    {"param": "network.norm", "when": "has", "values": ["batch", "instance"]},
    {"param": "batch", "values": [4, 8]},
]


def test_a_parameter_of_what_has_it_exists_there_alone() -> None:
    parameters = [Parameter.read(entry) for entry in NETWORKS]
    space = Space(parameters, {"network": NETWORKS[0]["values"][0], "batch": 4})
    assert space.count() == (1 + 2) * 2
    assert space.values(parameters[1], space.start) == []
    assert not space.excluded(parameters[1], "instance"), "another network has a norm"
    asked = [space.config(params)["network"] for params in play(GridSearch(space), lambda params: 1.0)]
    assert [network for network in asked if network["kind"] == "plain"] == [NETWORKS[0]["values"][0]] * 2
    assert {network["norm"] for network in asked if network["kind"] == "unet"} == {"batch", "instance"}


def test_a_parameter_that_nothing_has_is_left_out_of_the_search() -> None:
    norm = Parameter.read({"param": "network.norm", "when": "has", "values": ["batch", "instance"]})
    space = Space([norm, Parameter("batch", [4, 8])], {"network": {"width": 8}, "batch": 4})
    assert space.excluded(norm, "batch")
    assert play(CoordinateSearch(space), lambda params: 1.0) == [{"batch": 4}, {"batch": 8}]
    with pytest.raises(ConfigurationError, match="it is `has`, or"):
        Parameter.read({"param": "network.norm", "when": "exists", "values": [1]})


def test_a_walk_over_optimisers_varies_betas_only_under_adam() -> None:
    def wins(name: str) -> list[dict[str, Any]]:
        space = Space([Parameter.read(entry) for entry in OPTIMISERS], {"optimizer": ADAM})
        searcher = CoordinateSearch(space)
        asked = play(searcher, lambda params: float(name not in space.config(params)["optimizer"]["_target_"]))
        return [space.config(params)["optimizer"] for params in asked]

    assert wins("SGD") == [ADAM, SGD, SGD | {"lr": 0.5}]
    assert wins("Adam") == [ADAM, SGD, ADAM | {"betas": [0.5, 0.999]}, ADAM | {"lr": 0.5}]


def test_an_option_may_set_several_parameters_at_once() -> None:
    entry = {
        "param": "size",
        "values": [{"set": {"net.width": 8, "batch": 32}}, {"set": {"net.width": 64, "batch": 4}}],
    }
    space = Space([Parameter.read(entry)], {"net": {"width": 64, "batch": 0}, "batch": 4})
    assert space.start == {"size": {"net.width": 64, "batch": 4}}
    asked = play(CoordinateSearch(space), lambda params: 1.0)
    assert [space.config(params) for params in asked] == [
        {"net": {"width": 64, "batch": 0}, "batch": 4},
        {"net": {"width": 8, "batch": 0}, "batch": 32},
    ]
    assert at(space.base, "net.width") == 64, "the start itself was changed"


def test_the_score_of_repeats_is_their_mean_and_one_that_fails_cannot_win() -> None:
    scores = {8: [1.0, 5.0], 16: [4.0, 4.0], 32: [2.0, None]}
    searcher = Repeated(CoordinateSearch(Space(COORDINATES[:1], {"width": 16})), repeats=2, seed=7)
    asked = play(searcher, lambda params: scores[params["width"]][params.get("seed", 7) - 7])
    assert [params.get("seed") for params in asked] == [None, None, None, 8, 8, 8]
    assert searcher.incumbent == {"width": 8}
    assert [tried.score for tried in searcher.settled[0].options] == [3.0, 4.0, None]


def test_repeats_of_what_has_failed_are_spared() -> None:
    searcher = Repeated(CoordinateSearch(Space(COORDINATES[:1], {"width": 16})), repeats=3, seed=0)
    asked = 0
    while not searcher.finished:
        params = searcher.ask()
        assert params is not None
        asked += 1
        searcher.tell(params, None if params["width"] == 8 else 1.0)
    assert asked == 7


def test_a_random_search_draws_every_point_alike() -> None:
    space = Space([Parameter("a", [0, 1]), Parameter("b", [0, 1, 2], when={"a": 1})], {"a": 0, "b": 0})
    drawn = [key(play(RandomSearch(space, trials=1, seed=seed), lambda params: 1.0)[0]) for seed in range(800)]
    counts = [drawn.count(one) for one in sorted(set(drawn))]
    assert space.count() == len(counts) == 4
    assert all(150 < count < 250 for count in counts), counts


def test_the_grid_is_every_combination_once() -> None:
    asked = play(GridSearch(SPACE))
    assert len({json.dumps(params) for params in asked}) == 18


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Parameter("width", []), "width has no options"),
        (lambda: Parameter("width", [8, 8]), "width has an option twice"),
        (lambda: CoordinateSearch(SPACE, rounds=0), "searcher.rounds=0"),
        (lambda: Space([], {}), "no parameters"),
        (lambda: Repeated(CoordinateSearch(SPACE), 0, 0), "searcher.repeats=0"),
        (lambda: Space([Parameter("widht", [8])], START), "widht is not a setting of .*; did you mean width"),
        (lambda: Space([COORDINATES[0], COORDINATES[0]], START), "width is given twice"),
        (
            lambda: Space([Parameter("lr", [1], when={"width": 8}), COORDINATES[0]], START),
            "width must stand before lr, which depends on it",
        ),
        (
            lambda: Space([Parameter("a.b", [1]), Parameter("a", [{"b": 2}])], {"a": {"b": 0}}),
            "a must stand before a.b, which depends on it",
        ),
        (lambda: Parameter.read({"param": "width"}), "a parameter is"),
        (lambda: Parameter.read({"param": "width", "values": 8}), "width has options 8; they are a list"),
        (lambda: Parameter.read({"param": "x", "values": [1, {"set": {"width": 8}}]}), "give it to all or none"),
        (
            lambda: Space([*COORDINATES, Parameter("x.y", [1], when={"width": 99})], START | {"x": {"y": 0}}).example(
                Parameter("x.y", [1], when={"width": 99}), 1
            ),
            "x.y=1 never exists: .*width=99.* never holds",
        ),
        (lambda: RandomSearch(SPACE, trials=19), "searcher.trials=19 must lie between 1 and the space's 18"),
    ],
)
def test_impossible_searches_are_refused_by_name(make: Callable[[], Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        make()
