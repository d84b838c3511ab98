"""Extra trials for idle slots: they never change what a search finds, make way, and are rebuilt after a kill."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sweeps.searches import COORDINATES, SPACE, START, play, score, tables
from vmsbench.config.compose import compose
from vmsbench.search.configured import experiment_part, searcher_for, space_of
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.pruners import NoPruner
from vmsbench.search.random import RandomSearch
from vmsbench.search.searcher import Params, key
from vmsbench.search.simulation import play as simulate
from vmsbench.search.simulation import synthetic
from vmsbench.search.space import Parameter, Space
from vmsbench.search.wrappers.filled import Filled
from vmsbench.search.wrappers.repeated import Repeated
from vmsbench.testing.searchers import a_search_that_died_is_rebuilt


@given(tables(), st.randoms(use_true_random=False), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_extra_trials_change_what_is_asked_but_not_what_is_found(world: Any, random: Any, slots: int) -> None:
    space, table, rounds = world
    plain = CoordinateSearch(space, rounds)
    play(plain, lambda params: table[key(space.config(params))])
    filled = Filled(CoordinateSearch(space, rounds), 0)
    running: list[Params] = []
    given: list[str] = []
    while not filled.finished:
        for params in [one for one in running if not filled.is_needed(one)]:
            running.remove(params)
            given.remove(key(params))
            filled.release(params)
        while len(running) < slots and (asked := filled.ask()) is not None:
            running.append(asked)
            given.append(key(asked))
        if not running:
            assert filled.finished
            break
        done = running.pop(random.randrange(len(running)))
        seedless = {name: value for name, value in done.items() if name != "seed"}
        filled.tell(done, table[key(space.config(seedless))])
    assert filled.incumbent == plain.incumbent
    assert filled.settled == plain.settled
    assert len(set(given)) == len(given), "a choice ran twice"


def test_an_extra_trial_that_the_search_asks_for_meanwhile_is_not_let_go() -> None:
    space = Space((Parameter("p0", [0]), Parameter("p1", [0, 1])), {"p0": 0, "p1": 0})
    searcher = Filled(CoordinateSearch(space), 0)
    first, extra = searcher.ask(), searcher.ask()
    assert (first, extra) == ({"p0": 0, "p1": 0}, {"p0": 0, "p1": 1})
    assert searcher.is_extra(extra or {})
    searcher.tell(first or {}, None)
    assert searcher.is_needed(extra or {})
    assert not searcher.is_extra(extra or {})


@pytest.mark.parametrize("make", [CoordinateSearch, lambda space: Repeated(CoordinateSearch(space), 2, 0)])
def test_a_killed_search_with_extra_trials_continues_as_if_it_had_not_been(make: Any) -> None:
    a_search_that_died_is_rebuilt(lambda space: Filled(make(space), 0), SPACE)


def test_with_one_slot_there_are_no_extra_trials() -> None:
    searcher, asked = Filled(CoordinateSearch(SPACE), 0), []
    while (params := searcher.ask()) is not None:
        assert not searcher.is_extra(params)
        asked.append(params)
        searcher.tell(params, score(params))
    assert asked == [*play(CoordinateSearch(SPACE))]


def test_extra_trials_are_first_what_is_asked_for_next_then_further_seeds_of_the_best() -> None:
    searcher = Filled(CoordinateSearch(SPACE), 0)
    asked = [searcher.ask() for _ in range(9)]
    assert [params for params in asked[:3] if params] == [START | {"width": width} for width in (16, 8, 32)], (
        "the first parameter"
    )
    assert START | {"norm": "instance"} in asked[3:6]
    assert START | {"lr": 0.4} in asked[3:6]
    assert all(params is not None and "seed" in params for params in asked[6:])


def test_an_extra_trial_makes_way_for_one_that_is_needed_and_continues_later() -> None:
    searcher = Filled(CoordinateSearch(Space(COORDINATES[1:], START)), 0)
    first = [searcher.ask() for _ in range(6)]
    batch, instance, *extra = (params for params in first if params is not None)
    assert all(searcher.is_extra(params) for params in extra)
    assert all(searcher.is_needed(params) for params in first if params is not None)
    searcher.tell(batch, 2.0)
    searcher.tell(instance, 1.0)
    stopped = [params for params in extra if not searcher.is_needed(params)]
    assert len(stopped) == 2, "instance with two rates is needed now"
    for params in stopped:
        searcher.release(params)
    needed = [searcher.ask(), searcher.ask()]
    assert needed == [{"norm": "instance", "lr": rate} for rate in (0.2, 0.4)]
    assert not any(searcher.is_extra(params) for params in needed if params is not None)
    for params in needed:
        assert params is not None
        searcher.tell(params, 3.0)
    assert searcher.finished
    assert not any(searcher.is_needed(params) for params in extra if params not in stopped)


def test_a_search_that_waits_for_nothing_has_extra_trials_at_its_end_alone() -> None:
    searcher = Filled(RandomSearch(SPACE, trials=5), 0)
    asked = [searcher.ask() for _ in range(7)]
    assert [searcher.is_extra(params) for params in asked if params is not None] == [False] * 5 + [True] * 2


@pytest.mark.parametrize("exp", ["unet", "gan", "diffusion"])
@pytest.mark.parametrize(("slots", "least"), [(8, 0.9), (16, 0.8)])
def test_slots_are_busy_over_the_default_spaces_and_the_search_is_shorter(exp: str, slots: int, least: float) -> None:
    composed = compose(exp, [])
    space = space_of(composed["space"]["parameters"], experiment_part(composed))
    idle = composed | {"searcher": composed["searcher"] | {"fill": False}}
    for world in range(2):
        found, plain = (
            simulate(searcher_for(one, space, (), slots), synthetic(space, world), NoPruner(), slots)
            for one in (composed, idle)
        )
        assert found.busy >= least > 0.3 > plain.busy
        assert found.turns < plain.turns
        assert found.incumbent == plain.incumbent
        assert found.settled == plain.settled


def test_slots_are_filled_from_three_on_and_not_on_a_budget_of_trials() -> None:
    composed = compose("unet", [])
    space = space_of(composed["space"]["parameters"], experiment_part(composed))
    assert not isinstance(searcher_for(composed, space, (), 2), Filled)
    assert isinstance(searcher_for(composed, space, (), 3), Filled)
    assert not isinstance(searcher_for(composed | {"budget": "20gpuh"}, space, (), 8), Filled)
    assert isinstance(searcher_for(composed | {"budget": "20gpuh-billed"}, space, (), 8), Filled)
