"""Searchers: a contract that every one keeps, and the coordinate search against a plain rewrite of it."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmsbench.errors import ConfigurationError
from vmsbench.tuning.coordinate import CoordinateSearch
from vmsbench.tuning.listed import GridSearch, RandomSearch
from vmsbench.tuning.searcher import Choice, Coordinate, Searcher, key

SPACE = [Coordinate("width", [8, 16, 32]), Coordinate("norm", ["batch", "instance"]), Coordinate("lr", [0.1, 0.2, 0.4])]
START: Choice = {"width": 16, "norm": "batch", "lr": 0.1}
SEARCHERS: dict[str, Callable[[], Searcher]] = {
    "coordinate": lambda: CoordinateSearch(SPACE, START, rounds=2),
    "grid": lambda: GridSearch(SPACE, START),
    "random": lambda: RandomSearch(SPACE, START, trials=7),
}


def score(choice: Choice) -> float:
    return (choice["width"] - 20) ** 2 + 50 * (choice["norm"] == "batch") + abs(choice["lr"] - 0.2)


def play(searcher: Searcher, scored: Callable[[Choice], float | None] = score, backwards: bool = False) -> list[Choice]:
    """Ask for all that can be asked, tell it in one order or the other, until it is finished."""
    asked: list[Choice] = []
    while not searcher.finished:
        batch = list(iter(searcher.ask, None))
        assert batch, "a searcher that is not finished and waits for nothing must ask"
        asked += batch
        for choice in reversed(batch) if backwards else batch:
            searcher.tell(choice, scored(choice))
    return asked


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_no_choice_is_asked_twice_and_the_budget_holds(make: Callable[[], Searcher]) -> None:
    searcher = make()
    asked = [key(choice) for choice in play(searcher)]
    assert len(set(asked)) == len(asked) <= searcher.budget
    assert searcher.ask() is None


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_the_order_of_the_answers_changes_nothing(make: Callable[[], Searcher]) -> None:
    one, other = make(), make()
    assert play(one) == play(other, backwards=True)
    assert one.incumbent == other.incumbent


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_the_incumbent_is_the_best_that_was_told(make: Callable[[], Searcher]) -> None:
    searcher = make()
    asked = play(searcher)
    assert score(searcher.incumbent) == min(map(score, asked))


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_where_everything_fails_the_start_stays(make: Callable[[], Searcher]) -> None:
    searcher = make()
    play(searcher, lambda choice: None)
    assert searcher.finished
    assert searcher.incumbent == START


@pytest.mark.parametrize("make", SEARCHERS.values(), ids=SEARCHERS)
def test_a_dead_search_is_rebuilt_by_telling_what_is_known(make: Callable[[], Searcher]) -> None:
    whole = make()
    order = play(whole)
    for told in range(len(order)):
        dead, known = make(), {}
        while len(known) < told:
            choice = dead.ask()
            assert choice is not None
            known[key(choice)] = score(choice)
            dead.tell(choice, known[key(choice)])
        again = make()
        for _ in range(told):
            choice = again.ask()
            assert choice is not None
            again.tell(choice, known[key(choice)])
        rest = play(again)
        assert again.incumbent == whole.incumbent
        assert sorted([*known, *map(key, rest)]) == sorted(map(key, order))


def by_hand(space: list[Coordinate], start: Choice, scored: Callable[[Choice], float | None], rounds: int) -> Choice:
    """The search as one would write it down on paper."""
    best = dict(start)
    for _ in range(rounds):
        before = dict(best)
        for coordinate in space:
            winner, least = best[coordinate.param], scored(best)
            for option in coordinate.options:
                reached = scored(best | {coordinate.param: option})
                if reached is not None and (least is None or reached < least):
                    winner, least = option, reached
            best[coordinate.param] = winner
        if best == before:
            break
    return best


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Coordinate], Choice, dict[str, float | None], int]:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    space = [Coordinate(f"p{i}", list(range(size))) for i, size in enumerate(sizes)]
    start = {one.param: draw(st.sampled_from(one.options)) for one in space}
    names = [one.param for one in space]
    points = [key(dict(zip(names, p, strict=True))) for p in itertools.product(*(one.options for one in space))]
    values = st.one_of(st.none(), st.integers(0, 4).map(float))
    table = dict(zip(points, draw(st.lists(values, min_size=len(points), max_size=len(points))), strict=True))
    return space, start, table, draw(st.integers(1, 3))


@given(tables())
@settings(max_examples=200, deadline=None)
def test_the_coordinate_search_finds_what_a_plain_loop_finds(world: tuple[Any, ...]) -> None:
    space, start, table, rounds = world
    searcher = CoordinateSearch(space, start, rounds)
    play(searcher, lambda choice: table[key(choice)])
    assert searcher.incumbent == by_hand(space, start, lambda choice: table[key(choice)], rounds)


def test_a_start_outside_the_options_is_tried_first() -> None:
    searcher = CoordinateSearch([Coordinate("width", [8, 16])], {"width": 99})
    assert searcher.ask() == {"width": 99}


def test_a_settled_coordinate_names_every_option_with_its_score() -> None:
    searcher = CoordinateSearch(SPACE[:1], {"width": 16})
    for choice in iter(searcher.ask, None):
        searcher.tell(choice, None if choice["width"] == 32 else float(choice["width"]))
    (settled,) = searcher.settled
    assert (settled.coordinate, settled.value, settled.score) == ("width", 8, 8.0)
    assert [(tried.value, tried.score) for tried in settled.tried] == [(8, 8.0), (16, 16.0), (32, None)]


def test_options_may_be_whole_objects() -> None:
    options = [{"_target_": "torch.optim.SGD", "lr": 0.1}, {"_target_": "torch.optim.Adam", "lr": 0.001}]
    searcher = CoordinateSearch([Coordinate("optimizer", options)], {"optimizer": options[1]})
    play(searcher, lambda choice: choice["optimizer"]["lr"])
    assert searcher.incumbent == {"optimizer": options[1]}


def test_the_grid_is_every_combination_once() -> None:
    asked = play(GridSearch(SPACE, START))
    assert len({json.dumps(choice) for choice in asked}) == 18


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Coordinate("width", []), "width has no options"),
        (lambda: Coordinate("width", [8, 8]), "width has an option twice"),
        (lambda: CoordinateSearch(SPACE, START, rounds=0), "searcher.rounds=0"),
        (lambda: CoordinateSearch([], {}), "no coordinates"),
        (lambda: RandomSearch(SPACE, START, trials=19), "searcher.trials=19 must lie between 1 and the space's 18"),
    ],
)
def test_impossible_searches_are_refused_by_name(make: Callable[[], Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        make()
