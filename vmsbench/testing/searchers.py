"""What every searcher promises: each choice once, the best one known, and a killed search is rebuilt."""

import random
from collections.abc import Callable

from vmsbench.errors import ConfigurationError
from vmsbench.search.ranges import ValueRange
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
RATE = ValueRange(1e-4, 1e-2, log=True)
RANGES = Space(
    [
        Parameter("width", (8, 20, 32), range=ValueRange(8, 32, step=4, whole=True)),
        Parameter("norm", ["batch", "instance"]),
        Parameter("lr", RATE.points, range=RATE),
    ],
    {"width": 16, "norm": "batch", "lr": 0.001},
)
SLOTS = 3

Event = tuple[str, Params]


def searcher_contract(make: Callable[[Space], Searcher]) -> None:
    """`make(space)` gives a new searcher; the space has 18 points, or ranges. It may refuse ranges, by a
    ConfigurationError of one line."""
    no_choice_is_asked_twice_and_the_best_is_known(make(SPACE))
    the_order_of_answers_changes_nothing(make)
    where_everything_fails_the_start_stays(make(SPACE))
    what_was_stopped_never_wins(make(SPACE))
    known_good_choices_come_first(make(SPACE))
    a_search_that_died_is_rebuilt(make, SPACE)
    if takes_ranges(make):
        every_number_is_of_its_range(make(RANGES))
        a_search_that_died_is_rebuilt(make, RANGES)


def takes_ranges(make: Callable[[Space], Searcher]) -> bool:
    reason = None
    try:
        make(RANGES)
    except ConfigurationError as error:
        reason = str(error)
    assert reason is None or "range" in reason.splitlines()[-1], f"not one line about the range: {reason}"
    return reason is None


def scored(params: Params) -> float:
    return float((params["width"] - 20) ** 2 + 50 * (params["norm"] == "batch") + abs(params["lr"] - 0.2))


def failed(params: Params) -> None:
    """The score of a trial that failed."""


def play(searcher: Searcher, score: Callable[[Params], float | None] = scored, backwards: bool = False) -> list[Params]:
    """Ask and tell until the searcher is finished."""
    asked: list[Params] = []
    while not searcher.finished:
        batch = list(iter(searcher.ask, None))
        assert batch, "not finished, no score is outstanding, and ask() gives nothing"
        asked += batch
        for params in reversed(batch) if backwards else batch:
            searcher.tell(params, score(params))
    return asked


def no_choice_is_asked_twice_and_the_best_is_known(searcher: Searcher) -> None:
    asked = play(searcher)
    different = {key(params) for params in asked}
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


def what_was_stopped_never_wins(searcher: Searcher) -> None:
    """All but every third choice are stopped, the best of them too."""
    complete: list[Params] = []
    count = 0
    while not searcher.finished:
        params = searcher.ask()
        assert params is not None, "not finished, no score is outstanding, and ask() gives nothing"
        count += 1
        if count % 3 == 1:
            complete.append(params)
            searcher.tell(params, scored(params))
        else:
            searcher.prune(params, 5, scored(params))
    best = min(map(scored, complete))
    assert scored(searcher.incumbent) == best, "the incumbent is not the best choice that was not stopped"


def known_good_choices_come_first(searcher: Searcher) -> None:
    good: Params = {"width": 32, "norm": "instance", "lr": 0.2}
    try:
        searcher.try_first([good])
    except ConfigurationError:
        return
    asked = play(searcher)
    assert key(good) in map(key, asked[:2]), "a known-good choice is not among the first two"
    assert len(asked) == len({key(params) for params in asked}) <= searcher.max_trials
    assert scored(searcher.incumbent) == min(map(scored, asked)), "the incumbent is not the best scored choice"


def every_number_is_of_its_range(searcher: Searcher) -> None:
    asked = play(searcher)
    assert len(asked) == len({key(params) for params in asked}) <= searcher.max_trials
    for params in asked:
        width, rate = params["width"], params["lr"]
        assert width in range(8, 33, 4), f"width={width} is not of its range"
        assert rate in RATE, f"lr={rate} is not of its range"
        assert (type(width), type(rate)) == (int, float), f"width={width!r} or lr={rate!r} is of another type"
    assert scored(searcher.incumbent) == min(map(scored, asked)), "the incumbent is not the best scored choice"


def a_search_that_died_is_rebuilt(make: Callable[[Space], Searcher], space: Space) -> None:
    """A search with one trial at a time, and one with several, cut after each event: it continues as the unbroken
    one."""
    for slots in (1, SLOTS):
        whole = journal(make(space), slots)
        for cut in range(0, len(whole), max(1, len(whole) // 8)):
            again = make(space)
            replay(again, whole[:cut])
            rest = journal(again, slots, whole[:cut])
            assert rest == whole, f"after {cut} events the search with {slots} at once continues differently"


def journal(searcher: Searcher, slots: int, before: list[Event] | None = None) -> list[Event]:
    """Every start and end of a search with so many trials at once, which end in a random but repeatable order."""
    events = list(before or [])
    ended = [key(params) for event, params in events if event == "ended"]
    running = [params for event, params in events if event == "started" and key(params) not in ended]
    while not searcher.finished:
        while len(running) < slots and (params := searcher.ask()) is not None:
            running.append(params)
            events.append(("started", params))
        assert running or searcher.finished, "not finished, no score is outstanding, and ask() gives nothing"
        if not running:
            break
        done = running.pop(random.Random(len(events)).randrange(len(running)))
        events.append(("ended", done))
        end(searcher, done)
    return events


def replay(searcher: Searcher, events: list[Event]) -> None:
    for event, params in events:
        if event == "ended":
            end(searcher, params)
        else:
            asked = searcher.ask_again(params)
            assert key(asked) == key(params), f"{asked} is asked for again, not {params}"


def end(searcher: Searcher, params: Params) -> None:
    """One choice in four is stopped."""
    if random.Random(key(params)).random() < 0.25:
        searcher.prune(params, 3, scored(params))
    else:
        searcher.tell(params, scored(params))
