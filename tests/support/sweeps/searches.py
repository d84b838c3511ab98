"""Searches of a small space by scores that are known."""

import itertools
from typing import Any

from hypothesis import strategies as st

from vmsbench.search.searcher import key
from vmsbench.search.space import Parameter, Space
from vmsbench.testing.searchers import SPACE, START, play
from vmsbench.testing.searchers import scored as score

__all__ = ["COORDINATES", "SPACE", "START", "conditions", "play", "score", "tables"]

COORDINATES = list(SPACE.parameters)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Space, dict[str, float | None], int]:
    """A space with conditions on earlier parameters and on options, and a score for each of its points."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    parameters: list[Parameter] = []
    for index, size in enumerate(sizes):
        when, only = draw(conditions(parameters)), {}
        for option in range(1, size):
            if draw(st.booleans()) and (rule := draw(conditions(parameters))):
                only[key(option)] = rule
        parameters.append(Parameter(f"p{index}", list(range(size)), when, only))
    base = {one.param: draw(st.sampled_from([0, *([one.values[-1]] if not one.only else [])])) for one in parameters}
    points = itertools.product(*(one.values for one in parameters))
    random = draw(st.randoms(use_true_random=False))
    values = random.choices([None, 0.0, 1.0, 2.0, 3.0, 4.0], k=256)
    names = [key({one.param: value for one, value in zip(parameters, point, strict=True)}) for point in points]
    return Space(parameters, base), dict(zip(names, values, strict=False)), draw(st.integers(1, 3))


@st.composite
def conditions(draw: st.DrawFn, earlier: list[Parameter]) -> dict[str, Any]:
    if not earlier or draw(st.booleans()):
        return {}
    one = draw(st.sampled_from(earlier))
    return {one.param: draw(st.one_of(st.sampled_from(one.values), st.just(list(one.values)[:2])))}
