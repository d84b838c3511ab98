"""What every searcher promises: each choice once, the best one known, and a killed search is rebuilt."""

from collections.abc import Callable

from vmsbench.search.searcher import Params, Searcher, key
from vmsbench.search.space import Parameter, Space

START: Params = {"width": 16, "norm": "batch", "lr": 0.1}
SPACE = Space(
    [
        Parameter("width", [8, 16, 32]),
        Parameter("norm", ["batch", "instance"]),
        Parameter("lr", [0.1, 0.2, 0.4]),
    ],
    START,
)


def searcher_contract(make: Callable[[Space], Searcher]) -> None:
    """`make(space)` gives a new searcher; the space has 18 points."""
    no_choice_is_asked_twice_and_the_best_is_known(make(SPACE))
    the_order_of_answers_changes_nothing(make)
    where_everything_fails_the_start_stays(make(SPACE))
    a_search_that_died_is_rebuilt(make)


def scored(choice: Params) -> float:
    return float((choice["width"] - 20) ** 2 + 50 * (choice["norm"] == "batch") + abs(choice["lr"] - 0.2))


def failed(choice: Params) -> None:
    """The score of a trial that failed."""


def play(searcher: Searcher, score: Callable[[Params], float | None] = scored, backwards: bool = False) -> list[Params]:
    """Ask and tell until the searcher is finished."""
    asked: list[Params] = []
    while not searcher.finished:
        batch = list(iter(searcher.ask, None))
        assert batch, "not finished, no score is outstanding, and ask() gives nothing"
        asked += batch
        for choice in reversed(batch) if backwards else batch:
            searcher.tell(choice, score(choice))
    return asked


def no_choice_is_asked_twice_and_the_best_is_known(searcher: Searcher) -> None:
    asked = play(searcher)
    different = {key(choice) for choice in asked}
    assert len(different) == len(asked), "a choice is asked for twice"
    assert len(asked) <= searcher.max_trials, f"{len(asked)} choices are asked for; max_trials is {searcher.max_trials}"
    assert searcher.ask() is None, "it is finished, but ask() gives a choice"
    assert scored(searcher.incumbent) == min(map(scored, asked)), "the incumbent is not the best scored choice"


def the_order_of_answers_changes_nothing(make: Callable[[Space], Searcher]) -> None:
    one, other = make(SPACE), make(SPACE)
    assert play(one) == play(other, backwards=True), "the same scores in another order lead to other choices"
    assert one.incumbent == other.incumbent, "the same scores in another order lead to another incumbent"


def where_everything_fails_the_start_stays(searcher: Searcher) -> None:
    play(searcher, failed)
    assert searcher.incumbent == START, "a choice that failed is the incumbent"


def a_search_that_died_is_rebuilt(make: Callable[[Space], Searcher]) -> None:
    dead = make(SPACE)
    half: list[Params] = []
    while len(half) < dead.max_trials // 2 and not dead.finished and (choice := dead.ask()) is not None:
        half.append(choice)
        dead.tell(choice, scored(choice))
    again = make(SPACE)
    for choice in half:
        again.enqueue(choice)
    asked = play(again)
    assert {key(choice) for choice in half} <= {key(choice) for choice in asked}, "a scored choice is asked for again"
