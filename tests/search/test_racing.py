"""Races over seeds: bad choices get one seed, close ones get all, and luck alone changes no winner."""

import random
from typing import Any

import pytest
import yaml

from tests.support.sweeps.searches import SPACE
from vmsbench.config.compose import compose
from vmsbench.config.instantiate import build
from vmsbench.config.plugins import option_files, options
from vmsbench.errors import ConfigurationError
from vmsbench.search.configured import AROUND, experiment_part, searcher_for, space_of
from vmsbench.search.coordinate import CoordinateSearch
from vmsbench.search.grid import GridSearch
from vmsbench.search.pruners import GuardedAshaPruner
from vmsbench.search.searcher import Params, Searcher, key, without_run
from vmsbench.search.simulation import play
from vmsbench.search.space import Parameter, Space
from vmsbench.search.wrappers.filled import Filled
from vmsbench.search.wrappers.racing import Racing
from vmsbench.search.wrappers.repeated import Repeated
from vmsbench.testing.searchers import RANGES, a_search_that_died_is_rebuilt

WIDTHS = Space([Parameter("width", [1, 2, 3, 4])], {"width": 1})


def seeds_given(ends: dict[int, float], noise: float, seeds: int = 5) -> tuple[dict[int, int], Racing]:
    """How many seeds each width got, one trial at a time."""
    searcher, counts = Racing(CoordinateSearch(WIDTHS), seeds, 0), dict.fromkeys(ends, 0)
    while (params := searcher.ask()) is not None:
        counts[params["width"]] += 1
        searcher.tell(params, ends[params["width"]] + random.Random(key(params)).gauss(0, noise))
    assert searcher.finished
    return counts, searcher


def test_the_start_and_what_is_close_get_all_seeds_and_what_is_far_gets_one() -> None:
    counts, searcher = seeds_given({1: 0.5, 2: 0.502, 3: 1.0, 4: 0.3}, noise=0.01)
    assert counts == {1: 5, 2: 5, 3: 1, 4: 5}
    assert searcher.incumbent == {"width": 4}


def test_what_may_be_luck_does_not_change_the_winner() -> None:
    for score, wins in ((0.499, 1), (0.3, 2)):
        searcher = Racing(CoordinateSearch(Space([Parameter("width", [1, 2])], {"width": 1})), 4, 0)
        while (params := searcher.ask()) is not None:
            level = 0.5 if params["width"] == 1 else score
            searcher.tell(params, level + 0.02 * (-1) ** params.get("seed", 0))
        assert searcher.incumbent == {"width": wins}


def test_a_dropped_choice_never_has_a_better_score_than_the_incumbent() -> None:
    _, searcher = seeds_given({1: 0.5, 2: 0.9, 3: 1.0, 4: 0.6}, noise=0.01)
    (settled,) = searcher.settled
    scores = {option.value: option.score for option in settled.options}
    assert min(scores.values()) == scores[1]


def test_a_choice_with_a_failed_seed_is_out_of_the_race() -> None:
    searcher = Racing(GridSearch(WIDTHS), 2, 0)
    first = searcher.ask()
    assert first is not None
    searcher.tell(first, None)
    while (params := searcher.ask()) is not None:
        assert params["width"] != 1
        searcher.tell(params, float(params["width"]))
    assert searcher.incumbent == {"width": 2}


@pytest.mark.parametrize("name", options("searcher"))
def test_a_killed_race_of_every_searcher_continues_as_if_it_had_not_been(name: str) -> None:
    spec = yaml.safe_load(option_files("searcher")[name].read_text())
    own = {part: value for part, value in spec.items() if part not in AROUND}

    def race(space: Space) -> Racing:
        searcher: Searcher = build(own | ({"trials": 6} if "trials" in own else {}), "searcher", space=space)
        return Racing(searcher, 3, 0)

    for space in (SPACE,) if name == "grid" else (SPACE, RANGES):  # a grid has no ranges
        a_search_that_died_is_rebuilt(race, space)
        a_search_that_died_is_rebuilt(lambda space: Filled(race(space), 0), space)


def test_no_run_is_asked_for_twice() -> None:
    searcher, asked = Racing(CoordinateSearch(SPACE), 3, 0), []
    while not searcher.finished:
        batch: list[Params] = list(iter(searcher.ask, None))
        asked += map(key, batch)
        for params in reversed(batch):
            searcher.tell(params, len(key(without_run(params))) + 0.01 * params.get("seed", 0))
    assert len(asked) == len(set(asked)) <= searcher.max_trials


@pytest.mark.parametrize("name", ["coordinate", "grid", "random", "tpe", "gp", "cmaes", "qmc"])
def test_a_race_with_one_seed_is_refused_for_every_searcher(name: str) -> None:
    composed = compose("unet", [f"searcher={name}", "searcher.racing=true", "space=study"])
    if "trials" in composed["searcher"]:
        composed["searcher"]["trials"] = 4
    space = space_of(composed["space"]["parameters"], experiment_part(composed))
    with pytest.raises(ConfigurationError, match=r"a race needs 2 seeds or more; searcher.repeats=5"):
        searcher_for(composed, space)
    composed["searcher"]["repeats"] = 3
    assert isinstance(searcher_for(composed, space), Racing)


@pytest.mark.parametrize("wrapper", [Racing, Repeated])
def test_early_stopping_compares_runs_of_the_same_seed_and_spares_those_of_the_incumbent(wrapper: Any) -> None:
    def curve_of(params: Params) -> list[float]:
        return [params["width"] / 100 + params.get("seed", 0) + 1 / epoch for epoch in range(1, 9)]

    played = play(wrapper(CoordinateSearch(WIDTHS), 3, 0), curve_of, GuardedAshaPruner(), slots=1)
    (settled,) = played.settled
    assert settled.value == 1
    assert settled.score == pytest.approx(0.01 + 1 + 1 / 8)
    assert played.pruned <= 3 * 3
    assert all(params["width"] != 1 or epochs == 8 for params, epochs in played.trials)
